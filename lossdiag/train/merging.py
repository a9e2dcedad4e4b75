"""One call for members whose losses are the same function with other numbers, where that function can take tensors.

Six losses are six calls, forward and backward; on small stacks that costs as much as the networks. A grid over a loss's
parameter is one function, and most of them are arithmetic that a tensor of parameters goes through as a number does.
Which do is what the function's annotations say: ``gamma: float | Tensor`` is a promise that any number of values,
spread over the members, gives what each gives alone, for every prediction. How they are to be spread is found by a
trial, which also catches a promise that does not hold; without it a trial would prove nothing of other predictions.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lossdiag.losses import LossFn, get
from lossdiag.registry import ParamValue, Task, loss_cards
from lossdiag.train.plan import LossGroup

_ROWS = 64


def merged(groups: Sequence[LossGroup], task: Task, outputs: int, like: Tensor) -> Callable[..., Tensor] | None:
    """Return one function for all `groups`, which are of one loss, or None where they need a call each.

    Args:
        groups: neighbours in the stack; parameters that are not plain numbers must be equal.
        task: what the target is.
        outputs: D.
        like: gives device and dtype.
    """
    name = groups[0].loss.name
    numbers = {p.name for p in loss_cards()[name].params if p.kind == "float"}
    values = [g.loss.values for g in groups]
    varied = {key for key in values[0] if any(v[key] != values[0][key] for v in values)}
    weighted = {p.name for p in loss_cards()[name].params if p.kind == "class_weights"}
    if not varied <= numbers & _spreadable(get(name)) or any(values[0][key] != "none" for key in weighted):
        return None
    fixed: dict[str, ParamValue | None] = {
        key: None if key in weighted else value for key, value in values[0].items() if key not in varied
    }
    # One value per row of the stack, to be spread over [K, B, D], or over [K, B] where classes are gone already.
    for axes in (2, 1):
        function = functools.partial(get(name), **fixed, **_spread(groups, varied, axes, like))
        if _agrees(functools.partial(get(name), **fixed), groups, varied, axes, task, outputs):
            return function
    return None


def _spreadable(fn: LossFn) -> set[str]:
    """Return the parameters that may be tensors, as the function's annotations say."""
    return {name for name, kind in typing.get_type_hints(fn).items() if Tensor in typing.get_args(kind)}


def _spread(groups: Sequence[LossGroup], varied: set[str], axes: int, like: Tensor) -> dict[str, Tensor]:
    rows = [(g, g.stop - g.start) for g in groups]
    return {
        key: like.new_tensor([g.loss.values[key] for g, n in rows for _ in range(n)]).view(-1, *[1] * axes)
        for key in varied
    }


def _agrees(fn: LossFn, groups: Sequence[LossGroup], varied: set[str], axes: int, task: Task, outputs: int) -> bool:
    """Return whether values and gradients are those of separate calls, on outputs small and large, in float64."""
    sizes = [g.stop - g.start for g in groups]
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(sum(sizes), _ROWS, outputs, dtype=torch.float64, generator=generator)
    output *= torch.logspace(-3, 2, _ROWS, dtype=torch.float64).view(-1, 1)
    output.requires_grad_()
    target = _targets(task, output, generator)
    try:
        together = fn(output, target, **_spread(groups, varied, axes, output.detach()))
    except (TypeError, ValueError, RuntimeError):
        return False  # it asks for a plain number, as torch's own functions often do
    apart = torch.cat(
        [
            fn(o, t, **{key: g.loss.values[key] for key in varied})
            for g, o, t in zip(groups, torch.split(output, sizes), torch.split(target, sizes), strict=True)
        ]
    )
    return together.shape == apart.shape and all(
        torch.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)
        for a, b in ((together, apart), (_slope(together, output), _slope(apart, output)))
    )


def _slope(values: Tensor, output: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(values.sum(), output, retain_graph=True)
    return slope


def _targets(task: Task, output: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(output.shape, dtype=output.dtype, generator=generator)
    match task:
        case "multiclass":
            return (drawn[..., 0] * output.shape[-1]).long()
        case "binary" | "multilabel":
            return (drawn > 0.5).to(output.dtype)
        case "count":
            return (drawn * 10).floor()
        case "regression":
            return 10 * drawn - 5


def by_loss(groups: Sequence[LossGroup]) -> list[list[LossGroup]]:
    """Return runs of neighbours that are of one loss."""
    runs: list[list[LossGroup]] = []
    for group in groups:
        if runs and runs[-1][-1].loss.name == group.loss.name:
            runs[-1].append(group)
        else:
            runs.append([group])
    return runs
