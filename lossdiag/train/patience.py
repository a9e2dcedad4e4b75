"""Stopping a member whose validation loss no longer falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Patience:
    """Counts, for K members, the evaluations since the last better validation loss."""

    def __init__(self, patience: int, members: int) -> None:
        self._patience = patience
        self._best = np.full(members, np.inf)
        self._waited = np.zeros(members, dtype=np.int64)

    def tired(self, losses: ArrayLike) -> NDArray[np.bool_]:
        """Take in one evaluation's losses [K]; return who has waited long enough. A NaN is no improvement."""
        loss = np.asarray(losses, dtype=np.float64)
        better = loss < self._best
        self._best = np.where(better, loss, self._best)
        self._waited = np.where(better, 0, self._waited + 1)
        return self._waited >= self._patience
