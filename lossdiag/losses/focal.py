r"""Focal losses: cross entropy whose easy rows are turned down.

Both are one function of a margin m with p_t = sigmoid(m): the signed logit for a label of 0 or 1, and the logit of the
true class minus the log-sum-exp of the others for many classes. Through log-sigmoids it stays exact, with a finite
gradient, where the textbook's (1 - p_t) ** gamma has none: at p_t = 1 with gamma below 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.losses.registration import loss
from lossdiag.losses.shapes import check_classes, check_same, per_sample
from lossdiag.registry import Param

_REFERENCE = "Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002"
_GAMMA = Param("gamma", 2.0, 0.0, 10.0, "how strongly easy rows are turned down; 0 is cross entropy")
_NOT_PROPER = (
    "Not a proper scoring rule for gamma above 0: its best probabilities are less confident than the true ones, while "
    "the most likely class stays the same."
)
_SMALL = "Its values and gradients are smaller than those of cross entropy: compare by yardsticks, retune the rate."


def _focal(margin: Tensor, gamma: float | Tensor) -> Tensor:
    """Return (1 - p_t)^gamma * -log(p_t) for p_t = sigmoid(margin)."""
    return torch.exp(gamma * F.logsigmoid(-margin)) * -F.logsigmoid(margin)


@loss(
    title="Focal, binary",
    family="focal",
    tasks=("binary", "multilabel"),
    expects="logits",
    link="sigmoid",
    probabilistic=True,
    params=(
        _GAMMA,
        Param("alpha", 0.25, 0.01, 0.99, "weight of positive labels; negative ones weigh 1 - alpha"),
    ),
    formula=r"-\alpha_t\,(1 - p_t)^{\gamma} \log p_t, \quad"
    r" (p_t, \alpha_t) = \begin{cases} (p, \alpha) & y = 1 \\ (1 - p, 1 - \alpha) & y = 0 \end{cases}",
    reference=_REFERENCE,
    oracle="the paper's formula in mpmath, 50 digits",
    traps=(
        "The paper's alpha = 0.25 weighs positives three times less than negatives; 0.5 treats both alike, at half "
        "the scale of cross entropy.",
        _NOT_PROPER,
        _SMALL,
        "Labels must be 0 or 1: soft labels have no p_t.",
    ),
)
def focal_binary(pred: Tensor, target: Tensor, *, gamma: float | Tensor = 2.0, alpha: float | Tensor = 0.25) -> Tensor:
    """Binary cross entropy times (1 - p_t)^gamma, so that easy rows count little.

    Made for many easy negatives; takes logits and labels [..., B, D] and averages over the D labels.
    """
    check_same(pred, target)
    share = alpha * target + (1.0 - alpha) * (1.0 - target)
    return per_sample(share * _focal((2.0 * target - 1.0) * pred, gamma))


@loss(
    title="Focal, many classes",
    family="focal",
    tasks=("multiclass",),
    expects="logits",
    link="softmax",
    probabilistic=True,
    params=(
        _GAMMA,
        Param("weight", "none", None, None, "'none', 'balanced' or one weight per class", kind="class_weights"),
    ),
    formula=r"-w_t\,(1 - p_t)^{\gamma} \log p_t",
    reference=_REFERENCE,
    oracle="the paper's formula in mpmath, 50 digits",
    traps=(
        _NOT_PROPER,
        _SMALL,
        "Weights multiply each row and are not divided by their mean over the batch, as cross_entropy's are: with "
        "gamma = 0 and weights the two differ by that factor.",
        "Some libraries divide by the number of classes as well; their values are that much smaller.",
    ),
)
def focal(pred: Tensor, target: Tensor, *, gamma: float | Tensor = 2.0, weight: Tensor | None = None) -> Tensor:
    """Cross entropy times (1 - p_t)^gamma, so that easy rows count little.

    Takes logits [..., B, C] and class indices [..., B].
    """
    check_classes(pred, target)
    index = target.unsqueeze(-1)
    others = pred.scatter(-1, index, -math.inf).logsumexp(-1)
    rows = _focal(pred.gather(-1, index).squeeze(-1) - others, gamma)
    return rows if weight is None else weight.to(pred.dtype)[target] * rows
