"""Dropout masks that are a function of seed and step alone, so that a member's company does not change its curve."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Keeps the masks' stream apart from the batch order's, which starts from the seed itself.
_STREAM = 2**32


class DropoutStream:
    """Masks for K members; those that share a seed share the draws, whatever their probability."""

    def __init__(self, seeds: Sequence[int], seed_of: Tensor, probability: Tensor, shape: tuple[int, int, int]) -> None:
        """Seed one generator per seed.

        Args:
            seeds: the distinct seeds.
            seed_of: position of each member's seed, [K].
            probability: share of units dropped, [K], on the device where the masks are wanted.
            shape: (depth, B, width).
        """
        self._generators = [torch.Generator().manual_seed(_STREAM + seed) for seed in seeds]
        self._seed_of, self._shape = seed_of, shape
        self._drop = probability.view(-1, 1, 1, 1)
        self._factor = 1.0 / (1.0 - self._drop)

    def draw(self) -> Tensor:
        """Return the next masks [K, depth, B, width]: 0, or 1 / (1 - p)."""
        # Always on the CPU, whose generator gives the same numbers on every machine.
        drawn = torch.stack([torch.rand(self._shape, generator=g) for g in self._generators])
        mine = drawn.to(self._drop.device).index_select(0, self._seed_of)
        return (mine >= self._drop) * self._factor

    def state(self) -> list[Tensor]:
        """Return the generators' states."""
        return [g.get_state() for g in self._generators]

    def load(self, state: Sequence[Tensor]) -> None:
        """Go back to a state that `state` gave."""
        for generator, saved in zip(self._generators, state, strict=True):
            generator.set_state(saved)
