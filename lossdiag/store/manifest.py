"""run.json: who a run is, what it trains and how it stands."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, get_args

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec, Member
from lossdiag.store.disk import disk_errors, folder_lock, is_locked, open_regular, replace_file
from lossdiag.store.schema import Status

Clock: TypeAlias = Callable[[], datetime]

FILE = "run.json"
LOCK = "run.lock"
STATUSES: tuple[Status, ...] = get_args(Status)
OPEN_STATUSES: tuple[Status, ...] = ("queued", "running")
END_STATUSES: tuple[Status, ...] = tuple(s for s in STATUSES if s not in OPEN_STATUSES)


class MemberEntry(TypedDict):
    """One member, spelled out so that a reader needs neither the spec nor its defaults."""

    id: int
    label: str
    config: str
    loss: str
    params: dict[str, Any]
    seed: int
    grid: dict[str, Any]


class Manifest(TypedDict):
    """The content of run.json.

    Times are UTC in ISO 8601; ``started`` and ``ended`` are empty until then. ``double`` says that measured values are
    stored as float64; it stands apart from the spec so that tables can be read whatever version wrote the spec.
    """

    id: str
    name: str
    created: str
    started: str
    ended: str
    status: Status
    detail: str
    tags: list[str]
    note: str
    double: bool
    facts: dict[str, Any]
    members: list[MemberEntry]
    spec: dict[str, Any]


def new_manifest(
    run_id: str, name: str, spec: ExperimentSpec, status: Status, now: datetime, *, double: bool
) -> Manifest:
    """Return the manifest of a run that has not begun."""
    return {
        "id": run_id,
        "name": name,
        "created": stamp(now),
        "started": "",
        "ended": "",
        "status": status,
        "detail": "",
        "tags": [],
        "note": "",
        "double": double,
        "facts": {},
        "members": [_entry(member) for member in spec.members()],
        "spec": spec.model_dump(mode="json"),
    }


def _entry(member: Member) -> MemberEntry:
    return {
        "id": member.id,
        "label": member.label,
        "config": member.config,
        "loss": member.loss.name,
        "params": dict(member.loss.values),
        "seed": member.seed,
        "grid": dict(member.grid),
    }


def stamp(moment: datetime) -> str:
    """Return a moment as it is written in run.json."""
    return moment.isoformat(timespec="milliseconds")


def encode(manifest: Manifest) -> bytes:
    """Return run.json's bytes; NaN and infinity in facts are written as NaN and Infinity.

    Raises:
        StoreError: a fact is not plain data.
    """
    try:
        return json.dumps(manifest, ensure_ascii=False, indent=1, default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"facts of a run must be numbers, text, lists and mappings: {error}") from error


def _plain(value: Any) -> Any:
    # NumPy scalars and arrays: the figures that facts are made of.
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"got {type(value).__name__} {value!r:.60}")


def decode(content: bytes, folder: Path) -> Manifest:
    """Read run.json's bytes.

    Raises:
        StoreError: the bytes are not those of a manifest; names the folder and what is wrong.
    """
    try:
        plain = json.loads(content)
    except ValueError as error:  # not JSON, or not UTF-8
        raise _damaged(folder, f"not JSON ({error})") from error
    if not isinstance(plain, dict):
        raise _damaged(folder, f"expected a mapping, got {type(plain).__name__}")
    for key, expected in _SHAPE.items():
        if not isinstance(plain.get(key), expected):
            came = type(plain[key]).__name__ if key in plain else "nothing"
            raise _damaged(folder, f"expected {expected.__name__} under {key!r}, got {came}")
    if plain["status"] not in STATUSES:
        raise _damaged(folder, f"unknown status {plain['status']!r}; expected one of {', '.join(STATUSES)}")
    return plain  # type: ignore[return-value]  # checked just above


_SHAPE: dict[str, type] = {
    key: {"tags": list, "members": list, "facts": dict, "spec": dict, "double": bool}.get(key, str)
    for key in Manifest.__annotations__
}


def _damaged(folder: Path, what: str) -> StoreError:
    return StoreError(
        f"run {folder.name} is damaged: {FILE}: {what}. Delete the run, or read its tables with pandas.read_feather"
    )


def read_manifest(folder: Path) -> Manifest:
    """Read run.json of `folder`.

    Raises:
        StoreError: there is none, it cannot be read, or it is damaged.
    """
    try:
        with open(open_regular(folder / FILE, os.O_RDONLY), "rb") as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"no run in {folder}: expected a folder that holds {FILE}; see the list of runs") from error
    except OSError as error:
        raise StoreError(f"cannot read {folder / FILE}: {error.strerror}") from error
    return decode(content, folder)


@contextlib.contextmanager
def edit_manifest(folder: Path) -> Iterator[Manifest]:
    """Yield the manifest to be changed in place and write it back, one process at a time.

    Raises:
        StoreError: run.json is missing or damaged, or could not be written; the old one is then still whole.
    """
    with disk_errors(f"change {folder / FILE}"), folder_lock(folder):
        manifest = read_manifest(folder)
        yield manifest
        replace_file(folder / FILE, encode(manifest))


def true_status(folder: Path, manifest: Manifest) -> tuple[Manifest, Status]:
    """Return the manifest, read again if need be, and the status that holds: without a living writer nothing runs."""
    if manifest["status"] != "running" or is_locked(folder / LOCK):
        return manifest, manifest["status"]
    # It may have ended properly between the reading of run.json and the look at the lock.
    manifest = read_manifest(folder)
    return manifest, "interrupted" if manifest["status"] == "running" else manifest["status"]
