"""Which axis shows curves best: linear or logarithmic, and how much of it, when a few values would flatten the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LOG_SPAN = 1e4  # a healthy decay from 1 to 1e-3 stays linear
_FLATTENED = 20.0  # times the height of the picture that is worth an edge
_TAIL = 0.1
_REACH = 3.0
_DECADES = 4.0
_MOST = 20_000  # values per curve that the quantiles look at
Floats = NDArray[np.floating]


def wants_log(curves: Sequence[Floats]) -> bool:
    """Return whether a log axis shows more: every finite value is positive and they span more than four decades.

    The smallest tenth of each curve's values does not count: some batches of a healthy run have hardly any loss,
    and a cosine schedule ends near 0, yet both are read on a linear axis; what grows or shrinks exponentially is not.

    Args:
        curves: values of each curve; those that are not finite do not count.
    """
    finite = _finite(curves)
    if not finite or min(float(values.min()) for values in finite) <= 0:
        return False
    low = min(float(np.quantile(_few(values), _TAIL)) for values in finite)
    high = max(float(values.max()) for values in finite)
    return high / _LOG_SPAN > low


def robust_range(
    curves: Sequence[Floats], *, log: bool = False, keep: Sequence[float] = ()
) -> tuple[float, float] | None:
    """Return the range of values to show when a few would flatten all others; None where everything fits.

    The core is where most values of most curves are: between the 10 % and 90 % quantiles of all values together, and
    of all but the most extreme quarter of the curves (of three or fewer curves none is left out, so a curve that is
    elsewhere as a whole still counts). Where every curve starts belongs to the core, so that a transient does not leave
    the picture. Values up to three core heights around it (four decades on a log axis) are shown; the others are cut
    only if the axis would otherwise be 20 times as high (on a log axis twice).

    Args:
        curves: values of each curve, in order of steps; those that are not finite do not count.
        log: whether the axis is logarithmic; only positive values count then.
        keep: values that have to be on the axis.
    """
    usable = _finite(curves)
    if log:
        usable = [np.log10(values[values > 0], dtype=np.float64) for values in usable if (values > 0).any()]
    if not usable:
        return None
    low, high = _core(usable, [np.log10(k) if log else k for k in keep])
    core = max(high - low, 0.05 * max(abs(low), abs(high)))
    if core == 0:
        return None  # nearly everything is 0: there is no scale to cut by
    least, most = min(float(v.min()) for v in usable), max(float(v.max()) for v in usable)
    too_high = 2.0 if log else _FLATTENED
    if most - least <= too_high * core:
        return None
    reach = core + _DECADES if log else _REACH * core
    # In float64, for the edges may be beyond what the values' own type holds.
    edges = np.array([low - reach, high + reach])
    inside = [values[(values >= edges[0]) & (values <= edges[1])] for values in usable]
    bottom = min(low, *(float(values.min()) for values in inside if values.size))
    top = max(high, *(float(values.max()) for values in inside if values.size))
    if most - least <= too_high * max(top - bottom, core):
        return None
    if bottom == top:
        bottom, top = bottom - core / 2, top + core / 2
    bottom, top = _rounded(bottom, top, least >= 0 and not log)
    return (10.0**bottom, 10.0**top) if log else (bottom, top)


def flat_range(curves: Sequence[Floats]) -> tuple[float, float] | None:
    """Return a range for values that are all the same, such as a constant learning rate; None for all others."""
    finite = _finite(curves)
    if not finite:
        return None
    value = float(finite[0][0])
    if any((values != value).any() for values in finite):
        return None
    if value == 0:
        return -0.1, 1.0
    return (0.0, 1.5 * value) if value > 0 else (1.5 * value, 0.0)


def _core(curves: Sequence[Floats], keep: Sequence[float]) -> tuple[float, float]:
    """Return where most values of most curves are, with every curve's start."""
    few = [_few(values) for values in curves]
    pooled = np.quantile(np.concatenate(few), [_TAIL, 1 - _TAIL])
    own = np.array([np.quantile(values, [_TAIL, 1 - _TAIL]) for values in few])
    low = max(pooled[0], np.quantile(own[:, 0], 0.25, method="lower"))
    high = min(pooled[1], np.quantile(own[:, 1], 0.75, method="higher"))
    low, high = min(low, high), max(low, high)  # where no value is in both
    starts = [float(values[0]) for values in curves]
    return float(min(low, *starts, *keep)), float(max(high, *starts, *keep))


def _finite(curves: Sequence[Floats]) -> list[Floats]:
    """Return the finite values of the curves that have any."""
    masks = [np.isfinite(values) for values in curves]
    return [v if mask.all() else v[mask] for v, mask in zip(curves, masks, strict=True) if mask.any()]


def _few(values: Floats) -> Floats:
    return values[:: -(-values.size // _MOST)]


def _rounded(bottom: float, top: float, from_zero: bool) -> tuple[float, float]:
    """Pad by a twentieth and round outwards, so that the edges move rarely while a run grows."""
    pad = 0.05 * (top - bottom)
    unit = 2.0 ** np.floor(np.log2(top - bottom + 2 * pad)) / 8
    low, high = np.floor((bottom - pad) / unit) * unit, np.ceil((top + pad) / unit) * unit
    return float(max(low, -unit / 4) if from_zero else low), float(high)
