"""Losses of a stack: merged or apart, each member's is its own function's mean."""

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
