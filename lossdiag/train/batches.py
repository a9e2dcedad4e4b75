"""Which rows a member sees at which step: a function of its seed alone, so that a plain loop can repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def batch_order(seed: int, n: int, batch_size: int) -> Iterator[Tensor]:
    """Yield the row indices [B] of every batch, without end.

    Each epoch is one ``torch.randperm(n)`` under a generator seeded once; what does not fill a batch is left out. With
    ``batch_size >= n`` every batch is all rows, in the order of the permutation.

    Args:
        seed: the member's seed.
        n: rows of the training set.
        batch_size: rows per batch.
    """
    for epoch in _epochs(seed, n, batch_size):
        yield from epoch


class BatchStream:
    """The batches of several seeds, drawn many at a time."""

    def __init__(self, seeds: Sequence[int], n: int, batch_size: int) -> None:
        self.size = min(batch_size, n)
        self._epochs = [_epochs(seed, n, batch_size) for seed in seeds]
        self._rest = [torch.empty(0, self.size, dtype=torch.int64) for _ in seeds]

    def draw(self, count: int) -> Tensor:
        """Return the next `count` batches of each seed, [count, seeds, B] of row indices."""
        return torch.stack([self._draw(i, count) for i in range(len(self._epochs))], dim=1)

    def _draw(self, i: int, count: int) -> Tensor:
        parts, have = [self._rest[i]], len(self._rest[i])
        while have < count:
            parts.append(next(self._epochs[i]))
            have += len(parts[-1])
        drawn = torch.cat(parts)
        self._rest[i] = drawn[count:].clone()
        return drawn[:count]


def _epochs(seed: int, n: int, batch_size: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = min(batch_size, n)
    while True:
        order = torch.randperm(n, generator=generator)
        yield order[: n // size * size].view(-1, size)
