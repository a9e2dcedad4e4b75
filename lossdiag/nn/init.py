"""How the weights of a linear layer start."""

from __future__ import annotations

import torch
from torch import nn

from lossdiag.spec.parts import Init


@torch.no_grad()
def initialise(linear: nn.Linear, init: Init, gain: float) -> None:
    """Fill the weights of `linear` in place, drawing from torch's global generator.

    ``torch`` keeps what `torch.nn.Linear` drew (its biases too) and multiplies the weights by `gain`; all others set
    the biases to zero. ``xavier_*`` and ``kaiming_*`` (for relu) and ``orthogonal`` multiply their usual weights by
    `gain`; ``normal`` takes it as the standard deviation, ``constant`` as the value.

    Sources: Glorot and Bengio (2010), He et al. (2015), Saxe et al. (2014), as implemented in `torch.nn.init`.
    """
    weight = linear.weight
    if init == "torch":
        weight.mul_(gain)
        return
    linear.bias.zero_()
    match init:
        case "xavier_uniform":
            nn.init.xavier_uniform_(weight, gain)
        case "xavier_normal":
            nn.init.xavier_normal_(weight, gain)
        case "kaiming_uniform":
            nn.init.kaiming_uniform_(weight, nonlinearity="relu").mul_(gain)
        case "kaiming_normal":
            nn.init.kaiming_normal_(weight, nonlinearity="relu").mul_(gain)
        case "orthogonal":
            nn.init.orthogonal_(weight, gain)
        case "normal":
            weight.normal_(0.0, gain)
        case "constant":
            weight.fill_(gain)
        case "zeros":
            weight.zero_()
