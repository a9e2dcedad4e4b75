"""Which members share a stack."""

from typing import Any

import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.train import plan


def spec_of(**parts: Any) -> ExperimentSpec:
    return ExperimentSpec.parse({"seeds": 2, "losses": ["bce_with_logits", "hinge"]} | parts)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("optimizer.lr", [0.1, 0.2]),
        ("optimizer.beta1", [0.5, 0.9]),
        ("optimizer.eps", [1e-8, 1e-4]),
        ("optimizer.weight_decay", [0.0, 0.1]),
        ("clip.norm", [0.1, 1.0]),
        ("clip.value", [0.1, 1.0]),
        ("regularise.l1", [0.1, 0.2]),
        ("model.init", ["torch", "zeros", "orthogonal"]),
        ("model.gain", [0.5, 2.0]),
        ("model.dropout", [0.1, 0.5]),
        ("schedule.name", ["constant", "cosine", "step"]),
        ("schedule.gamma", [0.5, 0.1]),
    ],
)
def test_what_may_differ_within_a_stack(path: str, values: list[Any]) -> None:
    (stack,) = plan(spec_of(grid={path: values}))
    assert len(stack.members) == 4 * len(values)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("model.width", [4, 8]),
        ("model.depth", [1, 2]),
        ("model.activation", ["relu", "tanh"]),
        ("model.norm", ["none", "batch"]),
        ("model.skip", [False, True]),
        ("model.dropout", [0.0, 0.5]),
        ("train.batch_size", [16, 32]),
        ("train.accumulate", [1, 2]),
        ("train.precision", ["float32", "bf16"]),
        ("optimizer.name", ["sgd", "adam"]),
        ("schedule.name", ["constant", "plateau"]),
        ("regularise.l2", [0.0, 0.1]),
        ("clip.norm", [None, 1.0]),
        ("data.standardize", [True, False]),
    ],
)
def test_what_needs_a_stack_of_its_own(path: str, values: list[Any]) -> None:
    stacks = plan(spec_of(grid={path: values}))
    assert [len(s.members) for s in stacks] == [4, 4]


def test_every_member_is_in_one_stack_with_its_own_spec() -> None:
    spec = spec_of(grid={"model.width": [4, 8], "optimizer.lr": [0.1, 0.2], "losses.0.params.pos_weight": [1.0, 2.0]})
    stacks = plan(spec)
    assert sorted(m.id for s in stacks for m in s.members) == list(range(len(spec.members())))
    for stack in stacks:
        for member, own in zip(stack.members, stack.specs, strict=True):
            assert own == spec.member_spec(member)


def test_members_of_a_loss_lie_side_by_side_and_like_is_measured_with_like() -> None:
    losses = ["mse", "poisson_nll", "mae"]
    (stack,) = plan(spec_of(losses=losses, grid={"optimizer.lr": [0.1, 0.2]}))
    assert [(g.loss.name, g.start, g.stop) for g in stack.groups] == [
        ("mse", 0, 4),
        ("mae", 4, 8),
        ("poisson_nll", 8, 12),
    ]
    for group in stack.groups:
        assert all(m.loss.name == group.loss.name for m in stack.members[group.start : group.stop])


def test_groups_within_cuts_at_the_edges() -> None:
    (stack,) = plan(spec_of())
    assert [(g.loss.name, g.start, g.stop) for g in stack.groups_within(1, 3)] == [
        ("bce_with_logits", 1, 2),
        ("hinge", 2, 3),
    ]
