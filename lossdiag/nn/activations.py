"""Activation functions by name, and what it means for a unit to be saturated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossdiag.spec.parts import Activation

FUNCTIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "identity": lambda x: x,
        "relu": torch.relu,
        "leaky_relu": F.leaky_relu,
        "gelu": F.gelu,
        "silu": F.silu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softplus": F.softplus,
        "exp": torch.exp,
    }
)

# A unit is saturated where its slope is below this share of the steepest slope that the function has near zero.
FLAT = 0.01
_STEEPEST: Mapping[Activation, float] = MappingProxyType({"sigmoid": 0.25})


def activate(name: Activation) -> Callable[[Tensor], Tensor]:
    """Return the element-wise function called `name`."""
    return FUNCTIONS[name]


class Pointwise(nn.Module):
    """An activation as a module, so that a printed network reads like any other."""

    def __init__(self, name: Activation) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function element-wise."""
        return FUNCTIONS[self.name](x)

    def extra_repr(self) -> str:
        """Show which function it is."""
        return self.name


def saturated(name: Activation, before: Tensor) -> Tensor:
    """Return where units pass almost no gradient, as a boolean tensor of the shape of `before`.

    That is where the slope is below 1% of the steepest: relu below 0; sigmoid and tanh far out on either side (|tanh|
    above 0.995); gelu, silu, softplus and exp far below 0. Leaky relu (slope 0.01) and the identity never are.

    Args:
        name: the activation.
        before: its inputs, any shape.
    """
    with torch.enable_grad():
        leaf = before.detach().requires_grad_()
        after = FUNCTIONS[name](leaf)
        (slope,) = torch.autograd.grad(after, leaf, torch.ones_like(after))
    # float32 rounds leaky relu's slope to just below 0.01; the margin keeps it out.
    return slope.abs() < FLAT * _STEEPEST.get(name, 1.0) * (1 - 1e-6)
