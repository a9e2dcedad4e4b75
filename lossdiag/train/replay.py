"""Live through a chunk of steps again, exactly: what recovers a failed member's last good state."""

from __future__ import annotations

from collections.abc import Callable

from lossdiag.train.ring import RingRow
from lossdiag.train.stack import Stack
from lossdiag.train.stack_run import StackRun, Window

Before = Callable[[int, Stack], None]
After = Callable[[int, RingRow], None]


def replay(
    run: StackRun, window: Window, stop: int, *, before: Before | None = None, after: After | None = None
) -> None:
    """Repeat the steps of `window` before step `stop`, bitwise as they were; the stack is then put back as it was.

    Args:
        run: the run that lived through the window.
        window: where to start from, with which batches and rates.
        stop: the last step that is looked at; it is not taken.
        before: called before every step, and before `stop`, with the step and the stack in that state.
        after: called after every step with the step and its figures; their norms are worked out in float64.
    """
    now = run.stack.snapshot()
    row = run.scratch()
    try:
        run.stack.restore(window.snapshot)
        for step, batches, lr in run.play(window):
            if before is not None:
                before(step, run.stack)
            if step == stop:
                break
            run.stack.step(batches, lr, row)
            if after is not None:
                after(step, row)
    finally:
        run.stack.restore(now)
