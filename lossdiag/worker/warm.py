"""Do once, ahead of the first run, what is slow the first time."""

from __future__ import annotations

import gc
from typing import Any, Literal

import pyarrow as pa
import torch

from lossdiag.spec import ExperimentSpec
from lossdiag.store import Table
from lossdiag.train import train


class _Nowhere:
    """A sink that keeps nothing."""

    def append(self, table: Table, batch: pa.RecordBatch) -> None:
        """Drop the rows."""

    def describe(self, **facts: Any) -> None:
        """Drop the facts."""


def warm_up(device: Literal["auto", "cpu"]) -> None:
    """Train two steps of a small experiment with the real engine: imports, allocations and kernels are then done.

    Afterwards this process may be forked, if it sees no GPU: it still has one thread, and what lives now is moved out
    of the garbage collector's sight, so that children share its memory.
    """
    torch.set_num_threads(1)
    spec = ExperimentSpec.parse(
        {
            "data": {"source": "synthetic:moons", "n": 64},
            "losses": ["bce_with_logits"],
            "seeds": 2,
            "train": {"steps": 2, "device": device},
        }
    )
    train(spec, _Nowhere(), uploads=None, should_stop=lambda: False)
    gc.collect()
    gc.freeze()
