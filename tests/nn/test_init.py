"""Initial weights: distributions, gains and biases."""

from typing import get_args

import pytest
import torch
from torch import nn

from lossdiag.nn import build_module
from lossdiag.spec import ModelSpec
from lossdiag.spec.parts import Init


def first_linear(init: str, gain: float = 1.0) -> nn.Linear:
    torch.manual_seed(0)
    return build_module(ModelSpec(init=init, gain=gain, width=200), 300, 1).hidden[0].linear


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("torch", 1 / (3 * 300) ** 0.5),
        ("xavier_uniform", (2 / 500) ** 0.5),
        ("xavier_normal", (2 / 500) ** 0.5),
        ("kaiming_uniform", (2 / 300) ** 0.5),
        ("kaiming_normal", (2 / 300) ** 0.5),
        ("orthogonal", 1 / 300**0.5),
        ("normal", 1.0),
    ],
)
def test_spread_of_the_weights(init: str, std: float) -> None:
    assert first_linear(init).weight.std().item() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("init", get_args(Init))
def test_gain_scales_the_weights_only(init: str) -> None:
    one, three = first_linear(init), first_linear(init, 3.0)
    torch.testing.assert_close(three.weight, 3 * one.weight)
    assert torch.equal(one.bias, three.bias)


@pytest.mark.parametrize("init", [i for i in get_args(Init) if i != "torch"])
def test_biases_are_zero_but_for_torch(init: str) -> None:
    assert not first_linear(init).bias.any()


def test_torch_is_what_a_linear_layer_draws_itself() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(300, 200)
    assert torch.equal(first_linear("torch").weight, plain.weight)
    assert torch.equal(first_linear("torch").bias, plain.bias)


def test_orthogonal_rows_are_orthonormal() -> None:
    weight = first_linear("orthogonal").weight.double()
    torch.testing.assert_close(weight @ weight.T, torch.eye(200, dtype=torch.float64), atol=1e-5, rtol=0)


def test_constant_is_the_gain() -> None:
    assert (first_linear("constant", 0.25).weight == 0.25).all()
