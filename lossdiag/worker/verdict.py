"""What to say of a run whose process did not live to say it."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass

from lossdiag.store import RunStore, Status

# Signals that a process brings upon itself: a fault of the run's, where the others are done to it.
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)


@dataclass(frozen=True, slots=True)
class Ending:
    """The status of a run and the sentence behind it."""

    status: Status
    detail: str


def ending_of(exit_status: int, asked: Status | None, grace: float) -> Ending | None:
    """Return how a run ended whose process left with `exit_status`, or None where it wrote that down itself.

    Args:
        exit_status: of the process; negative for the signal that killed it.
        asked: what it had been asked to end as, if it had.
        grace: seconds it was given to do so.
    """
    if exit_status == 0:
        return None
    if asked is not None and exit_status == -signal.SIGKILL:
        return Ending(
            asked, f"did not stop within {grace:g} s of being asked and was killed; what was recorded is kept"
        )
    if exit_status > 0:
        return Ending("failed", f"the worker ended with exit status {exit_status}; its worker.log says more")
    name = _signal_name(-exit_status)
    if -exit_status in _FAULTS:
        return Ending("failed", f"the worker crashed with {name}; its worker.log says where")
    why = " (out of memory?)" if -exit_status == signal.SIGKILL else ""
    return Ending("interrupted", f"the worker was killed by {name}{why}; what was recorded is kept")


def bury(store: RunStore, run_id: str, ending: Ending) -> None:
    """Write `ending` into a run whose process is gone, with a crash event behind its last recorded step.

    What was recorded is kept. A run that has ended by itself is left as it is.

    Raises:
        StoreError: the run is missing or damaged, or the disk refuses.
    """
    recording = store.open(run_id)
    if recording.status not in ("queued", "interrupted"):
        return
    with contextlib.closing(store.writer(run_id, resume=True)) as writer:
        steps = recording.table("steps", ["step"])["step"].to_numpy()
        last = int(steps.max()) if len(steps) else 0
        writer.event("crash", step=last, where="worker", detail=ending.detail)
        writer.finish(ending.status, ending.detail)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
