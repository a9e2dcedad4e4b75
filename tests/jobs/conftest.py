"""Jobs with real processes, and ways to look at and kill these (Linux: /proc)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lossdiag.jobs import LocalJobs
from lossdiag.spec import ExperimentSpec

GRACE = 1.0
QUICK = ExperimentSpec.parse(
    {
        "data": {"source": "synthetic:linear", "n": 40},
        "model": {"depth": 0},
        "losses": "mse",
        "seeds": 1,
        "train": {"steps": 20},
    }
)
ENDLESS = QUICK.model_copy(
    update={"train": QUICK.train.model_copy(update={"steps": 10_000_000, "eval_every": 100_000})}
)


def wait_until(holds: Callable[[], object], what: str = "", seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def ended(jobs: LocalJobs, *run_ids: str) -> None:
    """Wait until the runs have ended and their workers are free again."""
    wait_until(lambda: all(jobs.state(r).status not in ("queued", "running") for r in run_ids), f"end of {run_ids}")
    wait_until(lambda: not set(run_ids) & set(jobs.running()), f"free workers after {run_ids}")


def processes(root: Path) -> dict[int, str]:
    """Return the command line of every living process that was told of `root`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(root) in command and "lossdiag.worker" in command and state != "Z":
                found[int(entry.name)] = command
    return found


def supervisor_of(root: Path) -> int:
    """Return the process that was started first: children are forked from it or executed by it."""
    pids = [pid for pid, command in processes(root).items() if " supervise " in command]
    return min(pids)


def trainer_of(folder: Path) -> int | None:
    """Return the process that holds the lock of a run."""
    try:
        inode = os.stat(folder / "run.lock").st_ino
    except FileNotFoundError:
        return None
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if "FLOCK" in words and "WRITE" in words and words[-3].endswith(f":{inode}"):
            return int(words[words.index("WRITE") + 1])
    return None


@pytest.fixture(scope="module", params=["fork", "spawn"])
def jobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalJobs]:
    with LocalJobs(tmp_path_factory.mktemp("runs"), workers=2, grace=GRACE, method=request.param) as jobs:
        jobs.warm()
        yield jobs


@pytest.fixture(autouse=True)
def _leave_no_run(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "jobs" in request.fixturenames:
        jobs = request.getfixturevalue("jobs")
        for run_id in jobs.running():
            jobs.cancel(run_id)
        wait_until(lambda: not jobs.running(), "end of what a failed test left")
