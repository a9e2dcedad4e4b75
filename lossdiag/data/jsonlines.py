"""Read JSON Lines: one flat object per line. An absent key is a missing value."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from lossdiag.data.columns import check_names
from lossdiag.data.delimited import decode
from lossdiag.data.limits import MAX_COLUMNS, MAX_ROWS, bad, check_shape

_MAX_LINE = 1_000_000


def read_json_lines(filename: str, content: bytes) -> pd.DataFrame:
    """Return the table, columns in the order in which keys first appear.

    Raises:
        DataError: the first line that is not a flat JSON object.
    """
    text = decode(filename, content)
    if text.lstrip().startswith("["):
        raise bad(
            filename,
            "holds one JSON list, expected one object per line (pandas: to_json(..., orient='records', lines=True))",
        )
    columns: dict[str, list[Any]] = {}
    rows = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        record = _record(filename, number, line)
        rows += 1
        if rows > MAX_ROWS:
            check_shape(filename, rows, len(columns))
        for key, value in record.items():
            if key not in columns:
                columns[key] = [None] * (rows - 1)
                if len(columns) > MAX_COLUMNS:
                    check_shape(filename, rows, len(columns))
            columns[key].append(value)
        if len(record) < len(columns):
            for key in columns.keys() - record.keys():
                columns[key].append(None)
    check_shape(filename, rows, len(columns))
    names = check_names(filename, list(columns))
    return pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in zip(names, columns.values(), strict=True)})


def _record(filename: str, number: int, line: str) -> dict[str, Any]:
    if len(line) > _MAX_LINE:
        raise bad(
            filename,
            f"line {number} has {len(line):,} characters, at most {_MAX_LINE:,} are read; write one row per line",
        )

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise bad(filename, f"line {number} gives {twice!r} twice; keep one")
        return record

    try:
        record = json.loads(line, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise bad(
            filename, f"line {number}, character {error.colno}: not JSON ({error.msg}); expected one object per line"
        ) from None
    except (RecursionError, ValueError):
        raise bad(filename, f"line {number}: too deeply nested, or a number of too many digits") from None
    if not isinstance(record, dict):
        raise bad(
            filename, f'line {number}: expected an object such as {{"x": 1.5, "y": 0}}, got a {type(record).__name__}'
        )
    return record
