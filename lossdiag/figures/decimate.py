"""Curves of a million steps as a few thousand points, without losing what matters, and what is computed before that.

Evenly thinned curves lose one-step spikes; curves thinned by Largest-Triangle-Three-Buckets lose NaN and infinity.
Here every bucket keeps its minimum and maximum, as an oscilloscope does, and the robust spikes and the edges of every
stretch of non-finite values are added. What was dropped is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Steps: TypeAlias = npt.NDArray[np.integer[Any]]
Values: TypeAlias = npt.NDArray[np.floating[Any]]
Indices: TypeAlias = npt.NDArray[np.intp]

CHART_BYTES = 300_000
"""What one chart may send to the browser."""

# A spike stands this many times the median absolute change of its block away from the median of its neighbourhood.
# For Gaussian noise that is 11 standard deviations: noise alone has none.
_SPIKE = 12.0
_BLOCK = 256
_REACH = 3


@dataclass(frozen=True, slots=True)
class Decimated:
    """The points of a curve that are worth drawing.

    Attributes:
        steps: their steps, ascending.
        values: their values, the input's dtype; the edges of non-finite stretches are among them and break the line.
        kept: what was kept of what, for a caption.
        nonfinite_steps: the step of *every* value that is not finite.
        nonfinite_kinds: ``nan``, ``inf`` or ``-inf`` for each of those.
        gap_first: first step of each unbroken stretch of one kind of non-finite value: one marker each.
        gap_last: last step of each stretch.
        gap_kinds: its kind.
    """

    steps: Steps
    values: Values
    kept: str
    nonfinite_steps: Steps
    nonfinite_kinds: npt.NDArray[np.str_]
    gap_first: Steps
    gap_last: Steps
    gap_kinds: npt.NDArray[np.str_]


def decimate(
    steps: Steps, values: Values, n_out: int = 2000, *, window: tuple[float, float] | None = None
) -> Decimated:
    """Thin a curve to about `n_out` points; one that has no more is returned whole.

    Kept are both ends, the minimum and maximum of each of ``n_out // 2`` buckets of finite values, the spikes (of more
    than ``n_out // 2``, or 16, the strongest, and `kept` says so) and the edges of each non-finite stretch with their
    neighbours.

    Args:
        steps: `[N]`, ascending.
        values: `[N]`.
        n_out: number of points to aim at, at least 4.
        window: first and last step that are in view; the nearest point on either side is kept too, so that the line
            leaves the picture. Everything when None.

    Raises:
        ValueError: the shapes differ or `n_out` is below 4.
    """
    if steps.shape != values.shape or steps.ndim != 1 or n_out < 4:
        raise ValueError(f"expected two [N] arrays and n_out >= 4, got {steps.shape}, {values.shape} and {n_out}")
    if window is not None:
        first = max(int(np.searchsorted(steps, window[0], "left")) - 1, 0)
        last = int(np.searchsorted(steps, window[1], "right")) + 1
        steps, values = steps[first:last], values[first:last]
    finite = np.isfinite(values)
    lost = np.flatnonzero(~finite)
    kinds = _kinds(values[lost])
    starts, ends = _stretches(lost, kinds)
    if len(steps) <= n_out:
        kept, chosen = f"{len(steps):,} points, all kept", slice(None)
        return _decimated(steps, values, kept, chosen, lost, kinds, starts, ends)

    there = np.flatnonzero(finite) if len(lost) else None  # positions of the finite values; None: all of them
    curve = values if there is None else values[there]
    keep = np.zeros(len(steps), dtype=bool)
    keep[[0, -1]] = True
    peaks, n_spikes = _strongest_spikes(curve, max(n_out // 2, 16))
    inner = np.concatenate([_extremes(curve, n_out // 2), peaks])
    keep[inner if there is None else there[inner]] = True
    edges = _thinned(np.stack([lost[starts], lost[ends]], axis=1), n_out // 4).ravel()
    for shift in (-1, 0, 1):
        keep[np.clip(edges + shift, 0, len(steps) - 1)] = True
    caption = [f"{len(steps):,} -> {np.count_nonzero(keep):,} points"]
    caption += [f"{len(peaks):,}/{n_spikes:,} spikes"] * (n_spikes > 0)
    caption += [f"{len(lost):,}/{len(lost):,} non-finite"] * (len(lost) > 0)
    kept = ", ".join(caption) + (" kept" if len(caption) > 1 else "")
    return _decimated(steps, values, kept, keep, lost, kinds, starts, ends)


def _decimated(
    steps: Steps,
    values: Values,
    kept: str,
    keep: npt.NDArray[np.bool_] | slice,
    lost: Indices,
    kinds: npt.NDArray[np.str_],
    starts: Indices,
    ends: Indices,
) -> Decimated:
    return Decimated(
        steps=steps[keep],
        values=values[keep],
        kept=kept,
        nonfinite_steps=steps[lost],
        nonfinite_kinds=kinds,
        gap_first=steps[lost[starts]],
        gap_last=steps[lost[ends]],
        gap_kinds=kinds[starts],
    )


def points_each(curves: int) -> int:
    """Return how many points each of `curves` curves of one chart may have so that the chart stays in `CHART_BYTES`.

    A point is a float32 and an int32, 8 bytes, in base64 a third more. Spikes and gaps may add three quarters to
    `n_out`.
    """
    share = CHART_BYTES * 3 / 4 / 8 / 1.75 / max(curves, 1)
    return int(min(max(share, 8), 2000))


def spikes(values: Values) -> tuple[Indices, Values]:
    """Return the positions of one- to three-step spikes and how many times its threshold each stands out.

    A spike is a value further from the median of the 7 values around it than 12 times the median absolute change
    from value to value within its block of 256.

    Args:
        values: `[N]`, finite.
    """
    n = len(values)
    if n < 2 * _REACH + 1:
        return np.empty(0, np.intp), np.empty(0)
    curve = np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        change = np.abs(np.diff(curve))
    limit = _SPIKE * _block_medians(change, n)
    # A value can only be that far from a value 3 steps away if one of the changes in between is a third of it:
    # the medians are taken for those few only.
    pairs = np.maximum(change[:-1], change[1:])
    fours = np.maximum(pairs[:-2], pairs[2:])
    largest = np.pad(np.maximum(fours[:-2], pairs[4:]), _REACH, mode="edge")
    largest[:_REACH] = np.max(change[: 2 * _REACH])
    largest[-_REACH:] = np.max(change[-2 * _REACH :])
    candidates = np.flatnonzero(largest * _REACH > limit)
    around = np.clip(candidates[:, None] + np.arange(-_REACH, _REACH + 1), 0, n - 1)
    with np.errstate(over="ignore", divide="ignore"):
        distance = np.abs(curve[candidates] - np.sort(curve[around], axis=1)[:, _REACH])
        found = distance > limit[candidates]
        return candidates[found], distance[found] / limit[candidates[found]]


def _block_medians(change: Values, n: int) -> Values:
    """Return `[n]`: for each value the median change of its block; a last part-block counts to the block before."""
    blocks = max(len(change) // _BLOCK, 1)
    whole = change[: blocks * _BLOCK].reshape(blocks, -1)
    medians = np.median(whole, axis=1)
    return medians[np.minimum(np.arange(n) // _BLOCK, blocks - 1)]


def _strongest_spikes(curve: Values, most: int) -> tuple[Indices, int]:
    found, strength = spikes(curve)
    if len(found) > most:
        return found[np.argpartition(strength, -most)[-most:]], len(found)
    return found, len(found)


def _extremes(curve: Values, buckets: int) -> Indices:
    """Return the positions of both ends and of the extremes of each of at most `buckets` equal stretches."""
    if not len(curve):
        return np.empty(0, np.intp)
    size = -(-len(curve) // buckets)
    whole = len(curve) // size
    body = curve[: whole * size].reshape(whole, size)
    offsets = np.arange(whole) * size
    found = [body.argmin(axis=1) + offsets, body.argmax(axis=1) + offsets, [0, len(curve) - 1]]
    if rest := len(curve) - whole * size:
        tail = curve[-rest:]
        found.append([whole * size + tail.argmin(), whole * size + tail.argmax()])
    return np.concatenate(found)


def _kinds(values: Values) -> npt.NDArray[np.str_]:
    return np.where(np.isnan(values), "nan", np.where(values > 0, "inf", "-inf"))


def _stretches(lost: Indices, kinds: npt.NDArray[np.str_]) -> tuple[Indices, Indices]:
    """Return where in `lost` each unbroken stretch of one kind begins and ends."""
    if not len(lost):
        return lost, lost
    breaks = np.flatnonzero((np.diff(lost) > 1) | (kinds[1:] != kinds[:-1]))
    return np.append(0, breaks + 1), np.append(breaks, len(lost) - 1)


def _thinned(rows: Indices, most: int) -> Indices:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def smooth(values: Values, weight: float) -> npt.NDArray[np.float64]:
    """Return the debiased exponential moving average over the finite values; the others stay as they are.

    With the finite values x_1 ... x_t it is ``sum_i w^(t-i) x_i / sum_i w^(t-i)``: TensorBoard's smoothing. To be taken
    before decimation, which would otherwise weigh spikes too much.

    Args:
        values: `[N]`.
        weight: w, from 0 (no smoothing) to below 1.

    Raises:
        ValueError: the weight is out of range.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"expected a smoothing weight from 0 to below 1, got {weight}")
    smoothed = np.array(values, np.float64)
    finite = np.isfinite(smoothed)
    smoothed[finite] = pd.Series(smoothed[finite]).ewm(alpha=1 - weight, adjust=True).mean()
    return smoothed


