"""Prepared data as tensors on the device, and the rows that evaluations look at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lossdiag.data import Prepared
from lossdiag.train.device import Arithmetic
from lossdiag.train.feed import Feed

MAX_EVAL_TRAIN = 2_048
MAX_EVAL_VAL = 20_000


def training_feed(data: Prepared, arithmetic: Arithmetic) -> Feed:
    """Return all training rows."""
    return _feed(data.x_train, data.y_train, np.arange(len(data.x_train)), arithmetic)


def evaluation_feeds(data: Prepared, arithmetic: Arithmetic) -> dict[str, Feed]:
    """Return the rows that are evaluated, by split: all, or as many as the caps allow, evenly spread."""
    return {
        "train": _feed(data.x_train, data.y_train, spread(len(data.x_train), MAX_EVAL_TRAIN), arithmetic),
        "val": _feed(data.x_val, data.y_val, spread(len(data.x_val), MAX_EVAL_VAL), arithmetic),
    }


def spread(n: int, cap: int) -> NDArray[np.int64]:
    """Return at most `cap` of the positions 0 .. n - 1, evenly spread."""
    return np.arange(n) if n <= cap else np.linspace(0, n - 1, cap).astype(np.int64)


def _feed(x: NDArray[np.float64], y: NDArray[np.generic], rows: NDArray[np.int64], arithmetic: Arithmetic) -> Feed:
    features = torch.as_tensor(x[rows], dtype=arithmetic.dtype).to(arithmetic.device)
    target = torch.as_tensor(y[rows])
    if target.dtype != torch.int64:
        target = target.to(arithmetic.dtype)
    return Feed(features, target.to(arithmetic.device))
