"""A grid over two raw features, encoded as training saw them, to draw what a model makes of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossdiag.data.encode import Matrix
from lossdiag.data.limits import bad
from lossdiag.data.prepared import Prepared


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Points of a plane.

    Attributes:
        names: the two raw features, across and up.
        across: [R] raw values of the first feature.
        up: [R] raw values of the second feature.
        x: float64 [R * R, F] encoded; row ``i * R + j`` is the point ``(across[j], up[i])``.
    """

    names: tuple[str, str]
    across: NDArray[np.float64]
    up: NDArray[np.float64]
    x: Matrix


def boundary_grid(
    prepared: Prepared, names: tuple[str, str] | None = None, *, resolution: int = 60, margin: float = 0.1
) -> Grid:
    """Return a grid over two number columns; every other feature stays at its mean or most frequent text.

    Args:
        prepared: the data that the model was trained on.
        names: two raw number columns; None takes the first two.
        resolution: R, points along each side.
        margin: how far beyond the training range to go, as a share of it.

    Raises:
        DataError: there are fewer than two number columns, or a name is not one of them.
    """
    ranges = prepared.encoder.ranges
    chosen = tuple(ranges)[:2] if names is None else names
    if len(chosen) != 2 or not set(chosen) <= set(ranges):
        raise bad(
            prepared.name,
            f"a boundary needs two number columns, got {', '.join(chosen) or 'none'}; there are {', '.join(ranges)}",
        )
    across, up = (_axis(*ranges[name], resolution, margin) for name in chosen)
    frame = prepared.encoder.typical(resolution**2)
    frame[chosen[0]] = np.tile(across, resolution)
    frame[chosen[1]] = np.repeat(up, resolution)
    return Grid((chosen[0], chosen[1]), across, up, prepared.encoder.encode(frame))


def _axis(low: float, high: float, resolution: int, margin: float) -> NDArray[np.float64]:
    beyond = margin * (high - low)
    return np.linspace(low - beyond, high + beyond, resolution)
