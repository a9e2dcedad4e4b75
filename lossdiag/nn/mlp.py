"""The multilayer perceptron as a plain torch.nn module: the meaning of a `ModelSpec`, and every member's start."""

from __future__ import annotations

from torch import Tensor, nn

from lossdiag.nn.activations import Pointwise
from lossdiag.nn.init import initialise
from lossdiag.spec.parts import ModelSpec


class HiddenLayer(nn.Module):
    """Linear map, normalisation, activation, dropout and, where the widths agree, a connection around it all."""

    def __init__(self, model: ModelSpec, n_in: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, model.width)
        self.norm: nn.Module = nn.Identity()
        if model.norm == "batch":
            self.norm = nn.BatchNorm1d(model.width)
        elif model.norm == "layer":
            self.norm = nn.LayerNorm(model.width)
        self.activation = Pointwise(model.activation)
        self.dropout = nn.Dropout(model.dropout)
        self.skip = model.skip and n_in == model.width

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, n_in] to [B, width]."""
        h: Tensor = self.dropout(self.activation(self.norm(self.linear(x))))
        return h + x if self.skip else h


class MLP(nn.Module):
    """Hidden layers and a linear output layer; depth 0 is a linear model."""

    def __init__(self, model: ModelSpec, n_in: int, n_out: int) -> None:
        super().__init__()
        widths = [n_in] + [model.width] * model.depth
        self.hidden = nn.ModuleList(HiddenLayer(model, w) for w in widths[:-1])
        self.output = nn.Linear(widths[-1], n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map features [B, n_in] to outputs [B, n_out]."""
        for layer in self.hidden:
            x = layer(x)
        out: Tensor = self.output(x)
        return out


def build_module(model: ModelSpec, n_in: int, n_out: int) -> MLP:
    """Build the network that `model` describes, its weights drawn from torch's global generator.

    Member m of a run starts as this module built in float32 right after ``torch.manual_seed(m.seed)``.

    Args:
        model: architecture and initialisation.
        n_in: number of features.
        n_out: number of outputs (see "Targets and outputs" in docs/architecture.md).
    """
    module = MLP(model, n_in, n_out)
    for part in module.modules():
        if isinstance(part, nn.Linear):
            initialise(part, model.init, model.gain)
    return module
