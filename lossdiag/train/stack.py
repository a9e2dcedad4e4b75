"""K members as one tensor program: their state, and the training step.

All that has the shape of the parameters lies in one [3, K, P] tensor (weights, update, gradient), so that an optimizer
is a handful of element-wise calls for the whole stack and one call per layer gives the norms of all three. That is what
pays for recording everything at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossdiag.nn import NormBuffers, StackedMLP, Tap
from lossdiag.train.device import Arithmetic
from lossdiag.train.dropout import DropoutStream
from lossdiag.train.limits import make_clip, make_penalty
from lossdiag.train.loss_scale import LossScale
from lossdiag.train.objective import Objective
from lossdiag.train.optimizers import HYPERPARAMETERS, make_optimizer
from lossdiag.train.plan import StackPlan
from lossdiag.train.ring import GRADIENT, UPDATE, WEIGHT, RingRow

Batch = tuple[Tensor, Tensor]

# Activations held at once when predicting, in elements: what fits a core's cache is twice as fast.
_IN_CACHE = 200_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the next steps depend on, except the batches and learning rates they are given."""

    weights: Tensor
    optimizer: dict[str, Tensor]
    buffers: NormBuffers
    dropout: list[Tensor]
    scale: dict[str, Tensor]


class Stack:
    """The members of one plan in training.

    Attributes:
        net: the stacked network.
        weights: parameters [K, P].
        update: what the last step subtracted from them, [K, P].
        gradient: of the last step after penalties and clipping, [K, P].
        parameters: views of the weights for `net.forward`.
        buffers: running statistics of batch normalisation.
        seeds: the distinct seeds.
        seed_of: position of each member's seed, [K].
    """

    def __init__(
        self, plan: StackPlan, net: StackedMLP, objective: Objective, arithmetic: Arithmetic, batch_size: int
    ) -> None:
        self.plan, self.net, self.objective, self.arithmetic = plan, net, objective, arithmetic
        device, dtype = arithmetic.device, arithmetic.dtype
        count, layout = len(plan.members), net.layout
        self._all = torch.zeros(3, count, layout.size, device=device, dtype=dtype)
        self.weights, self.update, self.gradient = self._all[WEIGHT], self._all[UPDATE], self._all[GRADIENT]
        self.weights.copy_(net.initial([(s.model, m.seed) for s, m in zip(plan.specs, plan.members, strict=True)]))
        self.parameters = layout.views(self.weights)
        # .data, not detach(): autograd would take a write to the gradient for one to the weights beside it.
        self._leaves = [p.data.requires_grad_() for p in self.parameters]
        self._layers = [self._all[:, :, layer.start : layer.stop] for layer in layout.layers]
        self.buffers = net.buffers(count, device, dtype)
        self._ones = torch.ones(count, device=device, dtype=dtype)
        self.seeds = sorted({m.seed for m in plan.members})
        self.seed_of = torch.tensor([self.seeds.index(m.seed) for m in plan.members], device=device)
        self._dropout = self._make_dropout(batch_size)
        self._penalty = make_penalty(plan.specs, layout, self.weights)
        self._clip = make_clip(plan.specs, self.weights)
        optimizer = plan.shared.optimizer
        hyper = {
            name: torch.tensor([[float(getattr(s.optimizer, name))] for s in plan.specs], dtype=torch.float64)
            for name in HYPERPARAMETERS
        }
        # Half precision loses small gradients: each member's loss is scaled up, and a step that overflows is skipped.
        self._scale = LossScale(count, device=device) if arithmetic.mixed == torch.float16 else None
        self._optimizer = make_optimizer(
            optimizer.name,
            count,
            layout.size,
            hyper,
            device=device,
            dtype=dtype,
            skippable=self._scale is not None,
        )

    def step(self, batches: Sequence[Batch], lr: Tensor, out: RingRow) -> None:
        """Take one optimizer step and leave its figures in `out`.

        Args:
            batches: features [K, B, n_in] and targets of each batch whose gradients are averaged.
            lr: learning rates [K, 1].
            out: where the figures go.
        """
        loss = self._backward(*batches[0])
        with torch.no_grad():
            if len(batches) > 1:
                loss = self._accumulate(loss, batches[1:])
            out.loss.copy_(loss)
            skip = None if self._scale is None else self._unscale(self._scale, out)
            if self._penalty is not None:
                self._penalty.add(self.weights, self.gradient, out.penalty)
            if self._clip is not None:
                self._norms(slice(GRADIENT, GRADIENT + 1), out)
                self._clip.apply(self.gradient, out.clip)
            self._optimizer.update(self.weights, self.gradient, lr, self.update, skip)
            self._norms(None if self._clip is None else slice(WEIGHT, UPDATE + 1), out)
            self.weights.sub_(self.update)

    def _unscale(self, scale: LossScale, out: RingRow) -> Tensor:
        """Take the loss scale out of the gradient; return who has to skip this step, [K, 1]."""
        out.scale.copy_(scale.scale)
        overflow = scale.unscale(self.gradient)
        scale.update(overflow)
        return overflow.unsqueeze(1)

    def _backward(self, x: Tensor, y: Tensor) -> Tensor:
        """Set the gradient to that of each member's mean loss over one batch; return those losses [K]."""
        masks = None if self._dropout is None else self._dropout.draw()
        with self.arithmetic.autocast():
            output = self.net.forward(self._leaves, x, training=True, buffers=self.buffers, masks=masks)
        loss = self.objective(output if self.arithmetic.mixed is None else output.float(), y)
        grads = torch.autograd.grad(loss, self._leaves, self._ones if self._scale is None else self._scale.scale)
        torch.cat([g.flatten(1) for g in grads], dim=1, out=self.gradient)
        return loss.detach()

    def _accumulate(self, loss: Tensor, batches: Sequence[Batch]) -> Tensor:
        total = self.gradient.clone()
        for x, y in batches:
            with torch.enable_grad():
                loss = loss + self._backward(x, y)
            total += self.gradient
        self.gradient.copy_(total).div_(len(batches) + 1)
        return loss / (len(batches) + 1)

    def _norms(self, which: slice | None, out: RingRow) -> None:
        """Leave the norms of every layer in `out`: of weights, update and gradient alike, or of some of them."""
        # Naming a type, even the tensor's own, would double the time of the call.
        kind = None if out.loss.dtype == self.weights.dtype else out.loss.dtype
        for layer, norms in zip(self._layers, out.norms, strict=True):
            if which is None:
                torch.linalg.vector_norm(layer, dim=2, dtype=kind, out=norms)
            else:
                torch.linalg.vector_norm(layer[which], dim=2, dtype=kind, out=norms[which])

    def _make_dropout(self, batch_size: int) -> DropoutStream | None:
        probability = [s.model.dropout for s in self.plan.specs]
        model = self.plan.shared.model
        if not any(probability) or not model.depth:
            return None
        shape = (model.depth, batch_size, model.width)
        return DropoutStream(self.seeds, self.seed_of, self.weights.new_tensor(probability), shape)

    @torch.no_grad()
    def predict(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Return the outputs [k, N, D] of some members for features [N, n_in], as in evaluation mode."""
        first, last, _ = rows.indices(len(self.weights))
        size = max(1, _IN_CACHE // (len(x) * max(self.net.model.width, self.net.n_out)))
        parts = [self._predict(x, slice(at, min(at + size, last))) for at in range(first, last, size)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _predict(self, x: Tensor, rows: slice) -> Tensor:
        parameters = [p[rows] for p in self.parameters]
        buffers = NormBuffers(tuple(m[rows] for m in self.buffers.mean), tuple(v[rows] for v in self.buffers.var))
        with self.arithmetic.autocast():
            output = self.net.forward(parameters, x.expand(len(parameters[0]), *x.shape), buffers=buffers)
        return output.to(self.weights.dtype)

    @torch.no_grad()
    def taps(self, x: Tensor) -> list[Tap]:
        """Return what each activation sees and gives on a training batch [K, B, n_in], leaving no trace."""
        taps: list[Tap] = []
        with self.arithmetic.autocast():
            self.net.forward(self.parameters, x, training=True, taps=taps)
        return taps

    def snapshot(self) -> Snapshot:
        """Return a copy of the state."""
        optimizer = {name: t.clone() for name, t in self._optimizer.state().items()}
        dropout = [] if self._dropout is None else self._dropout.state()
        scale = {} if self._scale is None else {name: t.clone() for name, t in self._scale.state().items()}
        return Snapshot(self.weights.clone(), optimizer, self.buffers.clone(), dropout, scale)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to the state that `snapshot` holds."""
        self.weights.copy_(snapshot.weights)
        self._optimizer.load(snapshot.optimizer)
        self.buffers.copy_(snapshot.buffers)
        if self._dropout is not None:
            self._dropout.load(snapshot.dropout)
        if self._scale is not None:
            self._scale.load(snapshot.scale)
