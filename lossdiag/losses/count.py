"""Losses on counts: ``pred`` and ``target`` [..., B, D], result [..., B], the mean over the D columns."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lossdiag.losses.registration import loss
from lossdiag.losses.shapes import check_same, per_sample


@loss(
    title="Poisson negative log-likelihood",
    family="count",
    tasks=("count",),
    expects="log_rate",
    link="exp",
    formula=r"e^{z} - y\,z, \quad z = \log\hat\lambda",
    reference="Nelder and Wedderburn (1972), Generalized Linear Models, Journal of the Royal Statistical Society A 135",
    oracle="scipy.stats.poisson.logpmf, plus log(y!)",
    traps=(
        "The output is the logarithm of the rate: a network that already ends in exp or softplus needs another form.",
        "The exponential overflows to infinity above an output of 88.7 in float32 and 11.1 in float16: scale features, "
        "keep the learning rate low, clip gradients.",
        "The constant log(y!) is left out, so the value may be negative and is not zero at a perfect prediction.",
        "It takes the variance to equal the mean; counts with more spread give overconfident rates.",
    ),
)
def poisson_nll(pred: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of a count under a Poisson distribution whose log rate is the output.

    Minimised by the conditional mean; predictions are always positive.
    """
    check_same(pred, target)
    return per_sample(F.poisson_nll_loss(pred, target, log_input=True, full=False, reduction="none"))
