"""Where the hot loop leaves its figures: preallocated on the device, read by the host once per chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.floating]

WEIGHT, UPDATE, GRADIENT = 0, 1, 2
"""Rows of everything that is kept of weights, update and gradient alike."""


@dataclass(frozen=True, slots=True)
class RingRow:
    """The places for the figures of one step.

    Attributes:
        loss: [K], the data term.
        penalty: [K].
        norms: per layer [3, K]: norms of weights, update and gradient (before clipping).
        clip: [K], norm after clipping / norm before.
        scale: [K], loss scale (fp16 only).
    """

    loss: Tensor
    penalty: Tensor
    norms: tuple[Tensor, ...]
    clip: Tensor
    scale: Tensor


@dataclass(frozen=True, slots=True)
class Figures:
    """What a chunk of F steps left, on the host: shapes as in `RingRow` with a leading F; norms [F, L, 3, K]."""

    loss: Floats
    penalty: Floats
    norms: Floats
    clip: Floats
    scale: Floats


class Ring:
    """Room for the figures of up to `capacity` steps."""

    def __init__(self, capacity: int, members: int, layers: int, device: torch.device, dtype: torch.dtype) -> None:
        self.capacity = capacity
        self._loss = torch.zeros(capacity, members, device=device, dtype=dtype)
        self._penalty = torch.zeros_like(self._loss)
        self._clip = torch.ones_like(self._loss)
        self._scale = torch.ones_like(self._loss)
        self._norms = torch.zeros(capacity, layers, 3, members, device=device, dtype=dtype)
        self._rows: list[RingRow] = []

    def rows(self, count: int) -> list[RingRow]:
        """Return the places of the first `count` steps."""
        if count > len(self._rows):
            new = slice(len(self._rows), count)
            norms = [tuple(step.unbind(0)) for step in self._norms[new].unbind(0)]
            columns = (t[new].unbind(0) for t in (self._loss, self._penalty, self._clip, self._scale))
            self._rows += [
                RingRow(loss, penalty, step_norms, clip, scale)
                for (loss, penalty, clip, scale), step_norms in zip(zip(*columns, strict=True), norms, strict=True)
            ]
        return self._rows[:count]

    def read(self, count: int) -> Figures:
        """Copy the first `count` steps to the host; waits for the device."""
        tensors = (self._loss, self._penalty, self._norms, self._clip, self._scale)
        return Figures(*(t[:count].cpu().numpy().copy() for t in tensors))
