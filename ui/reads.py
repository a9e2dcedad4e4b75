"""Everything that pages read or start, held once per server and shared by all sessions.

The cached functions are one-liners on purpose: Streamlit makes a new cache when such a function's body changes, and a
new cache of jobs would be a second supervisor.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from lossdiag.data import Dataset, Prepared, load, load_table, prepare, save_upload
from lossdiag.errors import DataError, JobError
from lossdiag.jobs import LocalJobs
from lossdiag.spec import DataSpec
from lossdiag.store import END_STATUSES, Recording, RunStore, read_run
from ui.follow import Followed

SAMPLE_ID = "sample"
"""Stands for the recorded sample run, which is no run of the store."""
_WARM_AFTER = 2.0
SAMPLE_RUN = Path(__file__).resolve().parents[1] / "sample_data" / "recorded_run"


def root() -> Path:
    """Return the folder of runs: ``LOSSDIAG_RUNS``, or ``runs`` in the working directory."""
    return Path(os.environ.get("LOSSDIAG_RUNS") or "runs").resolve()


def store() -> RunStore:
    """Return the runs."""
    return RunStore(root())


def jobs() -> LocalJobs:
    """Return what trains the runs of this server."""
    return _jobs(root())


def live(run_id: str) -> bool:
    """Return whether a run waits or trains, as those who train it know.

    Its folder alone would call it interrupted between the death of its worker and the note of what it died of.

    Raises:
        StoreError: there is no such run, or it is damaged.
    """
    return run_id != SAMPLE_ID and jobs().state(run_id).status not in END_STATUSES


def recording(run_id: str) -> Recording:
    """Open a run. One that has ended is read once and kept; one that grows holds all rows up to now.

    Raises:
        StoreError: there is no such run, or it is damaged.
    """
    if run_id == SAMPLE_ID:
        return sample_run()
    folder = store().path(run_id)
    if store().open(run_id).status in END_STATUSES:
        return _ended(folder, (folder / "run.json").stat().st_mtime_ns)
    followed = _followed(folder)
    followed.poll()
    return followed


def warm_soon() -> None:
    """Start what trains runs a little later, once per server: not while the browser still draws its first screen."""
    _warming(root())


def table(spec: DataSpec) -> pd.DataFrame:
    """Return the whole table behind `spec`, before a target is chosen; not to be changed.

    Raises:
        DataError: the source is missing, damaged, or a path on this machine, which a link could name.
    """
    _refuse_paths(spec)
    return _table(spec.model_copy(update={"target": (), "drop": (), "task": None}).model_dump_json(), store().uploads)


def dataset(spec: DataSpec) -> Dataset:
    """Return the data with its target and task; not to be changed. Raises as `table` does."""
    _refuse_paths(spec)
    return _dataset(spec.model_dump_json(), store().uploads)


def prepared(spec: DataSpec) -> Prepared:
    """Return the arrays that training would take; not to be changed. Raises as `table` does."""
    _refuse_paths(spec)
    return _prepared(spec.model_dump_json(), store().uploads)


def upload(file_id: str, filename: str, content: Callable[[], bytes]) -> str:
    """Keep a file given in the browser and return its source; the same widget value is checked once.

    Raises:
        DataError: the file cannot be used.
    """
    return _upload(file_id, filename, store().uploads, content)


def _refuse_paths(spec: DataSpec) -> None:
    if spec.source.startswith("file:"):
        raise DataError("file: sources are for the command line; give the file here instead, under Your file.")


@functools.cache
def sample_run() -> Recording:
    """Open the recorded run that the first screen shows.

    Raises:
        StoreError: it is missing from this copy of lossdiag, or damaged.
    """
    return read_run(SAMPLE_RUN)


@st.cache_resource(show_spinner=False)
def _jobs(folder: Path) -> LocalJobs:
    return LocalJobs(folder)


@st.cache_resource(show_spinner=False)
def _warming(folder: Path) -> threading.Timer:
    return _warm_later(_jobs(folder))


def _warm_later(work: LocalJobs) -> threading.Timer:
    def warm() -> None:
        with contextlib.suppress(JobError):  # closed meanwhile: then there is nothing to warm
            work.warm()

    timer = threading.Timer(_WARM_AFTER, warm)
    timer.daemon = True
    timer.start()
    return timer


@st.cache_resource(show_spinner=False, max_entries=6)
def _ended(folder: Path, changed: int) -> Recording:
    return read_run(folder)


@st.cache_resource(show_spinner=False, max_entries=16)
def _followed(folder: Path) -> Followed:
    return Followed(folder)


@st.cache_resource(show_spinner="Reading the data", max_entries=4)
def _table(spec: str, uploads: Path) -> pd.DataFrame:
    return load_table(DataSpec.model_validate_json(spec), uploads)


@st.cache_resource(show_spinner="Reading the data", max_entries=4)
def _dataset(spec: str, uploads: Path) -> Dataset:
    return load(DataSpec.model_validate_json(spec), uploads)


@st.cache_resource(show_spinner="Preparing the data", max_entries=4)
def _prepared(spec: str, uploads: Path) -> Prepared:
    return prepare(_dataset(spec, uploads), DataSpec.model_validate_json(spec))


@st.cache_resource(show_spinner="Checking the file", max_entries=16)
def _upload(file_id: str, filename: str, uploads: Path, _content: Callable[[], bytes]) -> str:
    return save_upload(_content(), filename, uploads)
