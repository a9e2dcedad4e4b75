"""The same networks, K at a time: one tensor program whose parameters carry a leading member axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.nn.activations import activate
from lossdiag.nn.layout import Layout, flatten, layout_of
from lossdiag.nn.mlp import MLP, build_module
from lossdiag.spec.parts import ModelSpec

_NORM_EPS = 1e-5  # of torch.nn.BatchNorm1d and LayerNorm
_MOMENTUM = 0.1


@dataclass(frozen=True, slots=True)
class Tap:
    """What went into and came out of one hidden layer's activation, each [K, B, width]."""

    before: Tensor
    after: Tensor


@dataclass(frozen=True, slots=True)
class NormBuffers:
    """Running statistics of batch normalisation, one pair of [K, width] per hidden layer (none for other norms)."""

    mean: tuple[Tensor, ...]
    var: tuple[Tensor, ...]

    def clone(self) -> NormBuffers:
        """Return a copy that shares nothing."""
        return NormBuffers(tuple(m.clone() for m in self.mean), tuple(v.clone() for v in self.var))

    def copy_(self, other: NormBuffers) -> None:
        """Take over the values of `other`."""
        for mine, theirs in zip(self.mean + self.var, other.mean + other.var, strict=True):
            mine.copy_(theirs)


class StackedMLP:
    """K networks of one architecture; parameters and state are passed in, nothing is kept here.

    Members may differ in `init`, `gain` and the probability of `dropout`; all else is `model`'s.

    Attributes:
        layout: where the parameters lie in a [K, P] tensor.
    """

    def __init__(self, model: ModelSpec, n_in: int, n_out: int) -> None:
        self.model, self.n_in, self.n_out = model, n_in, n_out
        with torch.device("meta"):
            self.layout: Layout = layout_of(MLP(model, n_in, n_out))
        self._activate = activate(model.activation)
        # Parameters of one hidden layer: weight, bias and, when normalised, scale and shift.
        self._stride = 2 if model.norm == "none" else 4

    def initial(self, starts: Sequence[tuple[ModelSpec, int]]) -> Tensor:
        """Return the initial parameters [K, P] in float32: row m is `build_module` under the m-th (model, seed)."""
        rows: dict[tuple[str, float, int], Tensor] = {}
        with torch.random.fork_rng(devices=[]):
            for model, seed in starts:
                key = (model.init, model.gain, seed)
                if key not in rows:
                    torch.manual_seed(seed)
                    rows[key] = flatten(build_module(model, self.n_in, self.n_out))
        return torch.stack([rows[model.init, model.gain, seed] for model, seed in starts])

    def buffers(self, count: int, device: torch.device, dtype: torch.dtype) -> NormBuffers:
        """Return the running statistics of `count` members as a fresh BatchNorm1d has them."""
        depth = self.model.depth if self.model.norm == "batch" else 0
        shape, kind = (count, self.model.width), {"device": device, "dtype": dtype}
        zeros = tuple(torch.zeros(shape, **kind) for _ in range(depth))  # type: ignore[call-overload]
        return NormBuffers(zeros, tuple(torch.ones_like(z) for z in zeros))

    def state(self, row: Tensor, buffers: NormBuffers) -> dict[str, Tensor]:
        """Return one member's parameters [P] and running statistics [1, width] as the plain module's state."""
        state = self.layout.state(row)
        for i, (mean, var) in enumerate(zip(buffers.mean, buffers.var, strict=True)):
            state[f"hidden.{i}.norm.running_mean"] = mean[0].clone()
            state[f"hidden.{i}.norm.running_var"] = var[0].clone()
            # torch counts the batches too, though with a fixed momentum nothing reads the count.
            state[f"hidden.{i}.norm.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        return state

    def forward(
        self,
        parameters: Sequence[Tensor],
        x: Tensor,
        *,
        training: bool = False,
        buffers: NormBuffers | None = None,
        masks: Tensor | None = None,
        taps: list[Tap] | None = None,
    ) -> Tensor:
        """Map features [K, B, n_in] to outputs [K, B, n_out].

        Args:
            parameters: views by `layout.views`.
            x: features; a member axis of stride 0 (``expand``) is fine.
            training: normalise by the batch's own statistics rather than the running ones.
            buffers: running statistics; updated when training. None while training leaves no trace.
            masks: dropout factors [K, depth, B, width], 0 or 1 / (1 - p); None drops nothing.
            taps: filled with what each activation saw and gave, when a list is passed.
        """
        at = 0
        for i in range(self.model.depth):
            weight, bias, *affine = parameters[at : at + self._stride]
            at += self._stride
            before = torch.baddbmm(bias, x, weight)
            if affine:
                before = self._normalise(i, before, affine, training, buffers)
            h = self._activate(before)
            if taps is not None:
                taps.append(Tap(before, h))
            if masks is not None:
                h = h * masks[:, i]
            x = h + x if self.model.skip and weight.shape[1] == weight.shape[2] else h
        return torch.baddbmm(parameters[at + 1], x, parameters[at])

    def _normalise(
        self, i: int, x: Tensor, affine: Sequence[Tensor], training: bool, buffers: NormBuffers | None
    ) -> Tensor:
        scale, shift = affine
        if self.model.norm == "layer":
            return F.layer_norm(x, (x.shape[-1],), eps=_NORM_EPS) * scale + shift
        # Members' units side by side are just more channels to torch's own kernel.
        members, rows, width = x.shape
        mean = None if buffers is None else buffers.mean[i].view(-1)
        var = None if buffers is None else buffers.var[i].view(-1)
        flat = x.transpose(0, 1).reshape(rows, members * width)
        out = F.batch_norm(flat, mean, var, scale.flatten(), shift.flatten(), training, _MOMENTUM, _NORM_EPS)
        return out.view(rows, members, width).transpose(0, 1)
