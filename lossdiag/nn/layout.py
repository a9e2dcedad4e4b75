"""Where each parameter of a member lies in its row of the flat [K, P] tensor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter: its columns in the flat tensor and its stacked shape.

    Attributes:
        name: its name in the plain module, such as ``hidden.0.linear.weight``.
        start: first column.
        stop: column after the last.
        shape: shape of one member's view: (in, out) for a linear weight, which torch.nn keeps transposed; (1, n) else.
        weight: whether it is a linear layer's weight, the parameters that penalties apply to.
    """

    name: str
    start: int
    stop: int
    shape: tuple[int, int]
    weight: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """A run of columns that is recorded as one layer: a linear map with its bias and normalisation."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All slots in the order of the columns, and the layers they form.

    Attributes:
        slots: the parameters.
        layers: ``hidden 1``, ``hidden 2``, ..., ``output``; they cover all columns.
        size: P, the number of parameters of one member.
    """

    slots: tuple[Slot, ...]
    layers: tuple[Layer, ...]
    size: int

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the views [K, *shape] of `flat` [K, P], slot by slot."""
        return [flat[:, s.start : s.stop].view(len(flat), *s.shape) for s in self.slots]

    def state(self, row: Tensor) -> dict[str, Tensor]:
        """Return one member's parameters [P] by name, shaped as the plain module has them."""
        return {s.name: _unstacked(s, row[s.start : s.stop]) for s in self.slots}


def layout_of(module: nn.Module) -> Layout:
    """Lay out the parameters of a plain module in the order of ``named_parameters``."""
    slots: list[Slot] = []
    layers: list[Layer] = []
    at = 0
    for name, parameter in module.named_parameters():
        start, at = at, at + parameter.numel()
        weight = parameter.ndim == 2
        shape = (parameter.shape[1], parameter.shape[0]) if weight else (1, parameter.shape[0])
        slots.append(Slot(name, start, at, shape, weight))
        layer = _layer_name(name)
        if layers and layers[-1].name == layer:
            start = layers.pop().start
        layers.append(Layer(layer, start, at))
    return Layout(tuple(slots), tuple(layers), at)


def flatten(module: nn.Module) -> Tensor:
    """Return a plain module's parameters as one row [P], linear weights transposed."""
    rows = [(p.detach().T if p.ndim == 2 else p.detach()).reshape(-1) for p in module.parameters()]
    return torch.cat(rows)


def _layer_name(parameter: str) -> str:
    part, index, *_ = parameter.split(".")
    return f"hidden {int(index) + 1}" if part == "hidden" else part


def _unstacked(slot: Slot, values: Tensor) -> Tensor:
    return values.view(slot.shape).T.contiguous() if slot.weight else values.clone()
