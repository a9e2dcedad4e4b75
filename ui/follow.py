"""A run that is being recorded, read as it grows: each tick reads what is new and adds it to what is held."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lossdiag.store import Curve, Recording, Table, Tail, schema
from lossdiag.store.manifest import read_manifest

Array = npt.NDArray[Any]


class Growing:
    """An array that grows at its end without being copied each time. What `view` gave stays as it is."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        """Start empty."""
        self._buffer: Array = np.empty(256, dtype)
        self._length = 0

    def extend(self, values: Array) -> None:
        """Add `values` at the end."""
        end = self._length + len(values)
        if end > len(self._buffer):
            larger = np.empty(max(end, 2 * len(self._buffer)), self._buffer.dtype)
            larger[: self._length] = self._buffer[: self._length]
            self._buffer = larger
        self._buffer[self._length : end] = values
        self._length = end

    @property
    def view(self) -> Array:
        """All values so far, not copied."""
        return self._buffer[: self._length]


class Followed(Recording):
    """A recording that grows, shared by every session that watches it: `poll` adds what is new.

    Steps, yardsticks and events are held; the larger tables are read anew whenever they are asked for.
    """

    def __init__(self, folder: Path) -> None:
        """Follow the run in `folder` from its first row.

        Raises:
            StoreError: there is no run, or its run.json is damaged.
        """
        super().__init__(folder)
        self._tail = Tail(folder)
        self._guard = threading.Lock()
        self._grown: dict[int, dict[str, Growing]] = {}
        self._small: dict[str, pd.DataFrame] = {}

    def poll(self) -> None:
        """Read what is new.

        Raises:
            StoreError: the files cannot be read.
        """
        with self._guard:
            self._manifest = read_manifest(self.folder)
            for table, rows in self._tail.poll().items():
                if table == "steps":
                    self._add_steps(rows)
                elif table in ("evals", "events"):
                    held = self._small.get(table)
                    self._small[table] = rows if held is None else pd.concat([held, rows], ignore_index=True)

    def curves(self, column: str, members: Collection[int] | None = None) -> dict[int, Curve]:
        """Return steps and values of one column of ``steps`` for every member that has rows, or for those asked for."""
        return {
            member: (own["step"].view, own[column].view)
            for member, own in sorted(self._grown.items())
            if members is None or member in members
        }

    @property
    def evals(self) -> pd.DataFrame:
        """The yardsticks so far."""
        return self._small.get("evals", _empty("evals"))

    @property
    def events(self) -> pd.DataFrame:
        """The events so far."""
        return self._small.get("events", _empty("events"))

    @property
    def layers(self) -> pd.DataFrame:
        """The layers so far, read anew."""
        return self._frame("layers")

    @property
    def activations(self) -> pd.DataFrame:
        """The activations so far, read anew."""
        return self._frame("activations")

    @property
    def frames(self) -> pd.DataFrame:
        """The pictures so far, read anew."""
        return self._frame("frames")

    def _add_steps(self, rows: pd.DataFrame) -> None:
        members = rows["member"].to_numpy()
        order = np.argsort(members, kind="stable")
        found, starts = np.unique(members[order], return_index=True)
        columns = {name: rows[name].to_numpy()[order] for name in rows.columns if name != "member"}
        for member, start, end in zip(found, starts, [*starts[1:], len(order)], strict=True):
            own = self._grown.setdefault(int(member), {})
            for name, values in columns.items():
                own.setdefault(name, Growing(values.dtype)).extend(values[start:end])


def _empty(table: Table) -> pd.DataFrame:
    return schema(table).empty_table().to_pandas()
