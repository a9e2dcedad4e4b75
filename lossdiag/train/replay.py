"""Live through a chunk of steps again, exactly: what recovers a failed member's last good state."""

from __future__ import annotations

from collections.abc import Callable

from lossdiag.train.stack import Stack
from lossdiag.train.stack_run import StackRun, Window


def replay(run: StackRun, window: Window, stop: int, before: Callable[[int, Stack], None]) -> None:
    """Repeat the steps of `window` before step `stop`, bitwise as they were; the stack is then put back as it was.

    Args:
        run: the run that lived through the window.
        window: where to start from, with which batches and rates.
        stop: the last step that is looked at; it is not taken.
        before: called before every step, and before `stop`, with the step and the stack in that state.
    """
    now = run.stack.snapshot()
    scratch = run.scratch()
    try:
        run.stack.restore(window.snapshot)
        for step, batches, lr in run.play(window):
            before(step, run.stack)
            if step == stop:
                break
            run.stack.step(batches, lr, scratch)
    finally:
        run.stack.restore(now)