@dataclass(frozen=True, slots=True)
class Band:
    """Several curves as one with a band; every array is `[N]`.

    Attributes:
        steps: the steps at which any curve has a value, ascending.
        mean: mean of the finite values; NaN where there is none.
        low: the least of them.
        high: the greatest of them.
        n: how many curves the figures are over: members that stopped or are not finite do not count.
    """

    steps: Steps
    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    n: npt.NDArray[np.int32]


def band(curves: Iterable[tuple[Steps, Values]]) -> Band:
    """Align curves by step and return their mean and range, step by step, over the finite values only.

    Args:
        curves: steps (`[N_i]`, ascending, each once) and values (`[N_i]`) of each.

    Raises:
        ValueError: there is no curve.
    """
    pairs = list(curves)
    if not pairs:
        raise ValueError("expected at least one curve")
    steps = max((s for s, _ in pairs), key=len)
    if not all(np.array_equal(s, steps[: len(s)]) for s, _ in pairs):
        steps = np.unique(np.concatenate([s for s, _ in pairs]))
    n = np.zeros(len(steps), np.int32)
    total = np.zeros(len(steps))
    low, high = np.full(len(steps), np.inf), np.full(len(steps), -np.inf)
    for own, values in pairs:
        finite = np.isfinite(values)
        place, good = np.searchsorted(steps, own[finite]), values[finite]
        n[place] += 1
        total[place] += good
        low[place] = np.minimum(low[place], good)
        high[place] = np.maximum(high[place], good)
    none = n == 0
    low[none] = high[none] = np.nan
    return Band(steps, np.divide(total, n, out=np.full(len(steps), np.nan), where=~none), low, high, n)
