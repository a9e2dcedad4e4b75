"""A folder of runs: create, list, open, rename, tag, delete."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store.disk import disk_errors, folder_lock, replace_file, take_lock
from lossdiag.store.ids import is_id, new_id, run_folder
from lossdiag.store.index import COLUMNS, Query, query_index
from lossdiag.store.manifest import (
    END_STATUSES,
    FILE,
    LOCK,
    OPEN_STATUSES,
    Clock,
    Manifest,
    edit_manifest,
    encode,
    new_manifest,
    read_manifest,
    stamp,
)
from lossdiag.store.recording import Recording
from lossdiag.store.schema import Status
from lossdiag.store.writer import RunWriter, compact_run, is_double


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion freed."""

    runs: int
    bytes: int


class RunStore:
    """The runs in one folder. Any number of processes may use it at once; it keeps no state of its own."""

    def __init__(self, root: str | Path, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        """Use `root`, which is made when the first run is created; `clock` gives the time that is written down."""
        self.root = Path(root)
        self._clock = clock

    @property
    def uploads(self) -> Path:
        """The folder of files given in the browser."""
        return self.root / "uploads"

    def create(
        self, spec: ExperimentSpec, *, run_id: str | None = None, name: str | None = None, status: Status = "queued"
    ) -> str:
        """Make a run that has not begun and return its identifier.

        Raises:
            StoreError: `run_id` is not of the form of an identifier or is taken, or the disk refuses.
        """
        now = self._clock()
        run_id = run_id or new_id(now)
        if not is_id(run_id):
            raise StoreError(f"not a run id: {run_id!r:.60}; expected one such as {new_id(now)}")
        content = encode(new_manifest(run_id, name or spec.title, spec, status, now, double=is_double(spec)))
        with disk_errors(f"create a run in {self.root}"):
            self.root.mkdir(parents=True, exist_ok=True)
            with self._tidying():
                draft = self.root / f".new-{run_id}"
                draft.mkdir()
                try:
                    replace_file(draft / FILE, content)
                    if os.path.lexists(self.root / run_id):
                        raise StoreError(f"there is a run {run_id} already; choose another id, or none")
                    draft.rename(self.root / run_id)  # it appears whole
                except BaseException:
                    shutil.rmtree(draft)
                    raise
        return run_id

    def path(self, run_id: str) -> Path:
        """Return the folder of a run; raise StoreError where there is none or the id is not one."""
        return run_folder(self.root, run_id)

    def writer(self, run_id: str, *, resume: bool = False) -> RunWriter:
        """Begin to record a queued run, or go on with one that was recorded before.

        Raises:
            StoreError: as `RunWriter` says.
        """
        return RunWriter(self.path(run_id), clock=self._clock, resume=resume)

    def open(self, run_id: str) -> Recording:
        """Open a run for reading.

        Raises:
            StoreError: there is none, or its run.json is damaged.
        """
        return Recording(self.path(run_id))

    def list(
        self,
        search: str = "",
        tags: Sequence[str] = (),
        status: Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Return the runs that match, newest first; ``attrs["total"]`` counts them without limit and offset.

        Columns: id, name, status, detail, created, started, ended (UTC, NaT while open), tags (tuple), note, data,
        losses, members, steps, facts (dict). A run whose run.json cannot be read has the status ``damaged`` and says
        why in detail.

        Args:
            search: text that id, name, detail, tags, note, data source or losses contain; case does not matter.
            tags: tags that a run must all have.
            status: statuses of which a run must have one; all when empty.
            limit: most rows.
            offset: rows to skip.
        """
        rows, total = query_index(self.root, Query(search, tags, status, limit, offset))
        table = pd.DataFrame.from_records(rows, columns=list(COLUMNS))
        for column in ("created", "started", "ended"):
            table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601", errors="coerce")
        table["tags"] = pd.Series([tuple(json.loads(t)) for t in table["tags"]], dtype=object)
        table["facts"] = pd.Series([json.loads(f) for f in table["facts"]], dtype=object)
        table.attrs["total"] = total
        return table

    def rename(self, run_id: str, name: str) -> None:
        """Call a run something else."""
        with edit_manifest(self.path(run_id)) as manifest:
            manifest["name"] = name

    def tag(self, run_id: str, tags: Iterable[str]) -> None:
        """Replace the tags of a run."""
        with edit_manifest(self.path(run_id)) as manifest:
            manifest["tags"] = list(dict.fromkeys(t for t in (tag.strip() for tag in tags) if t))

    def annotate(self, run_id: str, note: str) -> None:
        """Replace the note of a run."""
        with edit_manifest(self.path(run_id)) as manifest:
            manifest["note"] = note

    def end_queued(self, run_id: str, status: Status, detail: str = "") -> None:
        """End a run that never began, as when it is cancelled in the queue or its worker could not start.

        Raises:
            StoreError: it is being recorded, or has ended already.
        """
        folder = self.path(run_id)
        if status not in END_STATUSES:
            raise StoreError(f"a run cannot end as {status!r}; expected one of {', '.join(END_STATUSES)}")
        with disk_errors(f"lock {folder}"):
            lock = take_lock(folder / LOCK)
        if lock is None:
            raise StoreError(f"run {run_id} is being recorded: cancel it through its job")
        try:
            with edit_manifest(folder) as manifest:
                if manifest["status"] not in OPEN_STATUSES:
                    raise StoreError(f"run {run_id} has ended already ({manifest['status']})")
                manifest.update({"status": status, "detail": detail, "ended": stamp(self._clock())})
        finally:
            os.close(lock)

    def delete(self, run_ids: Sequence[str]) -> Deleted:
        """Delete runs with all that they hold and return how many they were and how many bytes they took.

        Raises:
            StoreError: one of them is not there or is being recorded; then none is deleted.
        """
        folders = [self.path(run_id) for run_id in dict.fromkeys(run_ids)]
        freed = 0
        with contextlib.ExitStack() as locks:
            for folder in folders:
                with disk_errors(f"delete {folder}"):
                    lock = take_lock(folder / LOCK)
                if lock is None:
                    raise StoreError(f"run {folder.name} is being recorded and was not deleted: cancel it first")
                locks.callback(os.close, lock)
            for folder in folders:
                with disk_errors(f"delete {folder}"), self._tidying():
                    trash = self.root / f".trash-{folder.name}"
                    folder.rename(trash)  # gone from the list at once, even if the rest is interrupted
                    freed += _size(trash)
                    shutil.rmtree(trash)
        return Deleted(len(folders), freed)

    def size(self, run_id: str) -> int:
        """Return the bytes that a run's files take."""
        return _size(self.path(run_id))

    def recover(self, *, queued: bool = True) -> builtins.list[str]:
        """Mark runs whose process is gone as interrupted, and finish what a crash left half done.

        Interrupted runs keep their streams, so that they can be resumed; ended ones that were not compacted are.

        Args:
            queued: also mark runs that wait in a queue; false while another queue on this folder may be alive.

        Returns:
            The identifiers of the runs that were marked.
        """
        rows, _ = query_index(self.root, Query())
        status = COLUMNS.index("status")
        unended = {row[0] for row in rows if row[status] in (*OPEN_STATUSES, "interrupted")}
        marked = []
        for name in sorted(os.listdir(self.root)) if self.root.is_dir() else []:
            folder = self.root / name
            if name.startswith((".trash-", ".new-")):
                with disk_errors(f"tidy {folder}"), self._tidying():
                    if folder.is_dir():  # whoever was at work on it may have finished meanwhile
                        shutil.rmtree(folder)
            elif name in unended or (is_id(name) and not folder.is_symlink() and (folder / "live").is_dir()):
                marked += self._recover_unless_gone(folder, queued=queued)
        return marked

    def _tidying(self) -> contextlib.AbstractContextManager[None]:
        """Keep drafts and trash to oneself: whatever of them is there while nobody holds this was left by a crash."""
        return folder_lock(self.root.resolve())

    def _recover_unless_gone(self, folder: Path, *, queued: bool) -> builtins.list[str]:
        try:
            return [folder.name] if self._recover(folder, queued=queued) else []
        except StoreError:
            if folder.is_dir():
                raise
            return []  # deleted by another process meanwhile

    def _recover(self, folder: Path, *, queued: bool) -> bool:
        with disk_errors(f"recover {folder}"):
            lock = take_lock(folder / LOCK)
        if lock is None:
            return False
        try:
            with disk_errors(f"recover {folder}"), folder_lock(folder):
                for torso in folder.glob(".*.tmp"):  # left by a kill in the middle of replacing a file
                    torso.unlink()
            manifest = _readable(folder)
            status = manifest["status"] if manifest else "interrupted"
            if status == "running" or (status == "queued" and queued):
                with edit_manifest(folder) as manifest:
                    manifest.update(
                        {"status": "interrupted", "detail": "its process is gone", "ended": stamp(self._clock())}
                    )
                return True
            if manifest and status not in ("queued", "interrupted") and (folder / "live").is_dir():
                compact_run(folder, double=manifest["double"])
        finally:
            os.close(lock)
        return False


def _readable(folder: Path) -> Manifest | None:
    """Return the manifest, or None when it is damaged: the list shows such a run, and there is nothing to recover."""
    try:
        return read_manifest(folder)
    except StoreError:
        return None


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
