"""Where and in which arithmetic a stack is trained."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from lossdiag.errors import TrainError
from lossdiag.spec import TrainSpec


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Device, type of the parameters, and the type that mixed precision computes in (None without it)."""

    device: torch.device
    dtype: torch.dtype
    mixed: torch.dtype | None

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the forward pass runs."""
        if self.mixed is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.mixed)


def arithmetic(train: TrainSpec) -> Arithmetic:
    """Resolve device and precision of `train`.

    Raises:
        TrainError: the device is not there, or does not know the precision.
    """
    device = torch.device(_device(train.device))
    if device.type == "mps" and train.precision == "float64":
        raise TrainError("device 'mps' has no float64; use train.precision float32 or train.device cpu")
    dtype = torch.float64 if train.precision == "float64" else torch.float32
    mixed = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(train.precision)
    return Arithmetic(device, dtype, mixed)


def _device(name: str) -> str:
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        # Stacks of small networks are faster on the CPU than on a Mac's GPU; a CUDA device pays from a few members on.
        return "cuda" if present["cuda"] else "cpu"
    if not present[name]:
        there = ", ".join(d for d, here in present.items() if here)
        raise TrainError(f"train.device {name!r} is not available on this machine; it has {there} (or use 'auto')")
    return name
