"""Dynamic loss scaling for float16, per member and without waiting for the device.

The rule is that of torch.amp.GradScaler: an overflow halves the scale and skips the step, a long run of clean steps
doubles it. Micikevicius et al. (2018), Mixed Precision Training, arXiv:1710.03740.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class LossScale:
    """Scales of K members; multiply each loss by its own, then `unscale` the gradients and `update`."""

    def __init__(
        self,
        members: int,
        *,
        device: torch.device | str,
        init: float = 65536.0,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int = 2000,
    ) -> None:
        """Start all members at the same scale.

        Args:
            members: K.
            device: where the stack lives.
            init: first scale.
            growth: factor after `interval` steps without overflow.
            backoff: factor after an overflow.
            interval: how many clean steps in a row earn a larger scale.
        """
        self._growth, self._backoff, self._interval = growth, backoff, interval
        self._scale = torch.full((members,), init, device=device)
        self._clean_steps = torch.zeros(members, device=device, dtype=torch.int32)

    @property
    def scale(self) -> Tensor:
        """The scales now, float32 [K]."""
        return self._scale

    def unscale(self, grads: Tensor) -> Tensor:
        """Divide scaled gradients [K, P] by their scales in place; return which members overflowed, bool [K]."""
        found = ~grads.isfinite().all(-1)
        grads.mul_(self._scale.reciprocal().unsqueeze(-1))
        return found

    def update(self, found: Tensor) -> None:
        """Move the scales on after a step in which the members `found` (bool [K]) overflowed."""
        self._clean_steps += 1
        earned = ~found & (self._clean_steps == self._interval)
        larger = self._scale * self._growth
        grown = torch.where(earned & larger.isfinite(), larger, self._scale)
        self._scale = torch.where(found, self._scale * self._backoff, grown)
        self._clean_steps.masked_fill_(found | earned, 0)

    def state(self) -> dict[str, Tensor]:
        """Return the state by name, [K] each; references, clone them to keep them."""
        return {"scale": self._scale, "clean_steps": self._clean_steps}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Copy a state that `state` gave, of as many members, into this one."""
        self._scale = state["scale"].to(self._scale, copy=True)
        self._clean_steps.copy_(state["clean_steps"])
