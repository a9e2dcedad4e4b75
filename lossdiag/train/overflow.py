"""Norms that are infinite only because their squares overflowed, worked out again."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from lossdiag.train.replay import replay
from lossdiag.train.ring import GRADIENT, WEIGHT, RingRow
from lossdiag.train.stack_run import Chunk, StackRun


class Recheck:
    """Replaces suspicious norms by exact ones: in float32 a gradient of 1e20 is a number, its norm is not.

    Norms in float64 at every step would cost a tenth of the step; living through the few chunks that need it again
    costs nothing on all others.
    """

    def __init__(self, run: StackRun) -> None:
        self._run = run
        # Members that truly had a gradient or parameter that was not finite: no need to look again.
        self._sure = np.zeros(len(run.stack.plan.members), dtype=bool)

    def __call__(self, chunk: Chunk, limit: NDArray[np.int64]) -> Chunk:
        """Return the chunk with exact norms wherever a member that is still in training had one that is not finite.

        Args:
            chunk: what the last steps left.
            limit: [K], members count for the steps before it only.
        """
        figures, start = chunk.figures, chunk.window.start
        finite = np.isfinite(figures.loss)
        # From its first loss that is not finite on, a member's figures say nothing.
        live = np.logical_and.accumulate(finite, axis=0) & (np.arange(len(finite))[:, None] + start < limit)
        odd = ~np.isfinite(figures.norms[:, :, [WEIGHT, GRADIENT]]).all(axis=(1, 2)) & live & ~self._sure
        if figures.norms.dtype == np.float64 or not odd.any():
            return chunk
        norms = figures.norms.astype(np.float64)

        def mend(step: int, row: RingRow) -> None:
            for k in np.flatnonzero(odd[step - start]):
                norms[step - start, :, :, k] = [layer[:, k].cpu().numpy() for layer in row.norms]

        replay(self._run, chunk.window, start + int(np.flatnonzero(odd.any(axis=1))[-1]) + 1, after=mend)
        self._sure |= (odd & ~np.isfinite(norms[:, :, [WEIGHT, GRADIENT]]).all(axis=(1, 2))).any(axis=0)
        return dataclasses.replace(chunk, figures=dataclasses.replace(figures, norms=norms))
