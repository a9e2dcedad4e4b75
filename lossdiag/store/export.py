"""Whole tables as files for other tools: nothing thinned out, nothing left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from lossdiag.spec import to_yaml
from lossdiag.store.compact import merged
from lossdiag.store.disk import disk_errors, replace_file
from lossdiag.store.recording import Recording
from lossdiag.store.schema import Table


def export_csv(recording: Recording, table: Table, path: str | Path) -> int:
    """Write every row of `table` with its member's label as CSV and return the number of rows.

    Values that are not finite are spelled ``nan``, ``inf`` and ``-inf``; arrays (frames) are JSON.

    Raises:
        StoreError: the recording cannot be read or the file not written; no half-written file is left.
    """
    return _export(recording, table, Path(path), pa.csv.CSVWriter, flat=True)


def export_parquet(recording: Recording, table: Table, path: str | Path) -> int:
    """Write every row of `table` with its member's label as Parquet and return the number of rows.

    Raises:
        StoreError: the recording cannot be read or the file not written; no half-written file is left.
    """
    return _export(recording, table, Path(path), pa.parquet.ParquetWriter, flat=False)


def export_spec(recording: Recording, path: str | Path) -> None:
    """Write the experiment as YAML, ready to be run again."""
    with disk_errors(f"write {path}"):
        replace_file(Path(path), to_yaml(recording.spec).encode())


def _export(recording: Recording, table: Table, path: Path, open_writer: Callable[..., Any], *, flat: bool) -> int:
    temporary = path.with_name(f".{path.name}.tmp")
    rows = 0
    with disk_errors(f"write {path}"):
        try:
            empty = _labelled(recording.table(table).slice(0, 0), recording, flat=flat)
            with temporary.open("wb") as file, open_writer(file, empty.schema) as writer:
                for batch in merged(recording.batches(table), recording.schema(table)):
                    writer.write_table(_labelled(pa.Table.from_batches([batch]), recording, flat=flat))
                    rows += batch.num_rows
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return rows


def _labelled(rows: pa.Table, recording: Recording, *, flat: bool) -> pa.Table:
    """Put each member's label behind its number (empty for -1, the whole run); with `flat` write arrays as JSON."""
    labels = np.array([*recording.members["label"], ""], dtype=object)  # -1 is the last
    own = pa.array(labels[rows["member"].to_numpy()], pa.string())
    rows = rows.add_column(rows.schema.get_field_index("member") + 1, "label", own)
    if flat:
        for index, field in enumerate(rows.schema):
            if pa.types.is_list(field.type):
                text = pa.array([json.dumps(v) for v in rows[field.name].to_pylist()], pa.string())
                rows = rows.set_column(index, field.name, text)
    return rows
