"""The losses of a stack: each member's own, over its own rows, in as few calls as there are different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.losses import bind
from lossdiag.registry import Task, loss_cards
from lossdiag.train.plan import LossGroup

BoundLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """Per-member mean losses of a stack's outputs.

    Attributes:
        sizes: members per group, in the order of the stack's rows.
        functions: the loss of each group, parameters filled in.
    """

    sizes: list[int]
    functions: list[BoundLoss]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each member [K] from outputs [K, B, D] and targets [K, B, D] or [K, B]."""
        if len(self.functions) == 1:
            return _mean(self.functions[0](output, target))
        outputs, targets = torch.split(output, self.sizes), torch.split(target, self.sizes)
        values = [fn(o, t) for fn, o, t in zip(self.functions, outputs, targets, strict=True)]
        if all(v.ndim == 2 for v in values):
            return torch.cat(values).mean(-1)
        return torch.cat([_mean(v) for v in values])

    def part(self, start: int, stop: int) -> Objective:
        """Return the objective of the stack's rows from start to stop alone."""
        sizes: list[int] = []
        functions: list[BoundLoss] = []
        first = 0
        for size, function in zip(self.sizes, self.functions, strict=True):
            inside = min(stop, first + size) - max(start, first)
            first += size
            if inside > 0:
                sizes.append(inside)
                functions.append(function)
        return Objective(sizes, functions)


def make_objective(
    groups: Sequence[LossGroup], class_counts: Sequence[int] | None, device: torch.device, dtype: torch.dtype
) -> Objective:
    """Bind the losses of a stack to their parameters; class weights are worked out from the training rows' counts."""
    functions = [
        bind(g.loss.name, g.loss.values, class_counts=class_counts, device=device, dtype=dtype) for g in groups
    ]
    return Objective([g.stop - g.start for g in groups], functions)


def check_fit(name: str, task: Task) -> None:
    """Refuse a loss that is not meant for the task.

    Raises:
        TrainError: names the loss, the task and the losses that fit.
    """
    card = loss_cards()[name]
    if task not in card.tasks:
        fitting = ", ".join(other.name for other in loss_cards().values() if task in other.tasks)
        raise TrainError(
            f"loss {name!r} is for {' and '.join(card.tasks)} targets, but this target is {task}; use one of: {fitting}"
        )


def _mean(values: Tensor) -> Tensor:
    # A loss that couples the rows of a batch gives one value per member already.
    return values.mean(-1) if values.ndim == 2 else values
