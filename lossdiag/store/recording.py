"""What a run holds, read lazily, whether it is still being recorded or has ended."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from lossdiag.errors import SpecError, StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store.disk import disk_errors, open_regular
from lossdiag.store.manifest import read_manifest, true_status
from lossdiag.store.schema import Status, Table, schema
from lossdiag.store.stream import StreamReader
from lossdiag.store.writer import compacted_path, live_path

Steps: TypeAlias = npt.NDArray[np.int32]
Values: TypeAlias = npt.NDArray[np.floating[Any]]
Curve: TypeAlias = tuple[Steps, Values]


class Recording:
    """One recorded run. Tables are read when first asked for and kept; `status` and `detail` are always fresh.

    A table of a run that is still being recorded holds the rows there were when it was first asked for: open the run
    again, or follow it with `Tail`.
    """

    def __init__(self, folder: Path) -> None:
        """Open the run in `folder`.

        Raises:
            StoreError: there is no run, or its run.json is damaged.
        """
        self.folder = folder
        self._manifest = read_manifest(folder)
        self._curves: dict[str, dict[int, Curve]] = {}
        self._layer_curves: dict[str, dict[int, dict[int, Curve]]] = {}

    @property
    def id(self) -> str:
        """The run's identifier."""
        return self._manifest["id"]

    @property
    def name(self) -> str:
        """What it is called; the spec's title where nobody named it."""
        return self._manifest["name"]

    @property
    def created(self) -> pd.Timestamp:
        """When it was made, in UTC."""
        return pd.Timestamp(self._manifest["created"])

    @property
    def started(self) -> pd.Timestamp | None:
        """When its recording began, in UTC; None while it waits."""
        return pd.Timestamp(self._manifest["started"]) if self._manifest["started"] else None

    @property
    def ended(self) -> pd.Timestamp | None:
        """When it ended, in UTC; None until then."""
        return pd.Timestamp(self._manifest["ended"]) if self._manifest["ended"] else None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the writer described it with."""
        return self._manifest["facts"]

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return tuple(self._manifest["tags"])

    @property
    def note(self) -> str:
        """What somebody wrote about it."""
        return self._manifest["note"]

    @property
    def status(self) -> Status:
        """How it stands now; ``interrupted`` when its writer is gone without having ended it."""
        return true_status(self.folder, read_manifest(self.folder))[1]

    @property
    def detail(self) -> str:
        """Why it ended as it did."""
        return read_manifest(self.folder)["detail"]

    @functools.cached_property
    def spec(self) -> ExperimentSpec:
        """What was trained.

        Raises:
            StoreError: the spec is not one that this version understands.
        """
        try:
            return ExperimentSpec.parse(self._manifest["spec"])
        except SpecError as error:
            raise StoreError(f"run {self.id}: its experiment cannot be read by this version: {error}") from error

    @functools.cached_property
    def members(self) -> pd.DataFrame:
        """One row per member: id, label, config, loss, params, seed, grid."""
        return pd.DataFrame(
            self._manifest["members"], columns=["id", "label", "config", "loss", "params", "seed", "grid"]
        )

    @functools.cached_property
    def steps(self) -> pd.DataFrame:
        """One row per member and step."""
        return self._frame("steps")

    @functools.cached_property
    def layers(self) -> pd.DataFrame:
        """One row per member, step and layer."""
        return self._frame("layers")

    @functools.cached_property
    def activations(self) -> pd.DataFrame:
        """One row per member, evaluated step and activation function."""
        return self._frame("activations")

    @functools.cached_property
    def evals(self) -> pd.DataFrame:
        """One row per member, evaluated step, split and yardstick."""
        return self._frame("evals")

    @functools.cached_property
    def events(self) -> pd.DataFrame:
        """One row per event, as recorded."""
        return self._frame("events")

    @functools.cached_property
    def frames(self) -> pd.DataFrame:
        """One row per picture over time; `frame` gives one as an array."""
        return self._frame("frames")

    def _frame(self, table: Table) -> pd.DataFrame:
        return self.table(table).to_pandas(split_blocks=True)

    def schema(self, table: Table, columns: Collection[str] | None = None) -> pa.Schema:
        """Return the schema of a table, or of some of its columns."""
        full = schema(table, double=self._manifest["double"])
        return pa.schema([full.field(column) for column in self._columns(table, columns)])

    def table(self, table: Table, columns: Collection[str] | None = None) -> pa.Table:
        """Return a table, or some of its columns without touching the others.

        Raises:
            StoreError: no such column, or the file cannot be read.
        """
        chosen = self._columns(table, columns)
        batches = list(self.batches(table, chosen))
        return pa.Table.from_batches(batches, batches[0].schema if batches else self.schema(table, chosen))

    def batches(self, table: Table, columns: Collection[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table piece by piece, in the order in which they were recorded."""
        chosen = self._columns(table, columns)
        with disk_errors(f"read {table} of run {self.id}"):
            # It may be compacted between two looks: the Feather file is there before the stream goes.
            for read in (_read_compacted, _read_live, _read_compacted):
                try:
                    yield from read(self.folder, table, chosen)
                    return
                except FileNotFoundError:
                    continue
        if not self.folder.is_dir():
            raise StoreError(f"run {self.id} is gone: it was deleted or moved; see the list of runs")

    def series(self, member: int, column: str) -> Curve:
        """Return steps (int32) and values of one column of `steps` for one member, in order of steps.

        Raises:
            StoreError: no such member or column.
        """
        self._check_member(member)
        return self.curves(column, (member,)).get(member, self._nothing("steps", column))

    def curves(self, column: str, members: Collection[int] | None = None) -> dict[int, Curve]:
        """Return steps and values of one column of `steps` for every member that has rows, or for those asked for."""
        if column not in self._curves:
            steps, keys, values = self._arrays("steps", "step", "member", column)
            self._curves[column] = _group(keys, steps, values)
        curves = self._curves[column]
        return curves if members is None else {m: curves[m] for m in members if m in curves}

    def layer_series(self, member: int, layer: int, column: str) -> Curve:
        """Return steps and values of one column of `layers` for one layer of one member."""
        self._check_member(member)
        return self.layer_curves(member, column).get(layer, self._nothing("layers", column))

    def layer_curves(self, member: int, column: str) -> dict[int, Curve]:
        """Return steps and values of one column of `layers` for each layer of one member."""
        if column not in self._layer_curves:
            steps, members, layers, values = self._arrays("layers", "step", "member", "layer", column)
            count = int(layers.max(initial=0)) + 1
            keys = members.astype(np.int32) * count + layers
            grouped: dict[int, dict[int, Curve]] = {}
            for key, curve in _group(keys, steps, values).items():
                grouped.setdefault(key // count, {})[key % count] = curve
            self._layer_curves[column] = grouped
        return self._layer_curves[column].get(member, {})

    def layer_names(self, member: int) -> tuple[str, ...]:
        """Return the names of a member's layers, by their number in `layers`; empty where none were recorded."""
        self._check_member(member)
        own = (s["layers"] for s in self.facts.get("stacks", ()) if member in s["members"])
        return tuple(next(own, self.facts.get("layers", ())))

    def frame(self, kind: str, member: int, step: int) -> npt.NDArray[np.float32]:
        """Return the latest picture of `kind` of a member at `step` or before, in its shape.

        Raises:
            StoreError: there is none; the message names the kinds and the first step there are.
        """
        found: tuple[int, pa.RecordBatch, int] | None = None
        seen: dict[str, int] = {}
        for batch in self.batches("frames"):
            steps, members, kinds = (batch[c].to_numpy(zero_copy_only=False) for c in ("step", "member", "kind"))
            for row in np.flatnonzero(members == member):
                at, its_kind = int(steps[row]), str(kinds[row])
                seen[its_kind] = min(seen.get(its_kind, at), at)
                if its_kind == kind and at <= step and (found is None or at >= found[0]):
                    found = (at, batch, int(row))
        if found is None:
            there = ", ".join(f"{k!r} from step {s}" for k, s in seen.items()) or "none"
            raise StoreError(
                f"run {self.id}, member {member}: no frame {kind!r} at step {step} or before; it has {there}"
            )
        _, picture, place = found
        flat: npt.NDArray[np.float32] = picture["values"][place].values.to_numpy(zero_copy_only=False)
        return flat.reshape(picture["shape"][place].as_py())

    def _arrays(self, table: Table, *columns: str) -> list[npt.NDArray[Any]]:
        data = self.table(table, columns)
        return [data[column].to_numpy() for column in columns]

    def _nothing(self, table: Table, column: str) -> Curve:
        kind = self.schema(table, (column,)).field(0).type.to_pandas_dtype()
        return np.empty(0, np.int32), np.empty(0, kind)

    def _columns(self, table: Table, columns: Collection[str] | None) -> tuple[str, ...]:
        known = schema(table).names
        for column in columns or ():
            if column not in known:
                raise StoreError(f"table {table!r} has no column {column!r}; it has {', '.join(known)}")
        return tuple(known if columns is None else columns)

    def _check_member(self, member: int) -> None:
        if not 0 <= member < len(self.members):
            raise StoreError(f"run {self.id} has no member {member}; it has 0 to {len(self.members) - 1}")


def read_run(path: str | Path) -> Recording:
    """Open the run in a folder, which need not be in a store and may be read-only.

    Raises:
        StoreError: there is no run, or its run.json is damaged.
    """
    return Recording(Path(path))


def _read_compacted(folder: Path, table: Table, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    path = compacted_path(folder, table)
    os.close(open_regular(path, os.O_RDONLY))  # raises what a map of it would hide: absence, a link, no permission
    try:
        with pa.memory_map(str(path)) as source:
            names = pa.ipc.open_file(source).schema.names
            fields = [names.index(column) for column in columns]
            reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=fields))
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index).select(list(columns))
    except (pa.ArrowInvalid, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}): delete the run, or restore the file") from error


