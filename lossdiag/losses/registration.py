"""The decorator that puts a loss into the catalog, and the lookups that training and evaluation use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from lossdiag.errors import SpecError, TrainError
from lossdiag.registry import Expects, Link, LossInfo, Param, ParamValue, Task, did_you_mean

LossFn: TypeAlias = Callable[..., Tensor]
"""``fn(pred, target, *, **params) -> Tensor [..., B]``."""

F = TypeVar("F", bound=LossFn)

_FUNCTIONS: dict[str, LossFn] = {}
_CARDS: dict[str, LossInfo] = {}

_LINKS: Mapping[Link, Callable[[Tensor], Tensor]] = {
    "identity": lambda output: output,
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "softmax": functools.partial(torch.softmax, dim=-1),
}


def loss(
    *,
    title: str,
    family: str,
    tasks: tuple[Task, ...],
    expects: Expects,
    link: Link,
    formula: str,
    reference: str,
    oracle: str,
    traps: tuple[str, ...],
    probabilistic: bool = False,
    params: tuple[Param, ...] = (),
    reduction: str = "mean",
) -> Callable[[F], F]:
    """Register a loss under its function's name; the docstring becomes the card's summary.

    The arguments are the fields of `lossdiag.registry.LossInfo`.
    """

    def register(fn: F) -> F:
        name = fn.__name__
        if name in _FUNCTIONS:
            raise ValueError(f"loss {name!r} is registered twice")
        _FUNCTIONS[name] = fn
        _CARDS[name] = LossInfo(
            name=name,
            title=title,
            family=family,
            tasks=tasks,
            expects=expects,
            link=link,
            probabilistic=probabilistic,
            params=params,
            formula=formula,
            summary=" ".join((fn.__doc__ or "").split()),
            reference=reference,
            reduction=reduction,
            traps=traps,
            oracle=oracle,
        )
        return fn

    return register


def cards() -> tuple[LossInfo, ...]:
    """Return the card of every registered loss in the order of registration."""
    return tuple(_CARDS.values())


def get(name: str) -> LossFn:
    """Return the function of a loss; raise SpecError with the nearest name where there is none."""
    try:
        return _FUNCTIONS[name]
    except KeyError:
        raise SpecError(f"unknown loss {name!r}.{did_you_mean(name, _FUNCTIONS)} See: lossdiag losses") from None


def predict(name: str, output: Tensor) -> Tensor:
    """Turn a network's output [..., D] into a prediction in the target's own terms, by the loss's link."""
    get(name)
    return _LINKS[_CARDS[name].link](output)


def bind(
    name: str,
    params: Mapping[str, ParamValue],
    *,
    class_counts: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss as a function of prediction and target alone, its parameters as a spec gives them filled in.

    Args:
        name: a registered loss.
        params: values by parameter name; class weights as ``"none"``, ``"balanced"`` or one number per class.
        class_counts: training rows of each class; needed for class weights only.
        device: where class weights are put.
        dtype: type of class weights.

    Raises:
        SpecError: the loss or a parameter does not exist.
        TrainError: class weights that do not fit the classes.
    """
    fn, known = get(name), {p.name: p for p in _CARDS[name].params}
    values: dict[str, Any] = {}
    for key, value in params.items():
        if key not in known:
            raise SpecError(f"loss {name!r} has no parameter {key!r}.{did_you_mean(key, known)}")
        if known[key].kind != "class_weights":
            values[key] = value
            continue
        weights = class_weights(value, class_counts)
        values[key] = None if weights is None else torch.tensor(weights, device=device, dtype=dtype)
    return functools.partial(fn, **values)


def class_weights(value: ParamValue, class_counts: Sequence[int] | None) -> list[float] | None:
    """Return one weight per class, or None for ``"none"``.

    ``"balanced"`` is rows / (classes * rows of the class), as in scikit-learn; a class without rows counts as one row.

    Raises:
        TrainError: the number of weights is not that of the classes, or the classes are not known.
    """
    if value == "none":
        return None
    if class_counts is None or len(class_counts) == 0:
        raise TrainError("class weights need a target with classes; this one has none: set them to 'none'")
    if value == "balanced":
        total, classes = sum(class_counts), len(class_counts)
        return [total / (classes * max(count, 1)) for count in class_counts]
    weights = [float(w) for w in value] if isinstance(value, (tuple, list)) else []
    if len(weights) != len(class_counts):
        raise TrainError(f"got {len(weights)} class weights {value!r}, expected one for each of {len(class_counts)}")
    return weights
