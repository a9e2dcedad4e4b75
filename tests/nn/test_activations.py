"""Saturation, against the textbook derivatives."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from lossdiag.nn import activate, build_module, saturated
from lossdiag.spec import ModelSpec
from lossdiag.spec.parts import Activation

X = torch.linspace(-12, 12, 2401, dtype=torch.float64)


def slope(name: str, x: Tensor) -> Tensor:
    sigmoid, normal = torch.sigmoid(x), torch.distributions.Normal(0.0, 1.0)
    return {
        "identity": torch.ones_like(x),
        "relu": (x > 0).double(),
        "leaky_relu": torch.where(x > 0, 1.0, 0.01).to(x.dtype),
        "gelu": normal.cdf(x) + x * normal.log_prob(x).exp(),
        "silu": sigmoid * (1 + x * (1 - sigmoid)),
        "tanh": 1 - x.tanh().square(),
        "sigmoid": 4 * sigmoid * (1 - sigmoid),  # relative to its steepest
        "softplus": sigmoid,
        "exp": x.exp(),
    }[name]


@pytest.mark.parametrize("name", get_args(Activation))
def test_saturated_where_the_slope_is_below_a_hundredth(name: str) -> None:
    clear = (slope(name, X).abs() - 0.01).abs() > 1e-6
    assert torch.equal(saturated(name, X)[clear], (slope(name, X).abs() < 0.01)[clear])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leaky_relu_and_identity_never_saturate(dtype: torch.dtype) -> None:
    assert not saturated("leaky_relu", X.to(dtype)).any()
    assert not saturated("identity", X.to(dtype)).any()


def test_saturated_needs_no_gradient_from_its_caller() -> None:
    with torch.no_grad():
        assert saturated("relu", torch.tensor([-1.0, 1.0])).tolist() == [True, False]


def test_modules_print_their_activation() -> None:
    assert "Pointwise(gelu)" in repr(build_module(ModelSpec(activation="gelu"), 2, 1))
    assert activate("exp")(torch.zeros(1)).item() == 1.0
