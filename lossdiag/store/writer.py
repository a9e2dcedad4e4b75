"""The one writer of a run."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store.compact import compact, reopen
from lossdiag.store.disk import disk_errors, open_regular, sync_folder, take_lock
from lossdiag.store.manifest import END_STATUSES, LOCK, Clock, edit_manifest, read_manifest, stamp
from lossdiag.store.schema import TABLES, EventKind, Status, Table, schema
from lossdiag.store.stream import StreamReader, StreamWriter


class RunWriter:
    """Appends to the tables of one run and ends it; made by `RunStore.writer`, used as a context manager.

    It holds the run's lock from its making to `close`. Every `append` is on its way to the disk when it returns, so a
    kill loses at most the append that it interrupts. A block left by an exception ends the run as ``failed``; left
    without `finish` it closes the run, which then reads ``interrupted`` and can be resumed.
    """

    def __init__(self, folder: Path, *, clock: Clock, resume: bool = False) -> None:
        """Take the lock of the run in `folder` and mark it running.

        Raises:
            StoreError: another process records it, it has been recorded before and `resume` is false, it is damaged,
                or the disk refuses.
        """
        self.folder = folder
        self._clock = clock
        self._streams: dict[Table, StreamWriter] = {}
        with disk_errors(f"lock {folder}"):
            lock = take_lock(folder / LOCK)
        if lock is None:
            raise StoreError(f"run {folder.name} is being recorded by another process: wait for it, or cancel it first")
        self._lock: int | None = lock
        try:
            self.double = self._begin(resume)
        except BaseException:
            self.close()
            raise

    def _begin(self, resume: bool) -> bool:
        manifest = read_manifest(self.folder)
        if manifest["status"] != "queued" and not resume:
            raise StoreError(
                f"run {self.folder.name} has been recorded already ({manifest['status']}): "
                "start a new run, or resume this one"
            )
        with disk_errors(f"record to {self.folder}"):
            (self.folder / "live").mkdir(exist_ok=True)
        for table in TABLES:
            if (compacted := self._compacted(table)).exists():
                reopen(compacted, self._live(table))
        with edit_manifest(self.folder) as manifest:
            started = manifest["started"] or stamp(self._clock())
            manifest.update({"status": "running", "detail": "", "started": started, "ended": ""})
        return manifest["double"]

    def schema(self, table: Table) -> pa.Schema:
        """Return the schema that `append` takes for `table` in this run."""
        return schema(table, double=self.double)

    def append(self, table: Table, batch: pa.RecordBatch) -> None:
        """Add rows to `table`: one message, one write.

        Raises:
            StoreError: wrong schema, or the disk refuses; what was recorded before stays readable.
        """
        if table not in self._streams:
            self._check_open()
            self._streams[table] = StreamWriter(self._live(table), self.schema(table))
        self._streams[table].append(batch)

    def event(
        self,
        kind: EventKind,
        *,
        step: int,
        member: int = -1,
        where: str = "",
        layer: str = "",
        value: float = math.nan,
        detail: str = "",
    ) -> None:
        """Add one row to the table of events; member -1 means the whole run."""
        row = (step, member, kind, where, layer, value, detail)
        names = self.schema("events").names
        self.append(
            "events", pa.RecordBatch.from_pylist([dict(zip(names, row, strict=True))], schema=self.schema("events"))
        )

    def describe(self, **facts: Any) -> None:
        """Merge plain facts (numbers, text, lists, mappings) into run.json, replacing those of the same name."""
        self._check_open()
        with edit_manifest(self.folder) as manifest:
            manifest["facts"].update(facts)

    def rewind(self, step: int, members: Collection[int] | None = None) -> None:
        """Drop the rows of `members` (all by default) at `step` and later: for going on from an older snapshot.

        Raises:
            StoreError: the disk refuses; the rows are then all still there.
        """
        for table in TABLES:
            if table in self._streams:
                self._streams.pop(table).close()
            if self._live(table).exists():
                _drop_rows(self._live(table), self.schema(table), step, members)

    def finish(self, status: Status, detail: str = "", **facts: Any) -> None:
        """End the run: write its status, compact its tables and let go of it.

        Args:
            status: one of `END_STATUSES`.
            detail: a sentence on why it ended so.
            facts: merged as by `describe`.

        Raises:
            StoreError: the disk refuses. The run keeps the status if that could be written, and stays readable from
                its streams; `RunStore.recover` compacts it later.
        """
        self._check_open()
        if status not in END_STATUSES:
            raise StoreError(f"a run cannot end as {status!r}; expected one of {', '.join(END_STATUSES)}")
        # The status goes first: whatever happens to the compaction, how training ended is then known.
        with edit_manifest(self.folder) as manifest:
            manifest["facts"].update(facts)
            manifest.update({"status": status, "detail": detail, "ended": stamp(self._clock())})
        self._close_streams()
        try:
            compact_run(self.folder, double=self.double)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the run as it stands; without `finish` it then reads ``interrupted``."""
        self._close_streams()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if isinstance(error, Exception) and self._lock is not None:
                self.finish("failed", f"{type(error).__name__}: {error}")
        finally:
            self.close()

    def _close_streams(self) -> None:
        while self._streams:
            self._streams.popitem()[1].close()

    def _check_open(self) -> None:
        if self._lock is None:
            raise StoreError(f"run {self.folder.name} is closed: resume it to record more")

    def _live(self, table: Table) -> Path:
        return live_path(self.folder, table)

    def _compacted(self, table: Table) -> Path:
        return compacted_path(self.folder, table)


def live_path(folder: Path, table: Table) -> Path:
    """Return where the stream of `table` is while the run is recorded."""
    return folder / "live" / f"{table}.arrows"


def compacted_path(folder: Path, table: Table) -> Path:
    """Return where the Feather file of `table` is once the run has ended."""
    return folder / f"{table}.feather"


def is_double(spec: ExperimentSpec) -> bool:
    """Return whether any member trains in float64, so that the run's measured values are stored as float64."""
    return "float64" in (spec.train.precision, *spec.grid.get("train.precision", ()))


def compact_run(folder: Path, *, double: bool) -> None:
    """Turn the streams of an ended run into Feather files; harmless to repeat. The caller holds the run's lock."""
    for table in TABLES:
        # After a crash half-way, a table whose stream is gone is done already.
        if live_path(folder, table).exists() or not compacted_path(folder, table).exists():
            compact(live_path(folder, table), compacted_path(folder, table), schema(table, double=double))
    with disk_errors(f"tidy {folder}"):
        sync_folder(folder)
        for table in TABLES:
            live_path(folder, table).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a foreign file in it is not ours to delete
            (folder / "live").rmdir()


def _drop_rows(stream: Path, table_schema: pa.Schema, step: int, members: Collection[int] | None) -> None:
    temporary = stream.with_name(f".{stream.name}.tmp")
    temporary.unlink(missing_ok=True)
    with disk_errors(f"rewind {stream}"):
        writer = StreamWriter(temporary, table_schema)
        fd = open_regular(stream, os.O_RDONLY)
        try:
            for part in StreamReader(fd).parts():
                for batch in part.batches:
                    keep = batch["step"].to_numpy() < step
                    if members is not None:
                        keep |= ~np.isin(batch["member"].to_numpy(), list(members))
                    writer.append(batch.filter(pa.array(keep)))
        finally:
            os.close(fd)
            writer.close()
        temporary.rename(stream)
