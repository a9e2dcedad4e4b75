r"""Losses on labels of 0 or 1, one column per label.

All take logits ``pred`` and labels ``target`` [..., B, D] and return [..., B], the mean over the D labels. In the
formulas :math:`z` is the logit, :math:`p = \sigma(z)` and :math:`y` the label.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.losses.registration import loss
from lossdiag.losses.shapes import check_same, per_sample
from lossdiag.registry import Param, Task

_TASKS: tuple[Task, ...] = ("binary", "multilabel")


@loss(
    title="Binary cross entropy",
    family="binary",
    tasks=_TASKS,
    expects="logits",
    link="sigmoid",
    probabilistic=True,
    params=(Param("pos_weight", 1.0, 0.001, 1000.0, "factor on the term of positive labels"),),
    formula=r"-\bigl[w\,y \log \sigma(z) + (1 - y) \log(1 - \sigma(z))\bigr]",
    reference="Good (1952), Rational Decisions, Journal of the Royal Statistical Society B 14(1)",
    oracle="scipy.special.log_expit",
    traps=(
        "It takes logits. With a sigmoid before it, its outputs of 0 to 1 are read as logits: the loss of a positive "
        "row stays above 0.313 and that of a negative row above 0.693.",
        "A pos_weight other than 1 shifts the best logit by its logarithm: probabilities are no longer calibrated.",
        "An infinite logit gives NaN. Integer targets raise. A target outside 0 to 1 makes it unbounded below.",
    ),
)
def bce_with_logits(pred: Tensor, target: Tensor, *, pos_weight: float = 1.0) -> Tensor:
    """Negative log-likelihood of a label; the standard loss for binary and multilabel targets.

    A proper scoring rule: minimised by the true probability.
    """
    check_same(pred, target)
    # Filled on the device: a tensor made from the number would be copied to it and make the step wait.
    weight = None if pos_weight == 1.0 else torch.full((), pos_weight, device=pred.device, dtype=pred.dtype)
    return per_sample(F.binary_cross_entropy_with_logits(pred, target, pos_weight=weight, reduction="none"))


@loss(
    title="Hinge",
    family="binary",
    tasks=_TASKS,
    expects="margin",
    link="sigmoid",
    formula=r"\max(0,\; 1 - (2y - 1)\,z)",
    reference="Cortes and Vapnik (1995), Support-Vector Networks, Machine Learning 20",
    oracle="sklearn.metrics.hinge_loss",
    traps=(
        "The output is a margin, not log-odds: sigmoid(z) orders rows and crosses 0.5 at the boundary, but is no "
        "probability, so calibration and log loss are not given.",
        "Labels of 0 and 1 are turned into -1 and 1 here. Where 0 reaches the usual formula in place of -1, the loss "
        "of those rows is the constant 1 and they teach nothing.",
        "Rows beyond the margin have gradient zero: few rows move the model late in training.",
    ),
)
def hinge(pred: Tensor, target: Tensor) -> Tensor:
    """Distance by which a row misses a margin of 1 on its own side; zero beyond it.

    The loss of support vector machines: it asks for the right side, not for a probability.
    """
    check_same(pred, target)
    return per_sample(F.relu(1.0 - (2.0 * target - 1.0) * pred))


@loss(
    title="Brier score",
    family="binary",
    tasks=_TASKS,
    expects="logits",
    link="sigmoid",
    probabilistic=True,
    formula=r"(\sigma(z) - y)^2",
    reference="Brier (1950), Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78(1)",
    oracle="sklearn.metrics.brier_score_loss",
    traps=(
        "The gradient 2 (p - y) p (1 - p) vanishes where the model is confident and wrong, so a bad start may not "
        "recover; bce_with_logits has its largest gradient there.",
        "Its values run from 0 to 1 and are small: it often needs a larger learning rate than bce_with_logits.",
    ),
)
def brier(pred: Tensor, target: Tensor) -> Tensor:
    """Squared error of the predicted probability.

    A proper scoring rule that is bounded, hence less moved by mislabelled rows than cross entropy.
    """
    check_same(pred, target)
    return per_sample((torch.sigmoid(pred) - target).square())
