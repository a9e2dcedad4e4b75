"""The two shape rules that all losses share."""

from __future__ import annotations

from torch import Tensor

from lossdiag.errors import TrainError


def check_same(pred: Tensor, target: Tensor) -> None:
    """Refuse a target whose shape is not the prediction's: torch would broadcast it, often without a word."""
    if pred.shape != target.shape:
        raise TrainError(
            f"target has shape {tuple(target.shape)}, prediction {tuple(pred.shape)}: they must be the same, "
            f"or each row would be compared with every other row's target"
        )


def check_classes(pred: Tensor, target: Tensor) -> None:
    """Refuse class indices whose shape is not that of the logits without their last axis."""
    if pred.shape[:-1] != target.shape:
        raise TrainError(
            f"class targets have shape {tuple(target.shape)}, logits {tuple(pred.shape)}: "
            f"expected one class index per row, shape {tuple(pred.shape[:-1])}"
        )


def per_sample(elements: Tensor) -> Tensor:
    """Average over the last axis: [..., B, D] to [..., B]."""
    return elements.squeeze(-1) if elements.shape[-1] == 1 else elements.mean(-1)
