"""The stack computes what the plain modules compute: outputs, gradients, running statistics, in float64."""

import itertools
from typing import get_args

import pytest
import torch
from torch import Tensor

from lossdiag.nn import MLP, StackedMLP, Tap, build_module
from lossdiag.spec import ModelSpec
from lossdiag.spec.parts import Activation, Init

SEEDS = (3, 1, 4)
N_IN, N_OUT, ROWS = 6, 2, 7


def modules(model: ModelSpec) -> list[MLP]:
    found = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        found.append(build_module(model, N_IN, N_OUT).double())
    return found


def stacked(model: ModelSpec) -> tuple[StackedMLP, Tensor]:
    net = StackedMLP(model, N_IN, N_OUT)
    return net, net.initial([(model, seed) for seed in SEEDS]).double()


def features(seed: int = 0) -> Tensor:
    return torch.randn(len(SEEDS), ROWS, N_IN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(model: ModelSpec) -> None:
    net, flat = stacked(model)
    flat.requires_grad_()
    buffers = net.buffers(len(SEEDS), torch.device("cpu"), torch.float64)
    plain = modules(model)
    for batch in range(2):  # the second one meets running statistics that have moved
        x = features(batch)
        output = net.forward(net.layout.views(flat), x, training=True, buffers=buffers)
        expected = torch.stack([m(rows) for m, rows in zip(plain, x, strict=True)])
        torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)
    (gradient,) = torch.autograd.grad(output.square().sum(), flat)
    expected.square().sum().backward()
    for k, module in enumerate(plain):
        for slot, parameter in zip(net.layout.slots, module.parameters(), strict=True):
            own = gradient[k, slot.start : slot.stop].view(slot.shape)
            theirs = parameter.grad.T if slot.weight else parameter.grad.view(1, -1)
            torch.testing.assert_close(own, theirs, rtol=1e-10, atol=1e-10)
        module.eval()
    with torch.no_grad():
        output = net.forward(net.layout.views(flat), x, buffers=buffers)
        expected = torch.stack([m(rows) for m, rows in zip(plain, x, strict=True)])
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("activation", "norm", "skip"),
    list(itertools.product(get_args(Activation), ("none", "batch", "layer"), (False, True))),
)
def test_outputs_and_gradients_equal_those_of_plain_modules(activation: str, norm: str, skip: bool) -> None:
    # Width 6 equals the number of features, so that even the first layer has a connection around it.
    assert_same(ModelSpec(activation=activation, norm=norm, skip=skip, depth=3, width=6))


@pytest.mark.parametrize("init", get_args(Init))
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_every_init_starts_as_the_plain_module_does(init: str, norm: str) -> None:
    assert_same(ModelSpec(init=init, gain=0.7, norm=norm, depth=2, width=5, activation="tanh"))


def test_depth_zero_is_a_linear_model() -> None:
    assert_same(ModelSpec(depth=0))
    assert [layer.name for layer in stacked(ModelSpec(depth=0))[0].layout.layers] == ["output"]


def test_layers_cover_all_parameters_in_order() -> None:
    layout = stacked(ModelSpec(norm="layer", depth=2))[0].layout
    assert [layer.name for layer in layout.layers] == ["hidden 1", "hidden 2", "output"]
    edges = [(layer.start, layer.stop) for layer in layout.layers]
    assert edges[0][0] == 0
    assert edges[-1][1] == layout.size
    assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))


def test_a_member_s_state_loads_into_the_plain_module() -> None:
    model = ModelSpec(norm="batch", depth=2, width=5)
    net, flat = stacked(model)
    buffers = net.buffers(len(SEEDS), torch.device("cpu"), torch.float64)
    x = features()
    net.forward(net.layout.views(flat), x, training=True, buffers=buffers)
    module = build_module(model, N_IN, N_OUT).double()
    own = type(buffers)(tuple(m[1:2] for m in buffers.mean), tuple(v[1:2] for v in buffers.var))
    module.load_state_dict(net.state(flat[1], own))
    expected = net.forward(net.layout.views(flat), x, buffers=buffers)[1]
    torch.testing.assert_close(module.eval()(x[1]), expected)


def test_members_may_differ_in_init_and_gain() -> None:
    zeros, normal = ModelSpec(init="zeros"), ModelSpec(init="normal", gain=0.01)
    net = StackedMLP(zeros, N_IN, N_OUT)
    flat = net.initial([(zeros, 0), (normal, 0), (normal, 0)])
    assert not flat[0].any()
    assert 0 < flat[1].std() < 0.02
    assert torch.equal(flat[1], flat[2])


def test_building_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    stacked(ModelSpec())
    assert torch.equal(torch.rand(3), expected)


def test_taps_show_what_each_activation_saw_and_gave() -> None:
    net, flat = stacked(ModelSpec(depth=2, activation="relu"))
    taps: list[Tap] = []
    net.forward(net.layout.views(flat), features(), taps=taps)
    assert len(taps) == 2
    assert all(torch.equal(tap.before.relu(), tap.after) for tap in taps)


def test_masks_multiply_what_an_activation_gives() -> None:
    model = ModelSpec(depth=1, width=4)
    net, flat = stacked(model)
    masks = torch.zeros(len(SEEDS), 1, ROWS, 4, dtype=torch.float64)
    output = net.forward(net.layout.views(flat), features(), masks=masks)
    bias = net.layout.views(flat)[-1]
    torch.testing.assert_close(output, bias.expand_as(output))
