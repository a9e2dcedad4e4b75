"""Read the first sheet of an Excel workbook: one header row, then one row per record."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException

from lossdiag.data.columns import check_names
from lossdiag.data.limits import MAX_ROWS, bad, check_shape, check_zip

_MAX_EMPTY = 10_000
# What openpyxl raises on parts that are missing or malformed; a broken XML document is a SyntaxError.
_DAMAGED = (
    InvalidFileException,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_excel(filename: str, content: bytes) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the first sheet and notes. Formulas count by the value that Excel saved with them.

    Raises:
        DataError: not a workbook, damaged, too large, or without a header and rows.
    """
    check_zip(filename, content, "an Excel workbook (.xlsx)")
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        names = list(book.sheetnames)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file declares may be wrong
        frame = _frame(filename, _rows(filename, sheet.iter_rows(values_only=True)))
    except _DAMAGED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise bad(filename, f"not an Excel workbook (.xlsx), or damaged ({reason}); save it again") from None
    others = ", ".join(names[1:4]) + (" ..." if len(names) > 4 else "")
    notes = (f"read the first of {len(names)} sheets, {sheet.title!r}; not read: {others}",) if len(names) > 1 else ()
    return frame, notes


def _rows(filename: str, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows that hold anything, without the empty cells at their end."""
    empty = 0
    for row in rows:
        last = next((i for i in range(len(row), 0, -1) if row[i - 1] is not None), 0)
        if last:
            check_shape(filename, 0, last)
            empty = 0
            yield row[:last]
        elif (empty := empty + 1) > _MAX_EMPTY:
            raise bad(filename, f"more than {_MAX_EMPTY:,} empty rows in a row; delete them and save again")


def _frame(filename: str, rows: Iterator[tuple[Any, ...]]) -> pd.DataFrame:
    first = next(rows, None)
    if first is None:
        raise bad(filename, "the first sheet is empty; put the table there, the names of its columns in the first row")
    header = check_names(filename, first)
    columns: list[list[Any]] = [[] for _ in header]
    for number, row in enumerate(rows):
        if len(row) > len(header):
            raise bad(
                filename,
                f"{len(row)} cells, expected {len(header)} as in the first row; name every column",
                row=number,
            )
        if number >= MAX_ROWS:
            check_shape(filename, number + 1, len(header))
        for column, value in zip(columns, row + (None,) * (len(header) - len(row)), strict=True):
            column.append(value)
    check_shape(filename, len(columns[0]), len(header))
    return pd.DataFrame({n: pd.Series(v, dtype=object) for n, v in zip(header, columns, strict=True)})
