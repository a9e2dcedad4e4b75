"""Following a run while another process records it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lossdiag.store.disk import disk_errors, open_regular
from lossdiag.store.schema import TABLES, Table
from lossdiag.store.stream import StreamReader
from lossdiag.store.writer import compacted_path, live_path


@dataclass(slots=True)
class _Place:
    """How far one table has been read: rows in all, and where that is in which stream file."""

    rows: int = 0
    offset: int = 0
    stream: str = ""


class Tail:
    """Gives each row of a run once, through its end, compaction and resumption.

    A batch that is only half written waits for the next poll. `cursor` is plain data: a tail made with it goes on
    where this one is.
    """

    def __init__(self, folder: str | Path, cursor: dict[str, Any] | None = None) -> None:
        """Follow the run in `folder`, from its first row or from `cursor`."""
        self._folder = Path(folder)
        self._places: dict[Table, _Place] = {table: _Place(**(cursor or {}).get(table, {})) for table in TABLES}

    @property
    def cursor(self) -> dict[str, Any]:
        """Where it is, ready for JSON."""
        return {table: asdict(place) for table, place in self._places.items()}

    def poll(self) -> dict[Table, pd.DataFrame]:
        """Return the rows that are new since the last poll, for each table that has any.

        Raises:
            StoreError: the files cannot be read.
        """
        news: dict[Table, pd.DataFrame] = {}
        for table, place in self._places.items():
            with disk_errors(f"follow {table} of run {self._folder.name}"):
                new = self._new_rows(table, place)
            if new is not None and new.num_rows:
                news[table] = new.to_pandas()
        return news

    def _new_rows(self, table: Table, place: _Place) -> pa.Table | None:
        try:
            return _from_stream(live_path(self._folder, table), place)
        except FileNotFoundError:
            pass  # not begun, or compacted: then the Feather file was there before the stream went
        try:
            return _from_compacted(compacted_path(self._folder, table), place)
        except FileNotFoundError:
            return None


def _from_stream(path: Path, place: _Place) -> pa.Table | None:
    fd = open_regular(path, os.O_RDONLY)
    try:
        if place.stream and os.fstat(fd).st_size == place.offset:
            return None
        reader = StreamReader(fd)
        known = reader.identity == place.stream
        # A new file (the run was resumed) begins with the rows that were seen in the old one.
        skip, end = (0, place.offset) if known else (place.rows, 0)
        batches: list[pa.RecordBatch] = []
        for part in reader.parts(end):
            batches += part.batches
            end = part.end
    finally:
        os.close(fd)
    rows = pa.Table.from_batches(batches, reader.schema) if batches else None
    if rows is None or rows.num_rows < skip:  # fewer than seen: rewound; wait until it has caught up
        return None
    new = rows.slice(skip)
    place.rows, place.offset, place.stream = place.rows + new.num_rows, end, reader.identity
    return new


def _from_compacted(path: Path, place: _Place) -> pa.Table | None:
    os.close(open_regular(path, os.O_RDONLY))
    with pa.memory_map(str(path)) as source:
        rows = pa.ipc.open_file(source).read_all()
    if rows.num_rows <= place.rows:
        return None
    new = rows.slice(place.rows)
    place.rows, place.offset, place.stream = rows.num_rows, 0, ""
    return new
