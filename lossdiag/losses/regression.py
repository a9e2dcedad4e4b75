r"""Losses on real numbers.

All take ``pred`` and ``target`` [..., B, D] and return [..., B], the mean over the D columns. With d = pred - target;
in the formulas :math:`y` is the target and :math:`\hat y` the prediction.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.losses.registration import loss
from lossdiag.losses.shapes import check_same, per_sample
from lossdiag.registry import Param, Task

_TASKS: tuple[Task, ...] = ("regression", "count")
_COUNTS = "On counts its prediction may be negative; poisson_nll's cannot."


@loss(
    title="Mean squared error",
    family="regression",
    tasks=_TASKS,
    expects="real",
    link="identity",
    formula=r"(\hat y - y)^2",
    reference="Legendre (1805), Nouvelles méthodes pour la détermination des orbites des comètes",
    oracle="sklearn.metrics.mean_squared_error",
    traps=(
        "Sensitive to outliers: the gradient grows in proportion to the error, so a few far rows can lead the fit.",
        "Its unit is the target's squared: it is not comparable with MAE, and unscaled targets make it explode.",
        "In float16 an error of 256 or more squares to infinity.",
        _COUNTS,
    ),
)
def mse(pred: Tensor, target: Tensor) -> Tensor:
    """Squared error, minimised by the conditional mean.

    The usual choice when errors are roughly normal.
    """
    check_same(pred, target)
    return per_sample(F.mse_loss(pred, target, reduction="none"))


@loss(
    title="Mean absolute error",
    family="regression",
    tasks=_TASKS,
    expects="real",
    link="identity",
    formula=r"\lvert \hat y - y \rvert",
    reference="Laplace (1774), Mémoire sur la probabilité des causes par les évènements",
    oracle="sklearn.metrics.mean_absolute_error",
    traps=(
        "It is robust to outliers (mse is the sensitive one); what it estimates is the median, not the mean.",
        "The gradient has the same size however small the error, so with a constant learning rate it keeps jittering "
        "around the optimum: let the rate decay.",
        "Not differentiable at zero error; torch takes the gradient 0 there. The second derivative is zero.",
        _COUNTS,
    ),
)
def mae(pred: Tensor, target: Tensor) -> Tensor:
    """Absolute error, minimised by the conditional median.

    Robust to outliers in the target.
    """
    check_same(pred, target)
    return per_sample(F.l1_loss(pred, target, reduction="none"))


@loss(
    title="Huber",
    family="regression",
    tasks=_TASKS,
    expects="real",
    link="identity",
    params=(Param("delta", 1.0, 0.001, 1000.0, "error at which the square turns into a straight line"),),
    formula=r"\begin{cases} \tfrac12 d^2 & \lvert d\rvert \le \delta \\"
    r" \delta\,(\lvert d\rvert - \tfrac12\delta) & \text{otherwise} \end{cases}, \quad d = \hat y - y",
    reference="Huber (1964), Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35(1)",
    oracle="scipy.special.huber",
    traps=(
        "delta is in the target's units: with a standardised target, in its standard deviations.",
        "It is half the squared error for small errors, so its scale is not mse's; smooth L1 is Huber divided by "
        "delta, the same only at delta = 1.",
        "The gradient never exceeds delta: a very small delta also makes every gradient very small.",
        _COUNTS,
    ),
)
def huber(pred: Tensor, target: Tensor, *, delta: float = 1.0) -> Tensor:
    """Half the squared error near zero, linear beyond delta.

    Smooth at the optimum like mse, robust to outliers like mae.
    """
    check_same(pred, target)
    return per_sample(F.huber_loss(pred, target, reduction="none", delta=delta))


@loss(
    title="Log-cosh",
    family="regression",
    tasks=_TASKS,
    expects="real",
    link="identity",
    formula=r"\log\cosh(\hat y - y)",
    reference="Saleh and Saleh (2022), Statistical Properties of the log-cosh Loss Function, arXiv:2208.04564",
    oracle="mpmath, 50 digits",
    traps=(
        "Written as log(cosh(d)) it overflows to infinity from an error of about 90 in float32; this form does not.",
        "Its turn from square to line lies at an error of about 1 and cannot be moved: scale the target.",
        _COUNTS,
    ),
)
def log_cosh(pred: Tensor, target: Tensor) -> Tensor:
    """Half the squared error near zero, absolute error minus log 2 far away, smooth throughout.

    A Huber loss without a corner in its second derivative.
    """
    check_same(pred, target)
    d = pred - target
    size = d.abs()
    # |d| + log((1 + exp(-2|d|)) / 2) cancels near zero, where log1p(sinh^2) / 2 is exact but overflows far away. The
    # clamp keeps the branch that is not taken finite: `where` alone would let its NaN gradient through.
    near = 0.5 * torch.log1p(torch.sinh(d.clamp(-1.0, 1.0)).square())
    far = size + torch.log1p(torch.exp(-2.0 * size)) - math.log(2.0)
    return per_sample(torch.where(size <= 1.0, near, far))


@loss(
    title="Quantile (pinball)",
    family="regression",
    tasks=_TASKS,
    expects="real",
    link="identity",
    params=(Param("q", 0.5, 0.01, 0.99, "the quantile to estimate; 0.5 is the median"),),
    formula=r"\max\bigl(q\,(y - \hat y),\; (q - 1)\,(y - \hat y)\bigr)",
    reference="Koenker and Bassett (1978), Regression Quantiles, Econometrica 46(1)",
    oracle="sklearn.metrics.mean_pinball_loss",
    traps=(
        "What it estimates is a quantile: judged by MAE or R2, any q but 0.5 looks biased, as it should.",
        "At q = 0.5 it is half of mae.",
        "Quantiles that are fitted apart may cross.",
        "Not differentiable at zero error; the gradient taken there is the mean of the two slopes.",
        _COUNTS,
    ),
)
def quantile(pred: Tensor, target: Tensor, *, q: float | Tensor = 0.5) -> Tensor:
    """Absolute error that weighs too-low predictions by q and too-high ones by 1 - q.

    Minimised by the conditional q-quantile; two of them make a prediction interval.
    """
    check_same(pred, target)
    e = target - pred
    return per_sample(torch.maximum(q * e, (q - 1.0) * e))
