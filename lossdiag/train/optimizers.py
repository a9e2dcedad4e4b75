"""Update rules of torch.optim, element-wise over a stack: K members, P parameters each, hyperparameters per member.

Everything is [K, P], or [K, 1] for what a member has once. A rule turns weights and gradients into the update U that
the caller subtracts: W - U is what torch.optim would have left. Operations follow torch's own in kind and order, so
that a member overflows where a plain loop would. Call under ``torch.no_grad()``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.registry import did_you_mean

HYPERPARAMETERS = ("momentum", "nesterov", "beta1", "beta2", "alpha", "eps", "weight_decay")
"""Fields of OptimizerSpec that `make_optimizer` reads (the learning rate is given at every update)."""


class Optimizer(ABC):
    """What all rules share: buffers, step counts, skipping and snapshots."""

    def __init__(
        self, shape: tuple[int, int], hyper: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype, skip: bool
    ) -> None:
        self._shape, self._hyper, self._device, self._dtype, self._skippable = shape, hyper, device, dtype, skip
        self._decay, self._decays = self._value("weight_decay"), self._any("weight_decay")
        self._buffers: dict[str, Tensor] = {}
        self._scratch = self._zeros()
        # One count on the host serves all members, until one of them may skip a step.
        self._count = 0
        self._counts = torch.zeros(shape[0], 1, device=device, dtype=dtype)

    def update(self, weights: Tensor, grads: Tensor, lr: Tensor, out: Tensor, skip: Tensor | None = None) -> Tensor:
        """Advance the rule's state by one step and write the update to `out`.

        Args:
            weights: [K, P], left as they are.
            grads: [K, P], left as they are.
            lr: learning rates [K, 1].
            out: [K, P], none of the others.
            skip: bool [K, 1], members that are to stand still: update zero, state and step count as before. As
                GradScaler does after an overflow. Needs an optimizer made with ``skippable=True``.

        Returns:
            `out`.
        """
        if skip is None:
            self._count += 1
            if self._skippable:
                self._counts += 1
            return self._step(weights, grads, lr, out)
        if not self._skippable:
            raise TrainError("this optimizer cannot skip a member's step; make it with skippable=True")
        before = {name: buffer.clone() for name, buffer in self._buffers.items()}
        self._counts += ~skip
        self._step(weights, grads, lr, out)
        for name, buffer in self._buffers.items():
            torch.where(skip, before[name], buffer, out=buffer)
        return out.masked_fill_(skip, 0.0)

    def state(self) -> dict[str, Tensor]:
        """Return the state by name, every entry with K rows; buffers are references, clone them to keep them."""
        counts = self._counts if self._skippable else torch.full_like(self._counts, self._count)
        return {"step": counts, **self._buffers}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Copy a state that `state` gave, of as many members, into this optimizer.

        Entries that this optimizer has no use for are ignored: a stack keeps momentum for all where one has it.

        Raises:
            TrainError: an entry is missing, or has another shape.
        """
        for name, own in {"step": self._counts, **self._buffers}.items():
            if name not in state or state[name].shape != own.shape:
                came = f"shape {tuple(state[name].shape)}" if name in state else "nothing"
                raise TrainError(f"optimizer state {name!r}: got {came}, expected shape {tuple(own.shape)}")
            own.copy_(state[name])
        if not self._skippable:
            self._count = int(self._counts.max())

    @abstractmethod
    def _step(self, weights: Tensor, grads: Tensor, lr: Tensor, out: Tensor) -> Tensor:
        """Advance the state by one step, write the update to `out` and return it."""

    def _zeros(self) -> Tensor:
        return torch.zeros(self._shape, device=self._device, dtype=self._dtype)

    def _buffer(self, name: str) -> Tensor:
        return self._buffers.setdefault(name, self._zeros())

    def _value(self, name: str) -> float | Tensor:
        return _per_member(self._hyper[name], self._device, self._dtype)

    def _any(self, name: str) -> bool:
        return bool(self._hyper[name].any())

    def _with_decay(self, weights: Tensor, grads: Tensor) -> Tensor:
        """Return grads + weight_decay * weights, in the scratch buffer unless nobody decays."""
        return _add_scaled(grads, weights, self._decay, self._scratch) if self._decays else grads


class Sgd(Optimizer):
    """torch.optim.SGD: momentum without dampening, Nesterov's form, coupled weight decay."""

    def __init__(
        self, shape: tuple[int, int], hyper: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype, skip: bool
    ) -> None:
        super().__init__(shape, hyper, device, dtype, skip)
        self._momentum = self._value("momentum")
        self._nesterov = hyper["nesterov"].to(device=device, dtype=torch.bool)
        self._some_nesterov, self._all_nesterov = self._any("nesterov"), bool(hyper["nesterov"].all())
        self._velocity = self._buffer("momentum") if self._any("momentum") else None

    def _step(self, weights: Tensor, grads: Tensor, lr: Tensor, out: Tensor) -> Tensor:
        grads = self._with_decay(weights, grads)
        if self._velocity is None:
            return torch.mul(grads, lr, out=out)
        self._velocity.mul_(self._momentum).add_(grads)
        if not self._some_nesterov:
            return torch.mul(self._velocity, lr, out=out)
        _add_scaled(grads, self._velocity, self._momentum, out)
        if not self._all_nesterov:
            torch.where(self._nesterov, out, self._velocity, out=out)
        return out.mul_(lr)


