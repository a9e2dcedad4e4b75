"""What every loss must do: derivatives, extremes, low precision, members; and that what its card says is true."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lossdiag import losses
from lossdiag.errors import TrainError
from lossdiag.registry import LossInfo

CARDS = losses.cards()
BY_NAME = {card.name: card for card in CARDS}
every_loss = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)

# Other values than the defaults, so that every branch is taken.
OTHER: dict[str, dict[str, Any]] = {
    "huber": {"delta": 0.3},
    "quantile": {"q": 0.8},
    "bce_with_logits": {"pos_weight": 3.0},
    "focal_binary": {"gamma": 0.5, "alpha": 0.6},
    "cross_entropy": {"weight": torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64), "label_smoothing": 0.2},
    "focal": {"gamma": 0.5, "weight": torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)},
}
variants = pytest.mark.parametrize(
    ("card", "params"),
    [(card, p) for card in CARDS for p in ({}, OTHER.get(card.name)) if p is not None],
    ids=lambda v: v.name if isinstance(v, LossInfo) else ("other" if v else "default"),
)


def draw(card: LossInfo, *shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Outputs [*shape, 3] and fitting targets."""
    generator = torch.Generator().manual_seed(7)
    pred = torch.randn(*shape, 3, dtype=torch.float64, generator=generator)
    if "multiclass" in card.tasks:
        return pred.to(dtype), torch.randint(0, 3, shape, generator=generator)
    if "binary" in card.tasks:
        return pred.to(dtype), torch.randint(0, 2, (*shape, 3), generator=generator).to(dtype)
    if card.expects == "log_rate":
        return pred.to(dtype), torch.randint(0, 9, (*shape, 3), generator=generator).to(dtype)
    return pred.to(dtype), torch.randn(*shape, 3, dtype=torch.float64, generator=generator).to(dtype)


@variants
def test_first_and_second_derivative(card: LossInfo, params: dict[str, Any]) -> None:
    pred, target = draw(card, 4)
    pred.requires_grad_()

    def fn(p: Tensor) -> Tensor:
        return losses.get(card.name)(p, target, **params)

    assert torch.autograd.gradcheck(fn, (pred,))
    assert torch.autograd.gradgradcheck(fn, (pred,))


@variants
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_extreme_outputs_are_finite_or_documented(card: LossInfo, params: dict[str, Any], dtype: torch.dtype) -> None:
    pred, target = draw(card, 6, dtype=dtype)
    pred = (1e4 * pred.sign()).requires_grad_()
    value = losses.get(card.name)(pred, target, **params)
    value.sum().backward()
    assert pred.grad is not None
    if card.name == "poisson_nll":
        assert value.isinf().any()
        assert any("overflows to infinity" in trap for trap in card.traps)
    else:
        assert value.isfinite().all()
        assert pred.grad.isfinite().all()


@variants
def test_perfect_prediction_is_a_minimum(card: LossInfo, params: dict[str, Any]) -> None:
    params = {key: value for key, value in params.items() if key != "label_smoothing"}  # it moves the minimum
    _, target = draw(card, 6)
    if card.link == "softmax":
        pred = torch.where(torch.nn.functional.one_hot(target, 3).bool(), 60.0, -60.0).double()
    elif card.link == "sigmoid":
        pred = 120.0 * target - 60.0
    elif card.link == "exp":
        pred, target = (target + 1.0).log(), target + 1.0
    else:
        pred = target.clone()
    pred.requires_grad_()
    value = losses.get(card.name)(pred, target, **params)
    value.sum().backward()
    assert pred.grad is not None
    least = (target - target * target.log()).mean(-1) if card.link == "exp" else torch.zeros(6).double()
    torch.testing.assert_close(value.detach(), least, rtol=1e-12, atol=1e-12)
    slope = (1.0 - 2.0 * params.get("q", 0.5)) / 2.0 / 3.0  # of a quantile at its corner, over three columns
    torch.testing.assert_close(pred.grad, torch.full_like(pred.grad, slope), rtol=1e-9, atol=1e-12)


@variants
def test_leading_axes_and_a_batch_of_one(card: LossInfo, params: dict[str, Any]) -> None:
    pred, target = draw(card, 2, 3, 5)
    stacked = losses.get(card.name)(pred, target, **params)
    assert stacked.shape == (2, 3, 5)
    for i in range(2):
        for k in range(3):
            alone = losses.get(card.name)(pred[i, k], target[i, k], **params)
            torch.testing.assert_close(stacked[i, k], alone, rtol=1e-14, atol=0.0)
    one = losses.get(card.name)(pred[0, 0, :1], target[0, 0, :1], **params)
    assert one.shape == (1,)
    assert one.isfinite().all()
    if not card.reduction.startswith("mean;"):
        torch.testing.assert_close(one, stacked[0, 0, :1], rtol=1e-14, atol=0.0)


@variants
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_low_precision_runs(card: LossInfo, params: dict[str, Any], dtype: torch.dtype) -> None:
    pred, target = draw(card, 8, dtype=dtype)
    pred.requires_grad_()
    value = losses.get(card.name)(pred, target, **params)
    value.float().mean().backward()
    assert value.dtype == dtype
    assert pred.grad is not None
    assert pred.grad.isfinite().all()
    exact = losses.get(card.name)(pred.detach().double(), target.double() if target.is_floating_point() else target)
    if not params:
        torch.testing.assert_close(value.detach().double(), exact, rtol=0.05, atol=0.02)


