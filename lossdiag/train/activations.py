"""How the units of each hidden layer stand: sampled at evaluations, on that step's training batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.nn import saturated
from lossdiag.train.stack import Stack


@dataclass(frozen=True, slots=True)
class ActivationSample:
    """Figures of every hidden layer after its activation (before dropout), over the batch and the layer's units.

    Attributes:
        step: the training step whose batch it saw.
        values: [depth, 4, K]: mean, standard deviation, share of exact zeros, share of saturated units (see
            `lossdiag.nn.saturated`).
    """

    step: int
    values: Tensor


@torch.no_grad()
def sample_activations(step: int, stack: Stack, x: Tensor) -> ActivationSample:
    """Look at the activations on a training batch x [K, B, n_in]; the stack's state is left as it was."""
    name = stack.net.model.activation
    layers: list[Tensor] = []
    for tap in stack.taps(x):
        # In the parameters' precision, for a mean over many half-precision units would be off; by hand, for
        # torch.std_mean takes ten times as long.
        after = tap.after.to(stack.weights.dtype).flatten(1)
        mean = after.mean(1)
        std = (after - mean.unsqueeze(1)).square().mean(1).sqrt()
        zero = (after == 0).to(mean.dtype).mean(1)
        flat = saturated(name, tap.before).to(mean.dtype).flatten(1).mean(1)
        layers.append(torch.stack([mean, std, zero, flat]))
    return ActivationSample(step, torch.stack(layers) if layers else x.new_empty(0, 4, len(x)))