class Adam(Optimizer):
    """torch.optim.Adam (Kingma and Ba 2015, arXiv:1412.6980): weight decay is added to the gradient."""

    _decoupled = False

    def __init__(
        self, shape: tuple[int, int], hyper: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype, skip: bool
    ) -> None:
        super().__init__(shape, hyper, device, dtype, skip)
        self._mean, self._square = self._buffer("mean"), self._buffer("square")
        self._beta2, self._eps = self._value("beta2"), self._value("eps")
        self._fresh1 = _per_member(1.0 - hyper["beta1"].double(), device, dtype)
        self._fresh2 = _per_member(1.0 - hyper["beta2"].double(), device, dtype)
        self._betas = tuple(_per_member(hyper[b], device, dtype) for b in ("beta1", "beta2"))
        self._log_betas = tuple(hyper[b].double().log().to(device=device, dtype=dtype) for b in ("beta1", "beta2"))

    def _step(self, weights: Tensor, grads: Tensor, lr: Tensor, out: Tensor) -> Tensor:
        if not self._decoupled:
            grads = self._with_decay(weights, grads)
        self._mean.lerp_(grads, self._fresh1)
        _decay_square(self._square, self._beta2, grads, self._fresh2, scratch=out)
        bias1, bias2 = self._bias_corrections()
        torch.sqrt(self._square, out=out).div_(bias2**0.5).add_(self._eps)
        torch.mul(self._mean, lr / bias1, out=self._scratch)
        torch.div(self._scratch, out, out=out)
        if self._decoupled and self._decays:
            out.addcmul_(weights, lr * self._decay)
        return out

    def _bias_corrections(self) -> tuple[float | Tensor, float | Tensor]:
        """Return 1 - beta^t for both betas."""
        beta1, beta2 = self._betas
        if not self._skippable and isinstance(beta1, float) and isinstance(beta2, float):
            return 1.0 - beta1**self._count, 1.0 - beta2**self._count
        counts = self._counts.clamp(min=1.0) if self._skippable else float(self._count)
        first, second = (-torch.expm1(log * counts) for log in self._log_betas)
        return first, second


class AdamW(Adam):
    """torch.optim.AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101): weight decay apart from the gradient."""

    _decoupled = True


class RmsProp(Optimizer):
    """torch.optim.RMSprop, not centred: momentum over the scaled gradient, coupled weight decay."""

    def __init__(
        self, shape: tuple[int, int], hyper: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype, skip: bool
    ) -> None:
        super().__init__(shape, hyper, device, dtype, skip)
        self._square = self._buffer("square")
        self._alpha, self._eps = self._value("alpha"), self._value("eps")
        self._fresh = _per_member(1.0 - hyper["alpha"].double(), device, dtype)
        self._momentum = self._value("momentum")
        self._velocity = self._buffer("momentum") if self._any("momentum") else None

    def _step(self, weights: Tensor, grads: Tensor, lr: Tensor, out: Tensor) -> Tensor:
        grads = self._with_decay(weights, grads)
        _decay_square(self._square, self._alpha, grads, self._fresh, scratch=out)
        torch.sqrt(self._square, out=out).add_(self._eps)
        if self._velocity is not None:
            self._velocity.mul_(self._momentum).addcdiv_(grads, out)
            return torch.mul(self._velocity, lr, out=out)
        torch.mul(grads, lr, out=self._scratch)
        return torch.div(self._scratch, out, out=out)


_RULES: Mapping[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam, "adamw": AdamW, "rmsprop": RmsProp}


def make_optimizer(
    name: str,
    members: int,
    parameters: int,
    hyper: Mapping[str, Tensor],
    *,
    device: torch.device | str,
    dtype: torch.dtype,
    skippable: bool = False,
) -> Optimizer:
    """Return a rule for a stack of `members` with `parameters` values each, its state zero.

    Args:
        name: sgd, adam, adamw or rmsprop.
        members: K.
        parameters: P.
        hyper: each of `HYPERPARAMETERS` as [K, 1]; in float64, or 1 - beta2 is off by 5e-5. Read once, here.
        device: where the stack lives.
        dtype: type of the weights.
        skippable: whether `Optimizer.update` may be told to skip members (costs a few small operations a step).

    Raises:
        TrainError: no such rule, or a hyperparameter that is missing or has another shape.
    """
    if name not in _RULES:
        raise TrainError(
            f"unknown optimizer {name!r}, expected one of {', '.join(_RULES)}.{did_you_mean(name, _RULES)}"
        )
    for key in HYPERPARAMETERS:
        came = tuple(hyper[key].shape) if key in hyper else None
        if came != (members, 1):
            raise TrainError(f"hyperparameter {key!r}: got shape {came}, expected {(members, 1)}")
    return _RULES[name]((members, parameters), hyper, torch.device(device), dtype, skippable)


def _per_member(values: Tensor, device: torch.device, dtype: torch.dtype) -> float | Tensor:
    """Return a plain number where all members agree, for which torch has cheaper calls, else [K, 1] on the device."""
    first = float(values[0])
    return first if bool((values == first).all()) else values.to(device=device, dtype=dtype)


def _add_scaled(base: Tensor, other: Tensor, scale: float | Tensor, out: Tensor) -> Tensor:
    """Write base + scale * other to `out`."""
    if isinstance(scale, float):
        return torch.add(base, other, alpha=scale, out=out)
    return torch.addcmul(base, other, scale, out=out)


def _decay_square(
    square: Tensor, decay: float | Tensor, grads: Tensor, fresh: float | Tensor, *, scratch: Tensor
) -> None:
    """Set square to decay * square + fresh * grads^2.

    Not by `lerp_`, which turns a square that has overflowed to infinity into NaN where torch.optim keeps infinity.
    """
    square.mul_(decay)
    if isinstance(fresh, float):
        square.addcmul_(grads, grads, value=fresh)
    else:
        square.addcmul_(torch.mul(grads, fresh, out=scratch), grads)
