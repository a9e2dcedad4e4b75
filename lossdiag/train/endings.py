"""Which members of a stack have ended, where, and in which state: the last good one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lossdiag.nn import NormBuffers
from lossdiag.train.outcome import MemberEnd
from lossdiag.train.replay import replay
from lossdiag.train.ring import GRADIENT, WEIGHT
from lossdiag.train.stack import Snapshot, Stack
from lossdiag.train.stack_run import Chunk, StackRun, Window

NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Ending:
    """How a member ended.

    Attributes:
        step: updates that the kept parameters have had.
        reason: as in `outcome.MemberOutcome`.
        detail: a sentence.
        weights: [P].
        buffers: running statistics of that member, [1, width] each.
    """

    step: int
    reason: MemberEnd
    detail: str
    weights: Tensor
    buffers: NormBuffers


class Endings:
    """Keeps watch over the members of one stack.

    Attributes:
        limit: [K], a member has rows for steps below it only.
        seen: [K], a member has evaluations for steps below it only: who stops is evaluated in the state it is left in.
        ended: by position in the stack.
    """

    def __init__(self, run: StackRun) -> None:
        self._run, self._stack = run, run.stack
        count = len(run.stack.plan.members)
        self.limit = np.full(count, NEVER, dtype=np.int64)
        self.seen = self.limit.copy()
        self.ended: dict[int, Ending] = {}
        # Where each member was last seen well: the windows are kept only as long as somebody needs them.
        self._good_window: list[Window | None] = [None] * count
        self._good_step = np.full(count, -1, dtype=np.int64)

    @property
    def all_ended(self) -> bool:
        """Whether nobody is left in training."""
        return len(self.ended) == len(self.limit)

    def alive(self) -> NDArray[np.bool_]:
        """Return who is still in training, [K]."""
        return np.equal(self.limit, NEVER)

    def judge(self, chunk: Chunk) -> None:
        """End the members whose loss was not finite in `chunk`, each at its last good state."""
        loss, norms = chunk.figures.loss, chunk.figures.norms
        start = chunk.window.start
        broken = ~np.isfinite(loss)
        good = ~broken & np.isfinite(norms[:, :, [WEIGHT, GRADIENT]]).all(axis=(1, 2))
        failed = broken.any(axis=0) & self.alive()
        first = broken.argmax(axis=0)
        steps = np.arange(len(loss))[:, None]
        # After its failure a member may compute anything; only what came before counts.
        good &= ~failed | (steps < first)
        last = np.where(good.any(axis=0), len(loss) - 1 - good[::-1].argmax(axis=0), -1)
        for k in np.flatnonzero((last >= 0) & self.alive()):
            self._good_window[k], self._good_step[k] = chunk.window, start + last[k]
        self._fail(np.flatnonzero(failed), start + first)

    def stop(self, k: int, step: int, reason: MemberEnd, detail: str, state: Snapshot | None = None) -> None:
        """End member k after `step` updates, in the state that it has in `state` (by default: now)."""
        weights = self._stack.weights if state is None else state.weights
        buffers = self._stack.buffers if state is None else state.buffers
        self.limit[k], self.seen[k] = step, step + 1
        self._good_window[k] = None
        self.ended[k] = Ending(step, reason, detail, weights[k].clone(), member_buffers(buffers, k))

    def stop_all(self, step: int, reason: MemberEnd, detail: str) -> None:
        """End everybody who is left, as they are now."""
        for k in np.flatnonzero(self.alive()):
            self.stop(int(k), step, reason, detail)

    def _fail(self, members: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        by_window: dict[int, list[int]] = {}
        for k in map(int, members):
            self.limit[k] = self.seen[k] = at[k] + 1
            by_window.setdefault(id(self._good_window[k]), []).append(k)
        for group in by_window.values():
            window = self._good_window[group[0]]
            if window is None:
                self._keep_start(group, at)
            else:
                self._recover(window, group, at)
        for k in map(int, members):
            self._good_window[k] = None

    def _keep_start(self, group: list[int], at: NDArray[np.int64]) -> None:
        """Keep the initial parameters of members that never had a good step."""
        plan = self._stack.plan
        initial = self._stack.net.initial([(plan.specs[k].model, plan.members[k].seed) for k in group])
        buffers = self._stack.net.buffers(len(group), initial.device, initial.dtype)
        for i, k in enumerate(group):
            weights = initial[i].to(self._stack.weights)
            self.ended[k] = Ending(0, "nonfinite", _sentence(at[k], None), weights, member_buffers(buffers, i))

    def _recover(self, window: Window, group: list[int], at: NDArray[np.int64]) -> None:
        wanted: dict[int, list[int]] = {}
        for k in group:
            wanted.setdefault(int(self._good_step[k]), []).append(k)

        def keep(step: int, stack: Stack) -> None:
            for k in wanted.get(step, ()):
                buffers = member_buffers(stack.buffers, k)
                detail = _sentence(at[k], step)
                self.ended[k] = Ending(step, "nonfinite", detail, stack.weights[k].clone(), buffers)

        replay(self._run, window, max(wanted), before=keep)


def member_buffers(buffers: NormBuffers, k: int) -> NormBuffers:
    """Return a copy of member k's running statistics."""
    return NormBuffers(
        tuple(m[k : k + 1].clone() for m in buffers.mean), tuple(v[k : k + 1].clone() for v in buffers.var)
    )


def _sentence(step: int, good: int | None) -> str:
    if good is None:
        return (
            f"the loss was not finite at step {step}; no step was free of non-finite values, so it is kept as it began"
        )
    return f"the loss was not finite at step {step}; kept as it was before step {good}, the last good one"
