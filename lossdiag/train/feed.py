"""Training data on the device, and the batches of a chunk of steps cut from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

# Rows gathered at once, in elements: saves a call per step where batches are small, stays in cache where they are not.
_GATHER = 500_000


@dataclass(frozen=True, slots=True)
class Feed:
    """Features [N, n_in] and targets [N, D] or [N] of one split, on the device."""

    x: Tensor
    y: Tensor

    def batches(self, index: Tensor, seed_of: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield features [K, B, n_in] and targets [K, B, ...] for each of `count` batches.

        Args:
            index: rows of each seed's batches, [count, seeds, B].
            seed_of: position of each member's seed, [K].
        """
        count, _, rows = index.shape
        members = len(seed_of)
        block = max(1, _GATHER // (members * rows * self.x.shape[1]))
        for start in range(0, count, block):
            part = index[start : start + block].index_select(1, seed_of)
            flat = part.reshape(-1)
            shape = (len(part), members, rows)
            xs = self.x.index_select(0, flat).view(*shape, *self.x.shape[1:])
            ys = self.y.index_select(0, flat).view(*shape, *self.y.shape[1:])
            yield from zip(xs.unbind(0), ys.unbind(0), strict=True)
