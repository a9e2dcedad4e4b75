"""What happens to a stack's gradient before the optimizer sees it: penalties and clipping, member by member."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lossdiag.nn import Layout
from lossdiag.spec import ExperimentSpec


class Penalty:
    """L1 and L2 terms on the weights of linear layers; biases and normalisation are left alone."""

    def __init__(self, specs: Sequence[ExperimentSpec], layout: Layout, like: Tensor) -> None:
        """Read the strengths of each member; `like` gives device and dtype."""
        self._l1 = like.new_tensor([s.regularise.l1 for s in specs]).unsqueeze(1)
        self._l2 = like.new_tensor([s.regularise.l2 for s in specs]).unsqueeze(1)
        self._weights = [(s.start, s.stop) for s in layout.slots if s.weight]

    def add(self, weights: Tensor, grads: Tensor, out: Tensor) -> None:
        """Add the terms' gradient to `grads` [K, P] in place and write their value [K] to `out`."""
        out.zero_()
        for start, stop in self._weights:
            w, g = weights[:, start:stop], grads[:, start:stop]
            out += (self._l1 * w.abs() + self._l2 * w.square()).sum(1)
            g += self._l1 * w.sign() + 2.0 * self._l2 * w


class Clip:
    """Clipping by each member's whole norm, then by value; either may be absent.

    By norm as `torch.nn.utils.clip_grad_norm_`, by value as `torch.nn.utils.clip_grad_value_`.
    """

    def __init__(self, specs: Sequence[ExperimentSpec], like: Tensor) -> None:
        """Read the limits of each member; `like` gives device and dtype."""
        norms, values = [s.clip.norm for s in specs], [s.clip.value for s in specs]
        self._norm = None if None in norms else like.new_tensor(norms)
        self._value = None if None in values else like.new_tensor(values).unsqueeze(1)

    def apply(self, grads: Tensor, out: Tensor) -> None:
        """Clip `grads` [K, P] in place; write norm after clipping / norm before to `out` [K], 1 where nothing was."""
        norm = torch.linalg.vector_norm(grads, dim=1)
        if self._norm is not None:
            factor = (self._norm / (norm + 1e-6)).clamp_(max=1.0)
            grads.mul_(factor.unsqueeze(1))
            out.copy_(factor)
        if self._value is not None:
            torch.maximum(torch.minimum(grads, self._value, out=grads), -self._value, out=grads)
            # A gradient of zero is not clipped: 0 / 0 counts as 1.
            out.copy_((torch.linalg.vector_norm(grads, dim=1) / norm).masked_fill_(norm == 0, 1.0))


def make_penalty(specs: Sequence[ExperimentSpec], layout: Layout, like: Tensor) -> Penalty | None:
    """Return the penalty of a stack, None where no member has one."""
    some = any(s.regularise.l1 > 0 or s.regularise.l2 > 0 for s in specs)
    return Penalty(specs, layout, like) if some else None


def make_clip(specs: Sequence[ExperimentSpec], like: Tensor) -> Clip | None:
    """Return the clipping of a stack, None where no member has any."""
    some = any(s.clip.norm is not None or s.clip.value is not None for s in specs)
    return Clip(specs, like) if some else None
