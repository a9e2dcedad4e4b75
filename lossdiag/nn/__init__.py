"""Networks twice: readable plain torch.nn modules, and the same networks stacked over members."""

from lossdiag.nn.activations import activate, saturated
from lossdiag.nn.layout import Layer, Layout, Slot
from lossdiag.nn.mlp import MLP, HiddenLayer, build_module
from lossdiag.nn.stacked import NormBuffers, StackedMLP, Tap

__all__ = [
    "MLP",
    "HiddenLayer",
    "Layer",
    "Layout",
    "NormBuffers",
    "Slot",
    "StackedMLP",
    "Tap",
    "activate",
    "build_module",
    "saturated",
]