def _read_live(folder: Path, table: Table, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    fd = open_regular(live_path(folder, table), os.O_RDONLY)
    try:
        for part in StreamReader(fd).parts():
            for batch in part.batches:
                yield batch.select(list(columns))
    finally:
        os.close(fd)


def _group(keys: npt.NDArray[Any], steps: Steps, values: Values) -> dict[int, Curve]:
    """Split rows by key, keeping their order within a key."""
    if not len(keys):
        return {}
    period = _period(keys)
    if period:  # every key once per step, always in the same order: no need to sort
        order = np.argsort(keys[:period])
        return {int(keys[i]): (_own(steps[i::period]), _own(values[i::period])) for i in order}
    compact = keys.astype(np.min_scalar_type(int(keys.max())))  # 16 bits are sorted by radix
    rows = np.argsort(compact, kind="stable")
    found, starts = np.unique(compact[rows], return_index=True)
    parts = zip(np.split(steps[rows], starts[1:]), np.split(values[rows], starts[1:]), strict=True)
    return {int(key): part for key, part in zip(found, parts, strict=True)}


def _period(keys: npt.NDArray[Any]) -> int:
    """Return P where `keys` is P different keys over and over, else 0."""
    again = np.flatnonzero(keys == keys[0])[1:2]
    period = int(again[0]) if len(again) else len(keys)
    if len(keys) % period or len(np.unique(keys[:period])) < period:
        return 0
    return period if (keys.reshape(-1, period) == keys[:period]).all() else 0


def _own(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(values)
