"""Learning rates over the steps: torch.optim.lr_scheduler stepped after every update, worked out in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossdiag.spec import ScheduleSpec

Floats = NDArray[np.float64]

_WARMUP_START = 0.01  # LinearLR's start_factor
_ONE_CYCLE_START, _ONE_CYCLE_END = 25.0, 1e4  # OneCycleLR's div_factor and final_div_factor
_PLATEAU_THRESHOLD, _PLATEAU_EPS = 1e-4, 1e-8  # ReduceLROnPlateau's threshold (relative) and eps


def lr_table(spec: ScheduleSpec, base_lr: float, total_steps: int, start: int, count: int) -> Floats:
    """Return the learning rate of the steps start, start + 1, ... as [count].

    Step 0 is the first update. The plateau schedule is constant here: `Plateau` moves it as evaluations come in.

    Args:
        spec: the schedule.
        base_lr: the optimizer's learning rate; the peak of one_cycle.
        total_steps: length of the whole run, over which cosine and one_cycle are spread.
        start: first step wanted.
        count: how many steps.
    """
    return _SHAPES[spec.name](spec, base_lr, total_steps, np.arange(start, start + count, dtype=np.float64))


def _constant(spec: ScheduleSpec, base_lr: float, total_steps: int, step: Floats) -> Floats:
    """ConstantLR with factor 1."""
    return np.full(step.shape, base_lr)


def _step(spec: ScheduleSpec, base_lr: float, total_steps: int, step: Floats) -> Floats:
    """StepLR(every, gamma)."""
    return np.asarray(base_lr * spec.gamma ** np.floor(step / spec.every))


def _exponential(spec: ScheduleSpec, base_lr: float, total_steps: int, step: Floats) -> Floats:
    """ExponentialLR(gamma ** (1 / every))."""
    return np.asarray(base_lr * spec.gamma ** (step / spec.every))


def _cosine(spec: ScheduleSpec, base_lr: float, total_steps: int, step: Floats) -> Floats:
    """SequentialLR of LinearLR(0.01, total_iters=warmup) and CosineAnnealingLR(the rest, eta_min=floor * base_lr)."""
    last = spec.floor * base_lr
    share = (step - spec.warmup) / max(1, total_steps - spec.warmup)
    fall = last + (base_lr - last) * (1.0 + np.cos(np.pi * share)) / 2.0
    rise = base_lr * (_WARMUP_START + (1.0 - _WARMUP_START) * step / max(1, spec.warmup))
    return np.where(step < spec.warmup, rise, fall)


def _one_cycle(spec: ScheduleSpec, base_lr: float, total_steps: int, step: Floats) -> Floats:
    """OneCycleLR(max_lr=base_lr, total_steps, pct_start=peak_at), cosine in both phases."""
    first = base_lr / _ONE_CYCLE_START
    last = first / _ONE_CYCLE_END
    peak, end = spec.peak_at * total_steps - 1.0, total_steps - 1.0
    # A rise of no length starts at its peak; torch divides by zero there.
    rise = _anneal(first, base_lr, step / peak if peak > 0.0 else np.ones_like(step))
    fall = _anneal(base_lr, last, (step - peak) / (end - peak))
    return np.where(step <= peak, rise, fall)


def _anneal(start: float, end: float, share: Floats) -> Floats:
    return np.asarray(end + (start - end) / 2.0 * (1.0 + np.cos(np.pi * share)))


_SHAPES: Mapping[str, Callable[[ScheduleSpec, float, int, Floats], Floats]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "plateau": _constant,
}


class Plateau:
    """ReduceLROnPlateau(mode="min") for K members at once, fed with the validation loss of each evaluation."""

    def __init__(self, base_lr: Sequence[float] | Floats, gamma: ArrayLike, patience: ArrayLike) -> None:
        """Start every member at its own rate.

        Args:
            base_lr: learning rates, K of them.
            gamma: factor on the rate; one for all, or K of them.
            patience: evaluations without improvement that are borne; one for all, or K of them.
        """
        self._lr = np.array(base_lr, dtype=np.float64)
        self._gamma, self._patience = np.asarray(gamma, dtype=np.float64), np.asarray(patience)
        self._best = np.full(self._lr.shape, np.inf)
        self._waited = np.zeros(self._lr.shape, dtype=np.int64)

    @property
    def lr(self) -> Floats:
        """The learning rates now, [K]."""
        return self._lr.copy()

    def step(self, losses: ArrayLike) -> Floats:
        """Take in one evaluation's losses [K] and return the learning rates [K] from here on.

        A NaN is no improvement.
        """
        loss = np.asarray(losses, dtype=np.float64)
        better = loss < self._best * (1.0 - _PLATEAU_THRESHOLD)
        self._best = np.where(better, loss, self._best)
        self._waited = np.where(better, 0, self._waited + 1)
        tired = self._waited > self._patience
        lower = self._lr * self._gamma
        self._lr = np.where(tired & (self._lr - lower > _PLATEAU_EPS), lower, self._lr)
        self._waited[tired] = 0
        return self.lr

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what `load` needs to go on from here."""
        return {"lr": self._lr.copy(), "best": self._best.copy(), "waited": self._waited.copy()}

    def load(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go back to a state that `state` gave."""
        self._lr = np.array(state["lr"], dtype=np.float64)
        self._best = np.array(state["best"], dtype=np.float64)
        self._waited = np.array(state["waited"], dtype=np.int64)
