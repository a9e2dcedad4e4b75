"""What a stack is worth on all rows: each member's loss and the shared yardsticks, on training and validation rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.registry import LossInfo, Task
from lossdiag.train.feed import Feed
from lossdiag.train.objective import Objective
from lossdiag.train.plan import LossGroup, measured_alike
from lossdiag.train.stack import Stack
from lossdiag.train.yardsticks import confusion, yardsticks

MakeObjective = Callable[[Sequence[LossGroup]], Objective]

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
class Evaluation:
    """All that was measured after `step` updates.

    Attributes:
        step: updates before it.
        scores: yardsticks on every split.
        confusion: [K, C, C] counts on the validation rows, by true class first; None where there are no classes.
    """

    step: int
    scores: list[Score]
    confusion: Tensor | None


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbours in the stack that are evaluated at once.

    Attributes:
        rows: where they lie in the stack.
        objective: their losses.
        cards: which of them, counted from the first, are measured alike, a card that they could share, and which of
            these give probabilities [k].
    """

    rows: slice
    objective: Objective
    cards: list[tuple[slice, LossInfo, Tensor]]


class Evaluator:
    """Evaluates one stack on the rows of each split."""

    def __init__(
        self,
        stack: Stack,
        objectives: MakeObjective,
        splits: Mapping[str, Feed],
        *,
        task: Task,
        target_std: Tensor,
        n_classes: int,
    ) -> None:
        """Fix the rows.

        Args:
            stack: the members.
            objectives: makes the objective of some of them.
            splits: rows by the name of their split; those of "val" are counted into confusion matrices.
            task: what the target is.
            target_std: [D], what a regression target was divided by.
            n_classes: C; 0 where there are none or where matrices would take too much room.
        """
        self._classes = n_classes
        self._stack, self._splits, self._task, self._std = stack, splits, task, target_std
        width = max(stack.net.model.width, stack.net.n_out)
        self._blocks = {
            name: _blocks(stack, objectives, _AT_ONCE // (len(feed.x) * width)) for name, feed in splits.items()
        }

    @torch.no_grad()
    def __call__(self, step: int) -> Evaluation:
        """Return every yardstick on every split; `step` is how many updates the members have had."""
        scores: list[Score] = []
        counts: list[Tensor] = []
        for split, feed in self._splits.items():
            parts: list[dict[str, Tensor]] = []
            for block in self._blocks[split]:
                output = self._stack.predict(feed.x, block.rows)
                parts.append(self._measure(block, feed, output))
                if split == "val" and self._classes:
                    counts.append(confusion(self._task, output, feed.y, self._classes))
            scores += [Score(step, split, name, torch.cat([p[name] for p in parts])) for name in parts[0]]
        return Evaluation(step, scores, torch.cat(counts) if counts else None)

    def _measure(self, block: _Block, feed: Feed, output: Tensor) -> dict[str, Tensor]:
        target = feed.y.expand(len(output), *feed.y.shape)
        alike = [
            yardsticks(self._task, card, output[rows], feed.y, target_std=self._std, probabilistic=probabilistic)
            for rows, card, probabilistic in block.cards
        ]
        values = alike[0] if len(alike) == 1 else {n: torch.cat([part[n] for part in alike]) for n in alike[0]}
        return {"loss": block.objective(output, target), **values}


def _blocks(stack: Stack, objectives: MakeObjective, at_once: int) -> list[_Block]:
    count, size = len(stack.plan.members), max(1, at_once)
    return [
        _Block(
            slice(start, start + size),
            objectives(stack.plan.groups_within(start, start + size)),
            _cards(stack, start, size),
        )
        for start in range(0, count, size)
    ]


def _cards(stack: Stack, start: int, size: int) -> list[tuple[slice, LossInfo, Tensor]]:
    infos = [m.loss.info for m in stack.plan.members[start : start + size]]
    found: list[tuple[slice, LossInfo, Tensor]] = []
    at = 0
    for _, run in itertools.groupby(infos, key=measured_alike):
        same = list(run)
        probabilistic = torch.tensor([card.probabilistic for card in same], device=stack.weights.device)
        found.append((slice(at, at + len(same)), same[0], probabilistic))
        at += len(same)
    return found
