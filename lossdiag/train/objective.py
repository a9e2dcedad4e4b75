"""The losses of a stack: each member's own, over its own rows, in as few calls as there are different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.losses import bind
from lossdiag.registry import Task, loss_cards
from lossdiag.train.merging import by_loss, merged
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
        # Tensor.split does the same by way of some Python.
        outputs, targets = output.split_with_sizes(self.sizes), target.split_with_sizes(self.sizes)
        values = [fn(o, t) for fn, o, t in zip(self.functions, outputs, targets, strict=True)]
        if all(v.ndim == 2 for v in values):
            return torch.cat(values).mean(-1)
        return torch.cat([_mean(v) for v in values])


def make_objective(
    groups: Sequence[LossGroup], class_counts: Sequence[int] | None, task: Task, outputs: int, like: Tensor
) -> Objective:
    """Bind the losses of neighbours in a stack to their parameters.

    Args:
        groups: who minimises what.
        class_counts: training rows of each class, from which class weights are worked out.
        task: what the target is.
        outputs: D.
        like: gives device and dtype.
    """
    sizes: list[int] = []
    functions: list[BoundLoss] = []
    for run in by_loss(groups):
        together = merged(run, task, outputs, like) if len(run) > 1 else None
        for part in [run] if together else [[g] for g in run]:
            sizes.append(part[-1].stop - part[0].start)
            loss = part[0].loss
            functions.append(
                together
                or bind(loss.name, loss.values, class_counts=class_counts, device=like.device, dtype=like.dtype)
            )
    return Objective(sizes, functions)


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
