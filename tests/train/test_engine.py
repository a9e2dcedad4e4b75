"""Every member of a run is the plain PyTorch loop of the same seed, to 1e-10 in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lossdiag.data import load, prepare
from lossdiag.errors import TrainError
from lossdiag.nn import build_module
from lossdiag.spec import ExperimentSpec
from lossdiag.train import train

DOUBLE = {"precision": "float64", "steps": 50}


def spec_of(**parts: Any) -> ExperimentSpec:
    parts["train"] = DOUBLE | parts.get("train", {})
    return ExperimentSpec.parse({"seeds": 2, "losses": ["bce_with_logits", "hinge"]} | parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"optimizer": {"name": "sgd", "lr": 0.1}},
        {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}},
        {"optimizer": {"name": "adam", "weight_decay": 0.01, "beta1": 0.8, "beta2": 0.99}},
        {"optimizer": {"name": "adamw", "weight_decay": 0.1}},
        {"optimizer": {"name": "rmsprop", "momentum": 0.5, "alpha": 0.9}},
        {"clip": {"norm": 0.3}},
        {"clip": {"value": 0.02}},
        {"clip": {"norm": 0.5, "value": 0.05}},
        {"regularise": {"l1": 0.01, "l2": 0.02}},
        {"train": {"accumulate": 3}},
        {"train": {"batch_size": 10_000}},
        {"model": {"norm": "batch", "activation": "tanh"}},
        {"model": {"norm": "layer", "activation": "gelu", "skip": True, "depth": 3}},
        {"model": {"depth": 0}},
        {"schedule": {"name": "step", "every": 7}},
        {"schedule": {"name": "cosine"}},
        {"data": {"source": "synthetic:moons", "n": 100}},
        {"data": {"source": "sample:iris"}, "losses": ["cross_entropy", "focal"]},
        {"data": {"source": "sample:iris"}, "losses": [{"name": "cross_entropy", "params": {"weight": "balanced"}}]},
        {"data": {"source": "sample:diabetes"}, "losses": ["mse", "huber", {"name": "huber", "params": {"delta": 2}}]},
    ],
    ids=str,
)
def test_members_repeat_the_plain_loop(parts: dict[str, Any], sink: Any, plain_run: Callable[..., Any]) -> None:
    spec = spec_of(**parts)
    outcome = train(spec, sink)
    assert outcome.status == "finished"
    for member in spec.members():
        plain = plain_run(spec, member)
        np.testing.assert_allclose(sink.curve(member.id), plain.losses, rtol=1e-10, atol=1e-12)
        total = np.sqrt(np.square(plain.gradient_norms).sum(axis=1))
        np.testing.assert_allclose(sink.curve(member.id, "grad_norm"), total, rtol=1e-9, atol=1e-12)
        state = outcome.members[member.id].state
        for name, value in plain.state.items():
            if "num_batches" not in name:
                # Adam makes steps out of the rounding in a gradient that is zero: a bias before batch normalisation.
                torch.testing.assert_close(state[name], value, rtol=1e-8, atol=1e-8)


def test_members_of_a_grid_repeat_the_plain_loop(sink: Any, plain_run: Callable[..., Any]) -> None:
    grid = {
        "optimizer.lr": [0.003, 0.03],
        "optimizer.beta1": [0.9, 0.5],
        "clip.norm": [0.5, 2.0],
        "model.init": ["torch", "orthogonal"],
        "losses.1.params.gamma": [1.0, 3.0],
        "regularise.l2": [0.0, 0.01],
        "model.width": [4, 8],
    }
    spec = spec_of(losses=["bce_with_logits", "focal_binary"], grid=grid, seeds=1, train={"steps": 20})
    train(spec, sink)
    members = spec.members()
    for member in members[:: len(members) // 24]:
        plain = plain_run(spec, member)
        np.testing.assert_allclose(sink.curve(member.id), plain.losses, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_member_s_curve_does_not_depend_on_its_company(
    dropout: float, sink: Any, new_sink: Callable[[], Any]
) -> None:
    spec = spec_of(seeds=[0, 1, 2], model={"dropout": dropout})
    train(spec, sink)
    member = spec.members()[4]
    alone = new_sink()
    train(spec.member_spec(member), alone)
    np.testing.assert_allclose(sink.curve(4), alone.curve(0), rtol=1e-9, atol=1e-12)


def test_dropout_masks_are_shared_by_seed(sink: Any) -> None:
    # Two losses that differ in name only by a factor of one: equal curves mean equal masks.
    losses = ["bce_with_logits", {"name": "bce_with_logits", "params": {"pos_weight": 1.0}}]
    spec = spec_of(losses=losses, model={"dropout": 0.5})
    train(spec, sink)
    np.testing.assert_allclose(sink.curve(0), sink.curve(2), rtol=1e-12)
    assert not np.allclose(sink.curve(0), sink.curve(1))


@pytest.mark.parametrize("pace", [0.001, 1e9])
def test_the_recording_does_not_depend_on_how_often_it_is_flushed(
    pace: float, sink: Any, new_sink: Callable[[], Any]
) -> None:
    spec = spec_of(model={"dropout": 0.2}, schedule={"name": "cosine"})
    ticks = iter(range(10**9))
    slow = new_sink()
    train(spec, sink)
    train(spec, slow, clock=lambda: next(ticks) * pace)
    for table in ("steps", "layers", "evals", "activations"):
        one, other = sink.frame(table), slow.frame(table)
        keys = [c for c in one.columns if c in ("step", "member", "layer", "split", "metric")]
        values = [c for c in one.columns if c != "step_time"]
        one, other = (f.sort_values(keys).reset_index(drop=True)[values] for f in (one, other))
        assert one.equals(other)


@pytest.mark.parametrize(("width", "first"), [(16, 8), (512, 1)])
def test_the_first_flush_of_a_large_stack_waits_for_one_step_only(
    width: int, first: int, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    append = sink.append
    monkeypatch.setattr(
        sink,
        "append",
        lambda table, rows: (flushed.append(rows.num_rows) if table == "steps" else None, append(table, rows)),
    )
    train(spec_of(seeds=1, losses=["hinge"], model={"width": width, "depth": 3}, train={"steps": 9}), sink)
    assert flushed[0] == first
    assert sum(flushed) == 9


def test_every_step_of_every_member_and_layer_is_recorded_once(sink: Any) -> None:
    spec = spec_of(seeds=3, grid={"model.depth": [0, 2]})
    outcome = train(spec, sink)
    assert sorted(outcome.stacks) == [6, 6]
    steps, layers = sink.frame("steps"), sink.frame("layers")
    assert len(steps) == 12 * 50
    assert not steps.duplicated(["step", "member"]).any()
    assert (steps.groupby("member").step.agg(["min", "max"]) == [0, 49]).all().all()
    assert not layers.duplicated(["step", "member", "layer"]).any()
    depth = {m: len(stack["layers"]) for stack in sink.facts["stacks"] for m in stack["members"]}
    assert layers.groupby("member").size().to_dict() == {m: 50 * depth[m] for m in range(12)}


def test_evaluations_come_at_the_start_at_intervals_and_at_the_end(sink: Any) -> None:
    train(spec_of(train={"eval_every": 20}), sink)
    evals = sink.frame("evals")
    assert sorted(evals.step.unique()) == [0, 20, 40, 50]
    assert set(evals.split) == {"train", "val"}
    assert {"loss", "accuracy", "auroc", "ece"} <= set(evals.metric)
    assert not evals.duplicated(["step", "member", "split", "metric"]).any()
    assert sorted(sink.frame("activations").step.unique()) == [0, 20, 40]


def test_evaluated_loss_and_accuracy_are_those_of_the_final_module(sink: Any) -> None:
    spec = spec_of(model={"norm": "batch"}, losses=["bce_with_logits"])
    data = prepare(load(spec.data), spec.data)
    outcome = train(spec, sink, data=data)
    x, y = torch.tensor(data.x_val), torch.tensor(data.y_val)
    for member in outcome.members:
        torch.manual_seed(0)
        from_state = _module(spec, data, member.state)
        logits = from_state(x)
        expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, y).item()
        rows = sink.frame("evals").query("step == 50 and split == 'val'")
        got = rows[rows.member == member.member].set_index("metric").value
        assert got["loss"] == pytest.approx(expected, rel=1e-10)
        assert got["accuracy"] == pytest.approx(((logits > 0) == (y > 0.5)).double().mean().item(), rel=1e-10)


def test_facts_describe_the_run(sink: Any) -> None:
    train(spec_of(), sink)
    assert sink.facts["layers"] == ["hidden 1", "hidden 2", "output"]
    (stack,) = sink.facts["stacks"]
    assert stack["members"] == [0, 1, 2, 3]
    assert stack["parameters"] == 30 * 16 + 16 + 16 * 16 + 16 + 16 + 1
    assert stack["batch_size"] == 32
    assert sink.facts["data"]["task"] == "binary"
    assert sink.facts["data"]["classes"] == ["benign", "malignant"]


def test_a_loss_that_does_not_fit_the_task_is_refused_before_training(sink: Any) -> None:
    with pytest.raises(TrainError, match=r"'mse'.*regression.*binary; use one of: .*bce_with_logits"):
        train(spec_of(losses=["mse"]), sink)
    assert not sink.facts


def test_a_device_that_is_not_there_is_refused(sink: Any) -> None:
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(TrainError, match=rf"train.device '{missing}' is not available.*cpu"):
        train(spec_of(train={"device": missing, "precision": "float32"}), sink)


def test_batch_norm_of_single_rows_is_refused(sink: Any) -> None:
    with pytest.raises(TrainError, match="at least 2 rows per batch"):
        train(spec_of(model={"norm": "batch"}, train={"batch_size": 1}), sink)


def test_cancelling_ends_the_run_with_everything_recorded(sink: Any) -> None:
    asked = iter([False, False, True])
    outcome = train(spec_of(train={"steps": 1_000_000}), sink, should_stop=lambda: next(asked))
    assert outcome.status == "cancelled"
    assert {m.reason for m in outcome.members} == {"cancelled"}
    end = outcome.members[0].step
    assert sink.frame("steps").step.max() == end - 1
    assert sink.frame("evals").step.max() == end
    (event,) = sink.frame("events").to_dict("records")
    assert (event["kind"], event["member"], event["step"]) == ("stop", -1, end)


def test_max_seconds_stops_the_run(sink: Any) -> None:
    now = iter(float(i) for i in range(10**6))
    outcome = train(spec_of(train={"steps": 1_000_000}, stop={"max_seconds": 5}), sink, clock=lambda: next(now))
    assert outcome.status == "stopped"
    assert "5 seconds" in outcome.detail
    assert outcome.members[0].step < 1000


def test_patience_stops_members_one_by_one(sink: Any) -> None:
    spec = spec_of(stop={"patience": 2}, train={"steps": 400, "eval_every": 10}, seeds=3)
    outcome = train(spec, sink)
    stopped = [m for m in outcome.members if m.reason == "patience"]
    assert stopped
    evals = sink.frame("evals").query("split == 'val' and metric == 'loss'")
    for member in stopped:
        losses = evals[evals.member == member.member].sort_values("step").value.to_numpy()
        assert (losses[-2:] >= losses[:-2].min()).all()
        assert sink.frame("steps").query(f"member == {member.member}").step.max() == member.step - 1
        assert evals[evals.member == member.member].step.max() == member.step
    events = sink.frame("events").query("kind == 'stop' and member >= 0")
    assert sorted(events.member) == [m.member for m in stopped]


def test_plateau_lowers_each_member_s_own_rate(sink: Any) -> None:
    schedule = {"name": "plateau", "patience": 1, "gamma": 0.1}
    spec = spec_of(schedule=schedule, train={"steps": 300, "eval_every": 10}, optimizer={"lr": 0.05})
    train(spec, sink)
    evals = sink.frame("evals").query("split == 'val' and metric == 'loss' and step < 300")
    for member in spec.members():
        losses = evals[evals.member == member.id].sort_values("step").value.to_numpy()
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
        rates = []
        for loss in losses:
            plateau.step(loss)
            rates += [optimizer.param_groups[0]["lr"]] * 10
        np.testing.assert_allclose(sink.curve(member.id, "lr"), rates, rtol=1e-12)
    changes = sink.frame("events").query("kind == 'lr_change'")
    assert len(changes)


def _module(spec: ExperimentSpec, data: Any, state: Any) -> torch.nn.Module:
    module = build_module(spec.model, data.n_features, data.n_outputs).double()
    module.load_state_dict(state)
    return module.eval()


def test_evaluating_in_small_blocks_changes_nothing(
    sink: Any, new_sink: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(losses=["bce_with_logits", "focal_binary", "hinge"], seeds=3, grid={"losses.1.params.gamma": [1, 2]})
    train(spec, sink)
    monkeypatch.setattr("lossdiag.train.evaluate._AT_ONCE", 5 * 427 * 16)  # five members at once
    monkeypatch.setattr("lossdiag.train.stack._IN_CACHE", 2 * 427 * 16)
    blocks = new_sink()
    train(spec, blocks)
    keys = ["step", "member", "split", "metric"]
    one, other = (s.frame("evals").sort_values(keys).reset_index(drop=True) for s in (sink, blocks))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-9)
    assert len(sink.frame("frames")) == len(blocks.frame("frames"))
