"""What is said of a run whose process is gone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore
from lossdiag.worker.verdict import Ending, bury, ending_of


@pytest.mark.parametrize(
    ("exit_status", "asked", "status", "says"),
    [
        (-signal.SIGKILL, None, "interrupted", "out of memory"),
        (-signal.SIGTERM, None, "interrupted", "SIGTERM"),
        (-signal.SIGSEGV, None, "failed", "SIGSEGV"),
        (-signal.SIGABRT, "cancelled", "failed", "SIGABRT"),
        (-signal.SIGKILL, "cancelled", "cancelled", "2 s"),
        (-signal.SIGKILL, "interrupted", "interrupted", "2 s"),
        (-40, None, "interrupted", "signal 40"),
        (3, None, "failed", "exit status 3"),
    ],
)
def test_the_exit_status_tells_how_a_run_ended(exit_status: int, asked: str, status: str, says: str) -> None:
    ending = ending_of(exit_status, asked, 2.0)  # type: ignore[arg-type]
    assert ending is not None
    assert ending.status == status
    assert says in ending.detail


def test_a_worker_that_left_in_order_needs_no_verdict() -> None:
    assert ending_of(0, None, 2.0) is None


def test_a_run_that_ended_by_itself_is_left_alone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run_id = store.create(ExperimentSpec())
    with store.writer(run_id) as writer:
        writer.finish("finished", "well")
    bury(store, run_id, Ending("failed", "no"))
    assert (store.open(run_id).status, store.open(run_id).detail) == ("finished", "well")


def test_a_run_that_never_began_is_buried_too(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run_id = store.create(ExperimentSpec())
    bury(store, run_id, Ending("interrupted", "gone"))
    recording = store.open(run_id)
    assert (recording.status, recording.detail) == ("interrupted", "gone")
    assert recording.events["kind"].tolist() == ["crash"]
