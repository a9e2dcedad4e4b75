"""What has been usual for a series lately: robust running statistics, however the series is cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW = 128
"""Steps that a baseline looks back on."""
STRIDE = 32
"""Steps that share one baseline: it is worked out at multiples of this."""
_HIGH = 3  # the high mark is the fourth largest of the window: up to three outliers do not move it


@dataclass(frozen=True, slots=True)
class Usual:
    """What was usual before each of F steps for each of K members; all [F, K], NaN while there is no telling.

    Attributes:
        median: of the window.
        spread: median absolute deviation times 1.4826, the standard deviation of a normal series.
        high: the window's fourth largest value.
        start: the median of the first `STRIDE` values; before those are in, the first value.
    """

    median: Floats
    spread: Floats
    high: Floats
    start: Floats


class Baseline:
    """Follows K series."""

    def __init__(self, members: int) -> None:
        self._past = np.empty((0, members))
        self._seen = 0
        self._first = np.full(members, np.nan)
        self._start: Floats | None = None

    def follow(self, values: Floats) -> Usual:
        """Take in the next values [F, K] and return what was usual before each of them."""
        series = np.concatenate([self._past, values])
        offset = self._seen - len(self._past)  # the step that series[0] belongs to
        steps = np.arange(self._seen, self._seen + len(values))
        start = self._start_levels(series, offset, steps)
        blocks = np.arange(steps[0] // STRIDE, steps[-1] // STRIDE + 1) * STRIDE
        figures = np.full((3, len(blocks), values.shape[1]), np.nan)
        for i, block in enumerate(blocks):
            window = series[max(0, block - WINDOW - offset) : block - offset]
            if block >= STRIDE:
                figures[:, i] = _figures(window)
        of_step = steps // STRIDE - blocks[0] // STRIDE
        self._seen += len(values)
        # A block may begin before the next chunk, and its window a whole window before that.
        self._past = series[-(WINDOW + STRIDE) :]
        median, spread, high = figures[:, of_step]
        return Usual(median, spread, high, start)

    def _start_levels(self, series: Floats, offset: int, steps: NDArray[np.int64]) -> Floats:
        if offset == 0 and self._seen == 0:
            self._first = series[0].copy()
        if self._start is None and offset == 0 and len(series) >= STRIDE:
            self._start = np.median(series[:STRIDE], axis=0)
        known = np.full_like(self._first, np.nan) if self._start is None else self._start
        return np.where((steps < STRIDE)[:, None], self._first, known)


def _figures(window: Floats) -> Floats:
    """Return median, spread and high mark [3, K] of a window [W, K]."""
    middle = len(window) // 2
    # Sorting rows of few numbers is several times faster than partitioning columns.
    ordered = np.sort(np.ascontiguousarray(window.T))
    median = ordered[:, middle]
    spread = np.sort(np.abs(ordered - median[:, None]))[:, middle]
    return np.stack([median, 1.4826 * spread, ordered[:, -1 - _HIGH]])
