"""What a stack is worth on all rows: each member's loss and the shared yardsticks, on training and validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.train.feed import Feed
from lossdiag.train.objective import Objective
from lossdiag.train.stack import Stack

# Outputs and activations held at once, in elements.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """One yardstick of all members after `step` updates; the values [K] stay on the device until they are read."""

    step: int
    split: str
    metric: str
    values: Tensor


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbours in the stack that are evaluated at once."""

    rows: slice
    objective: Objective


class Evaluator:
    """Evaluates one stack on the rows of each split."""

    def __init__(self, stack: Stack, splits: Mapping[str, Feed]) -> None:
        self._stack, self._splits = stack, splits
        width = max(stack.net.model.width, stack.net.n_out)
        self._blocks = {name: _blocks(stack, _AT_ONCE // (len(feed.x) * width)) for name, feed in splits.items()}

    @torch.no_grad()
    def __call__(self, step: int) -> list[Score]:
        """Return every yardstick on every split; `step` is how many updates the members have had."""
        scores: list[Score] = []
        for split, feed in self._splits.items():
            parts = [self._measure(block, feed) for block in self._blocks[split]]
            scores += [Score(step, split, name, torch.cat([p[name] for p in parts])) for name in parts[0]]
        return scores

    def _measure(self, block: _Block, feed: Feed) -> dict[str, Tensor]:
        output = self._stack.predict(feed.x, block.rows)
        target = feed.y.expand(len(output), *feed.y.shape)
        return {"loss": block.objective(output, target)}


def _blocks(stack: Stack, at_once: int) -> list[_Block]:
    count, size = len(stack.plan.members), max(1, at_once)
    return [
        _Block(slice(start, start + size), stack.objective.part(start, start + size)) for start in range(0, count, size)
    ]
