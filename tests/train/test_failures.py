"""A loss that is not finite ends its member there, at its last good state, and disturbs nobody else."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lossdiag.data import load, prepare
from lossdiag.losses import bind
from lossdiag.nn import build_module
from lossdiag.spec import ExperimentSpec, patch
from lossdiag.train import batch_order, train

EXP = {"activation": "exp", "depth": 2, "width": 8}


def spec_of(**parts: Any) -> ExperimentSpec:
    parts["train"] = {"precision": "float64", "steps": 200} | parts.get("train", {})
    return ExperimentSpec.parse({"seeds": 3, "losses": ["bce_with_logits"], "optimizer": {"name": "sgd"}} | parts)


@pytest.mark.parametrize("lr", [0.5, 3.0, 100.0])
@pytest.mark.parametrize(
    ("source", "losses"),
    [
        ("sample:breast_cancer", ["bce_with_logits", "focal_binary", "hinge"]),
        ("sample:diabetes", ["mse", "huber"]),
        ("sample:iris", ["cross_entropy"]),
    ],
)
def test_a_member_fails_at_the_step_at_which_the_plain_loop_does(
    source: str, losses: list[str], lr: float, sink: Any, plain_run: Callable[..., Any]
) -> None:
    optimizer = {"name": "sgd", "lr": lr, "momentum": 0.9}
    spec = spec_of(data={"source": source}, losses=losses, model=EXP, optimizer=optimizer)
    outcome = train(spec, sink)
    for member in spec.members():
        plain, end = plain_run(spec, member), outcome.members[member.id]
        curve = sink.curve(member.id)
        assert len(curve) == len(plain.losses)
        assert (end.reason == "nonfinite") == (not math.isfinite(plain.losses[-1]))
        assert np.isfinite(curve[:-1]).all()
        assert np.isfinite(curve[-1]) == math.isfinite(plain.losses[-1])


def test_some_of_these_do_fail_and_say_so(sink: Any) -> None:
    spec = spec_of(model=EXP, optimizer={"name": "sgd", "lr": 3.0, "momentum": 0.9})
    outcome = train(spec, sink)
    failed = [m for m in outcome.members if m.reason == "nonfinite"]
    assert failed
    events = sink.frame("events").query("kind == 'nonfinite' and where == 'loss'").set_index("member").step
    for member in failed:
        assert events[member.member] == sink.frame("steps").query(f"member == {member.member}").step.max()
        assert "not finite at step" in member.detail


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("pace", [1e-9, 1e9])
def test_a_failed_member_is_kept_at_its_last_good_state(norm: str, pace: float, sink: Any) -> None:
    # One step per flush looks for that state in an older window, long chunks within the same one.
    spec = spec_of(
        model=EXP | {"norm": norm, "activation": "exp"}, optimizer={"name": "sgd", "lr": 30.0, "momentum": 0.9}
    )
    ticks = iter(range(10**9))
    data = prepare(load(spec.data), spec.data)
    outcome = train(spec, sink, clock=lambda: next(ticks) * pace)
    failed = [m for m in outcome.members if m.reason == "nonfinite"]
    assert failed
    for member in failed:
        step, state = _last_good(spec, spec.members()[member.member], data)
        assert member.step == step
        for name, value in state.items():
            if "num_batches" not in name:
                torch.testing.assert_close(member.state[name], value, rtol=1e-6, atol=1e-9)


def test_the_others_go_on_bitwise_undisturbed(sink: Any, new_sink: Callable[[], Any]) -> None:
    grid = {"optimizer.lr": [0.001, 1e5]}
    calm = spec_of(model=EXP, grid={"optimizer.lr": [0.001, 0.0011]})
    wild = spec_of(model=EXP, grid=grid)
    other = new_sink()
    assert {m.reason for m in train(calm, sink).members} == {"finished"}
    outcome = train(wild, other)
    assert [m.reason for m in outcome.members] == ["finished"] * 3 + ["nonfinite"] * 3
    for member in range(3):
        for column in ("loss", "grad_norm", "update_ratio"):
            assert np.array_equal(sink.curve(member, column), other.curve(member, column))
        for name, value in outcome.members[member].state.items():
            assert torch.isfinite(value).all(), name


def test_a_member_that_never_had_a_good_step_is_kept_as_it_began(sink: Any) -> None:
    model = EXP | {"init": "constant", "gain": 1e3}
    spec = spec_of(model=model, data={"source": "synthetic:moons"})
    outcome = train(spec, sink)
    assert {(m.reason, m.step) for m in outcome.members} == {("nonfinite", 0)}
    assert outcome.status == "stopped"
    assert (outcome.members[0].state["output.weight"] == 1e3).all()
    assert len(sink.frame("steps")) == 3
    assert "kept as it began" in outcome.members[0].detail


def test_a_gradient_that_is_not_finite_is_an_event_and_training_goes_on(
    sink: Any, plain_run: Callable[..., Any]
) -> None:
    # Where exp(exp(z)) overflows only in the backward pass, the loss is still a number.
    spec = ExperimentSpec.parse(
        {
            "data": {"source": "sample:diabetes"},
            "losses": ["mse"],
            "seeds": 20,
            "model": EXP,
            "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9},
            "train": {"precision": "float32", "steps": 200},
        }
    )
    train(spec, sink)
    steps = sink.frame("steps").set_index(["member", "step"])
    found = sink.frame("events").query("kind == 'nonfinite' and where == 'gradient'").to_dict("records")
    assert found
    for event in found:
        row = steps.loc[event["member"], event["step"]]
        assert np.isfinite(row.loss)
        assert not np.isfinite(row.grad_norm)
        assert event["layer"]
    for member in spec.members():
        plain = plain_run(spec, member)
        assert len(sink.curve(member.id)) == len(plain.losses)


def test_a_gradient_too_large_for_its_norm_to_be_a_float_is_not_called_infinite(
    sink: Any, plain_run: Callable[..., Any]
) -> None:
    # Squares of 1e22 overflow float32; the gradient's entries do not.
    spec = spec_of(model=EXP, optimizer={"lr": 0.3, "momentum": 0.9, "name": "sgd"}, seeds=20)
    spec = patch(spec, {"train.precision": "float32"})
    train(spec, sink)
    told = sink.frame("events").query("kind == 'nonfinite' and where == 'gradient'").set_index("member").step
    large = 0
    for member in spec.members():
        norms = np.array(plain_run(spec, member).gradient_norms)
        first = np.flatnonzero(~np.isfinite(norms).all(axis=1))
        plain = plain_run(spec, member)
        finite = np.isfinite(plain.losses)
        first = first[finite[first]] if len(first) else first
        assert (member.id in told.index) == bool(len(first))
        if len(first):
            assert told[member.id] == first[0]
        large += bool((norms[finite] > 2e19).any())
    assert large


def test_half_precision_skips_steps_that_overflow_and_says_so(sink: Any) -> None:
    # A loss scale of 65536 times targets in the hundreds overflows half precision at first.
    spec = spec_of(
        data={"source": "sample:diabetes", "standardize": False},
        losses=["mse"],
        optimizer={"name": "adam", "lr": 0.01},
        train={"precision": "fp16", "steps": 100},
    )
    outcome = train(spec, sink)
    assert {m.reason for m in outcome.members} == {"finished"}
    scales = sink.frame("events").query("kind == 'loss_scale'")
    assert len(scales)
    assert (scales.value < 65536).all()
    skipped = sink.frame("steps").query("grad_norm == inf or grad_norm != grad_norm")
    assert len(skipped)
    assert (skipped.update_ratio == 0).all()


def _last_good(spec: ExperimentSpec, member: Any, data: Any) -> tuple[int, dict[str, torch.Tensor]]:
    """Return the last step at whose start all was well, and the state then, by a plain loop that keeps every state."""
    spec = spec.member_spec(member)
    x, y = torch.tensor(data.x_train), torch.tensor(data.y_train)
    torch.manual_seed(member.seed)
    model = build_module(spec.model, data.n_features, data.n_outputs).double()
    o = spec.optimizer
    optimizer = torch.optim.SGD(model.parameters(), lr=o.lr, momentum=o.momentum)
    loss_fn = bind(member.loss.name, member.loss.values)
    good: tuple[int, dict[str, torch.Tensor]] = (0, {k: v.clone() for k, v in model.state_dict().items()})
    for step, rows in zip(range(spec.train.steps), batch_order(member.seed, len(x), 32), strict=False):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows]).mean()
        loss.backward()
        values = [loss, *model.parameters(), *(p.grad for p in model.parameters())]
        if not torch.isfinite(loss):
            break
        if all(torch.isfinite(v).all() for v in values):
            good = step, before
        optimizer.step()
    return good
