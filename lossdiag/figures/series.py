"""Values over steps, before they are drawn: members in groups, alignment, thinning, values that are not finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossdiag.figures.decimate import decimate

Floats = NDArray[np.floating]
Steps = NDArray[np.integer]

_CHUNKS = 16


@dataclass(frozen=True, slots=True)
class Curve:
    """What one member did.

    Attributes:
        label: label of the member, such as "mse seed 3".
        steps: ascending steps ``[T]``.
        values: one value per step ``[T]``; may hold NaN and infinities.
    """

    label: str
    steps: Steps
    values: Floats


@dataclass(frozen=True, slots=True)
class Group:
    """Members drawn in one colour: the seeds of a configuration, or one member alone.

    Attributes:
        label: what the legend calls it.
        curves: its members.
        look: index of its colour and dash (`style.line_style`), the same in every chart of a run.
    """

    label: str
    curves: tuple[Curve, ...]
    look: int = 0


def align(curves: Sequence[Curve]) -> tuple[Steps, NDArray[np.float64]]:
    """Return all steps ``[T]`` and the curves' values on them ``[K, T]``, NaN where a curve has no such step."""
    longest = max((c.steps for c in curves), key=len)
    # Members of a run record the same steps and may only end early, so the union is nearly always the longest.
    prefixes = all(np.array_equal(c.steps, longest[: len(c.steps)]) for c in curves)
    steps = longest if prefixes else np.unique(np.concatenate([c.steps for c in curves]))
    values = np.full((len(curves), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[slice(len(curve.steps)) if prefixes else np.searchsorted(steps, curve.steps)] = curve.values
    return steps, values


def thin(steps: Steps, values: Floats, points: int, x_range: tuple[float, float] | None = None) -> NDArray[np.intp]:
    """Return the positions to draw, at most about `points`, so that no spike is lost.

    Values are cut into chunks that are decimated each alone, and whose borders move only when the series has grown by
    a third or more: while it grows, closed chunks stay drawn as they were, and only the new end must be sent.

    Args:
        steps: ascending ``[T]``.
        values: ``[T]``, of which only the finite ones are looked at.
        points: the budget.
        x_range: the steps on show; outside it a quarter of the budget must do.
    """
    kept = np.flatnonzero(np.isfinite(values))
    if len(kept) <= points:
        return kept
    if x_range is None:
        return _thin_chunks(steps, values, kept, points)
    inside = (steps[kept] >= x_range[0]) & (steps[kept] <= x_range[1])
    near, far = _widened(inside), ~_widened(inside)
    parts = [_thin_chunks(steps, values, kept[near], points), _thin_chunks(steps, values, kept[far], points // 4)]
    return np.sort(np.concatenate(parts))


def _widened(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add one neighbour on each side, so that lines run on to the edge of the window."""
    wide = inside.copy()
    wide[1:] |= inside[:-1]
    wide[:-1] |= inside[1:]
    return wide


def _chunk_size(least: float) -> int:
    """Return the first of 1, 2, 3, 4, 6, 8, 12, 16 ... that is not below `least`."""
    power = 1 << max(0, int(np.ceil(np.log2(least))))
    return power * 3 // 4 if power >= 4 and power * 3 // 4 >= least else power


def _thin_chunks(steps: Steps, values: Floats, kept: NDArray[np.intp], points: int) -> NDArray[np.intp]:
    if len(kept) <= max(points, 2):
        return kept
    chunks = max(1, min(_CHUNKS, points // 8))
    size = _chunk_size(len(kept) / chunks)
    each = max(4, points // chunks)
    found = []
    for start in range(0, len(kept), size):
        own = kept[start : start + size]
        found.append(np.searchsorted(steps, decimate(steps[own], values[own], each).steps))
    return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class Oddity:
    """A stretch of consecutive values that are not finite, by its first and last step."""

    label: str
    kind: str
    first: int
    last: int
    count: int


def oddities(curve: Curve) -> list[Oddity]:
    """Return every stretch of NaN, +inf or -inf of a curve; a lone value is a stretch of one."""
    at = np.flatnonzero(~np.isfinite(curve.values))
    if at.size == 0:
        return []
    kind = np.where(np.isnan(curve.values[at]), 0, np.sign(np.nan_to_num(curve.values[at]))).astype(int)
    starts = np.flatnonzero(np.r_[True, (np.diff(at) > 1) | (np.diff(kind) != 0)])
    ends = np.r_[starts[1:] - 1, at.size - 1]
    names = {0: "NaN", 1: "+inf", -1: "-inf"}
    return [
        Oddity(curve.label, names[kind[a]], int(curve.steps[at[a]]), int(curve.steps[at[b]]), int(b - a + 1))
        for a, b in zip(starts, ends, strict=True)
    ]