@variants
def test_nothing_waits_for_the_device(card: LossInfo, params: dict[str, Any]) -> None:
    # Tensors without data refuse whatever would have to read a value back to the host.
    pred, target = (t.to("meta") for t in draw(card, 2, 4))
    there = {key: value.to("meta") if isinstance(value, Tensor) else value for key, value in params.items()}
    pred.requires_grad_()
    value = losses.get(card.name)(pred, target, **there)
    value.sum().backward()
    assert value.is_meta


@every_loss
def test_other_shapes_are_refused_rather_than_broadcast(card: LossInfo) -> None:
    pred, target = draw(card, 4)
    wrong = target[:, None].expand(4, 3) if "multiclass" in card.tasks else target[:, 0]
    with pytest.raises(TrainError, match="shape"):
        losses.get(card.name)(pred, wrong)


@pytest.mark.parametrize("gamma", [0.01, 0.5, 1.0])
def test_focal_gradient_is_finite_where_the_textbook_form_has_none(gamma: float) -> None:
    z = torch.tensor([[40.0], [400.0]], dtype=torch.float64, requires_grad=True)
    losses.get("focal_binary")(z, torch.ones_like(z), gamma=gamma).sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_log_cosh_is_smooth_at_its_seam_and_exact_near_zero() -> None:
    d = torch.tensor([[1.0 - 1e-9], [1.0], [1.0 + 1e-9], [-1.0]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(losses.get("log_cosh")(d, torch.zeros_like(d)).sum(), d)
    torch.testing.assert_close(slope, torch.tanh(d), rtol=1e-12, atol=0.0)
    tiny = torch.full((1, 1), 1e-5)
    torch.testing.assert_close(losses.get("log_cosh")(tiny, torch.zeros(1, 1)), tiny[0] ** 2 / 2, rtol=1e-6, atol=0.0)


# --- the figures that the cards' traps state ---


def test_floors_of_cross_entropy_after_a_softmax() -> None:
    for classes, floor in ((2, "0.313"), (3, "0.551"), (10, "1.461"), (1000, "5.909")):
        probabilities = torch.nn.functional.one_hot(torch.tensor([0]), classes).double()
        value = losses.get("cross_entropy")(probabilities, torch.tensor([0]))
        assert f"{value.item():.3f}" == floor
        assert floor in BY_NAME["cross_entropy"].traps[0]


def test_cross_entropy_takes_logits_and_bears_a_log_softmax() -> None:
    z = torch.tensor([[0.1, 0.9], [0.8, 0.2]], dtype=torch.float64)
    value = losses.get("cross_entropy")(z, torch.tensor([1, 0]))
    assert value.mean().item() == pytest.approx(0.4043, abs=5e-5)
    torch.testing.assert_close(losses.get("cross_entropy")(z.log_softmax(-1), torch.tensor([1, 0])), value)


def test_floors_of_bce_after_a_sigmoid() -> None:
    best = losses.get("bce_with_logits")(torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [0.0]]))
    assert [f"{v:.3f}" for v in best.tolist()] == ["0.313", "0.693"]


def test_weighted_cross_entropy_of_one_row_or_of_no_weight() -> None:
    z, weight = torch.tensor([[0.3, -1.0, 2.0]]), torch.tensor([0.0, 5.0, 1.0])
    plain = losses.get("cross_entropy")(z, torch.tensor([1]))
    torch.testing.assert_close(losses.get("cross_entropy")(z, torch.tensor([1]), weight=weight), plain)
    assert losses.get("cross_entropy")(z, torch.tensor([0]), weight=weight).isnan().all()


def test_overflow_thresholds() -> None:
    poisson, mse = losses.get("poisson_nll"), losses.get("mse")
    for dtype, low, high in ((torch.float32, 88.7, 88.8), (torch.float16, 11.0, 11.125)):
        z = torch.tensor([[low], [high]], dtype=dtype)
        assert poisson(z, torch.zeros_like(z)).isinf().tolist() == [False, True]
    d = torch.tensor([[255.0], [256.0]], dtype=torch.float16)
    assert mse(d, torch.zeros_like(d)).isinf().tolist() == [False, True]
    assert torch.tensor([89.0, 90.0]).cosh().log().isinf().tolist() == [False, True]


def test_pos_weight_shifts_the_best_logit_by_its_logarithm() -> None:
    share, weight = 0.2, 3.0
    best = torch.tensor([[math.log(share / (1.0 - share)) + math.log(weight)]], requires_grad=True)
    losses.get("bce_with_logits")(best, torch.tensor([[share]]), pos_weight=weight).sum().backward()
    assert best.grad is not None
    assert best.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_infinite_logit_gives_nan_in_bce() -> None:
    assert losses.get("bce_with_logits")(torch.tensor([[math.inf]]), torch.tensor([[1.0]])).isnan().all()


def test_half_of_mae_and_twice_the_binary_score() -> None:
    pred, target = draw(BY_NAME["mae"], 5)
    torch.testing.assert_close(2.0 * losses.get("quantile")(pred, target), losses.get("mae")(pred, target))
    z, label = torch.tensor([[0.7]]), torch.tensor([[1.0]])
    many = losses.get("brier_multiclass")(torch.tensor([[0.0, 0.7]]), torch.tensor([1]))
    torch.testing.assert_close(many, 2.0 * losses.get("brier")(z, label))
