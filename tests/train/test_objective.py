"""Losses of a stack: merged or apart, each member's is its own function's mean."""

import itertools
from typing import Any

import pytest
import torch

from lossdiag.errors import TrainError
from lossdiag.losses import bind
from lossdiag.spec import ExperimentSpec
from lossdiag.train import plan
from lossdiag.train.merging import by_loss, merged
from lossdiag.train.objective import check_fit, make_objective

LIKE = torch.empty(0, dtype=torch.float64)


def groups_of(source: str, *losses: Any, seeds: int = 3) -> tuple[Any, ...]:
    spec = ExperimentSpec.parse({"data": {"source": source}, "losses": list(losses), "seeds": seeds})
    return plan(spec)[0].groups


@pytest.mark.parametrize(
    ("task", "losses", "outputs"),
    [
        ("binary", [{"name": "focal_binary", "params": {"gamma": g}} for g in (0.5, 1, 2, 3)] + ["brier", "hinge"], 1),
        ("binary", [{"name": "bce_with_logits", "params": {"pos_weight": w}} for w in (1, 2, 3)], 1),
        ("multilabel", [{"name": "focal_binary", "params": {"alpha": a}} for a in (0.2, 0.5)], 4),
        ("multiclass", [{"name": "focal", "params": {"gamma": g}} for g in (0, 1, 2)] + ["cross_entropy"], 5),
        ("multiclass", [{"name": "focal", "params": {"gamma": g, "weight": "balanced"}} for g in (0, 1)], 3),
        ("regression", [{"name": "huber", "params": {"delta": d}} for d in (0.5, 1, 2)] + ["mse"], 2),
        ("regression", [{"name": "quantile", "params": {"q": t}} for t in (0.1, 0.5, 0.9)], 1),
    ],
)
def test_each_member_s_loss_and_gradient_is_its_own(task: Any, losses: list[Any], outputs: int) -> None:
    groups = groups_of("sample:iris", *losses)
    counts = [5 + i for i in range(outputs)]
    objective = make_objective(groups, counts, task, outputs, LIKE)
    members = groups[-1].stop
    output = torch.randn(members, 16, outputs, dtype=torch.float64, requires_grad=True)
    target: torch.Tensor = torch.randn(members, 16, outputs, dtype=torch.float64)
    if task in ("binary", "multilabel"):
        target = (target > 0).double()
    if task == "multiclass":
        target = torch.randint(outputs, (members, 16))
    loss = objective(output, target)
    (gradient,) = torch.autograd.grad(loss.sum(), output)
    for group in groups:
        fn = bind(group.loss.name, group.loss.values, class_counts=counts, dtype=torch.float64)
        for k in range(group.start, group.stop):
            own = output[k].detach().requires_grad_()
            value = fn(own, target[k]).mean()
            torch.testing.assert_close(loss[k], value, rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(gradient[k], torch.autograd.grad(value, own)[0], rtol=1e-11, atol=1e-14)


def test_a_grid_over_a_number_is_one_call() -> None:
    groups = groups_of("sample:iris", *[{"name": "focal_binary", "params": {"gamma": g}} for g in (1, 2, 3)])
    assert make_objective(groups, None, "binary", 1, LIKE).sizes == [9]


def test_a_function_that_asks_for_plain_numbers_gets_them() -> None:
    # torch's own binary cross entropy is called without a weight where the weight is 1.
    losses = [{"name": "bce_with_logits", "params": {"pos_weight": w}} for w in (1, 2)]
    groups = groups_of("sample:iris", *losses)
    assert merged(groups, "binary", 1, LIKE) is None
    assert make_objective(groups, None, "binary", 1, LIKE).sizes == [3, 3]


def test_a_function_that_promises_nothing_is_called_for_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # Right wherever a trial would look; far out it asks for a plain number, which would end the run there.
    def far_out(pred: torch.Tensor, target: torch.Tensor, *, q: float = 0.5) -> torch.Tensor:
        e = target - pred
        return torch.maximum(q * e, (q - 1) * e).mean(-1) if e.abs().max() < 1e6 else e.abs().mean(-1) * float(q)

    groups = groups_of("sample:diabetes", *[{"name": "quantile", "params": {"q": q}} for q in (0.1, 0.9)])
    assert merged(groups, "regression", 1, LIKE) is not None
    monkeypatch.setattr("lossdiag.train.merging.get", lambda name: far_out)
    assert merged(groups, "regression", 1, LIKE) is None


@pytest.mark.parametrize(
    ("task", "name", "params", "outputs"),
    [
        ("regression", "quantile", {"q": (0.01, 0.3, 0.99)}, 2),
        ("binary", "focal_binary", {"gamma": (0.0, 0.5, 10.0), "alpha": (0.01, 0.5, 0.99)}, 1),
        ("multiclass", "focal", {"gamma": (0.0, 0.5, 10.0)}, 3),
    ],
)
def test_merged_losses_keep_their_promise_for_every_prediction(
    task: Any, name: str, params: dict[str, tuple[float, ...]], outputs: int
) -> None:
    grid = [dict(zip(params, values, strict=True)) for values in itertools.product(*params.values())]
    groups = groups_of("sample:iris", *[{"name": name, "params": p} for p in grid], seeds=1)
    together = merged(groups, task, outputs, torch.empty(0))
    assert together is not None
    size = torch.logspace(-30, 30, 40).view(-1, 1)
    output = torch.randn(len(groups), 40, outputs, generator=torch.Generator().manual_seed(0)) * size
    output[:, :6] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, 3e38]).view(-1, 1)
    output.requires_grad_()
    target = torch.zeros(len(groups), 40, outputs)
    target[:, ::2] = 1.0
    if task == "multiclass":
        target = target[..., 0].long()
    values = together(output, target)
    apart = torch.stack([bind(name, g.loss.values)(output[g.start], target[g.start]) for g in groups])
    slopes = [torch.autograd.grad(v.sum(), output)[0] for v in (values, apart)]
    # 1 - 0.99 is off by 1e-6 in float32 unless it is worked out in float64 first.
    torch.testing.assert_close(values, apart, rtol=3e-6, atol=0.0, equal_nan=True)
    torch.testing.assert_close(*slopes, rtol=3e-6, atol=0.0, equal_nan=True)


def test_class_weights_are_never_merged() -> None:
    losses = [{"name": "focal", "params": {"gamma": g, "weight": "balanced"}} for g in (1, 2)]
    assert merged(groups_of("sample:iris", *losses), "multiclass", 3, LIKE) is None


def test_by_loss_keeps_the_order() -> None:
    groups = groups_of("sample:iris", "focal_binary", {"name": "focal_binary", "params": {"gamma": 1}}, "hinge")
    assert [[g.loss.name for g in run] for run in by_loss(groups)] == [["focal_binary"] * 2, ["hinge"]]


def test_a_misfit_names_loss_task_and_what_fits() -> None:
    with pytest.raises(TrainError) as caught:
        check_fit("cross_entropy", "regression")
    message = str(caught.value)
    assert "'cross_entropy'" in message
    assert "regression" in message
    assert "mse" in message
    assert "hinge" not in message
    check_fit("mse", "regression")
