r"""Losses on one class among C.

All take logits ``pred`` [..., B, C] and class indices ``target`` [..., B] (int64) and return [..., B]. In the formulas
:math:`t` is the class of the row and :math:`p = \mathrm{softmax}(z)`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.losses.registration import loss
from lossdiag.losses.shapes import check_classes
from lossdiag.registry import Param


@loss(
    title="Cross entropy",
    family="multiclass",
    tasks=("multiclass",),
    expects="logits",
    link="softmax",
    probabilistic=True,
    params=(
        Param("weight", "none", None, None, "'none', 'balanced' or one weight per class", kind="class_weights"),
        Param("label_smoothing", 0.0, 0.0, 0.9, "share of the label that is spread over all classes"),
    ),
    formula=r"\frac{(1 - \varepsilon)\,w_t\,(-\log p_t) + \frac{\varepsilon}{C} \sum_c w_c\,(-\log p_c)}"
    r"{\frac{1}{B} \sum_{b} w_{t_b}}",
    reference="Good (1952), Rational Decisions; label smoothing: Szegedy et al. (2016), arXiv:1512.00567",
    reduction="mean; with class weights a weighted mean, which couples the rows of a batch",
    oracle="the formula over scipy.special.log_softmax; its mean: torch.nn.CrossEntropyLoss",
    traps=(
        "It takes logits. A softmax before it leaves a floor that no training passes: 0.313, 0.551, 1.461, 5.909 for "
        "2, 3, 10, 1000 classes. A log-softmax before it is redundant, not wrong.",
        "With weights the batch is divided by the sum of its weights, as torch does for class indices (for one-hot "
        "targets torch divides by the number of rows): a row's value depends on its batch, without smoothing a batch "
        "of one ignores the weights, and a batch that holds only classes of weight zero gives NaN.",
        "With smoothing each class's share of the spread label is weighted by that class's own weight, but the divisor "
        "counts the true classes only.",
        "Smoothing keeps the loss above zero at its best and makes probabilities less confident on purpose.",
    ),
)
def cross_entropy(
    pred: Tensor, target: Tensor, *, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Negative log-likelihood of the class; the standard loss for one class among many.

    The mean over the batch equals that of torch.nn.CrossEntropyLoss, weights and label smoothing included.
    """
    check_classes(pred, target)
    if weight is not None:
        weight = weight.to(pred.dtype)
    rows = F.cross_entropy(
        pred.reshape(-1, pred.shape[-1]),
        target.reshape(-1),
        weight=weight,
        label_smoothing=label_smoothing,
        reduction="none",
    ).view(target.shape)
    return rows if weight is None else rows / weight[target].mean(-1, keepdim=True)


@loss(
    title="Brier score, many classes",
    family="multiclass",
    tasks=("multiclass",),
    expects="logits",
    link="softmax",
    probabilistic=True,
    formula=r"\sum_c (p_c - [c = t])^2",
    reference="Brier (1950), Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78(1)",
    oracle="sklearn.metrics.brier_score_loss",
    traps=(
        "The gradient vanishes where the model is confident and wrong, so a bad start may not recover.",
        "This is the sum over classes, Brier's own form, from 0 to 2; for two classes it is twice the binary score.",
    ),
)
def brier_multiclass(pred: Tensor, target: Tensor) -> Tensor:
    """Squared distance of the predicted probabilities from the one-hot label.

    A proper scoring rule that is bounded, hence less moved by mislabelled rows than cross entropy.
    """
    check_classes(pred, target)
    index = target.unsqueeze(-1)
    p = torch.softmax(pred, -1)
    return p.scatter_add(-1, index, p.new_full(index.shape, -1.0)).square().sum(-1)
