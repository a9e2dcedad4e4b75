"""The shared yardsticks of `lossdiag.registry.YARDSTICKS`, for K members at once and on their device.

A member with an output that is NaN or infinite gets NaN throughout, as does every member where a yardstick is not
defined: AUROC on rows of one class, R2 on a constant target, calibration of a loss that gives no probabilities.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.losses import predict
from lossdiag.registry import LossInfo, Task

_BINS = 15
_OF_PROBABILITIES = {"ece", "log_loss"}


@torch.no_grad()
def yardsticks(
    task: Task,
    info: LossInfo,
    output: Tensor,
    target: Tensor,
    *,
    target_std: Tensor | float = 1.0,
    probabilistic: Tensor | None = None,
) -> dict[str, Tensor]:
    """Measure K members that were trained on one loss, or on losses of one link.

    Args:
        task: what the target is.
        info: the card of the loss; its link turns outputs into predictions.
        output: [K, N, D] as the networks give it.
        target: [K, N, D], or [K, N] of int64 for multiclass, as the loss sees it; or one for all, without K.
        target_std: [D], what a regression target was divided by: MAE and RMSE are given in the target's own unit.
            What was subtracted from it does not matter to them.
        probabilistic: bool [K], whose linked outputs are probabilities; None means all or none, as the card says.

    Returns:
        Values [K] by name, in the order of the table; the mean over columns where a target has several.
    """
    output = output if output.dtype == torch.float64 else output.float()
    if task == "multiclass":
        target = target.expand(output.shape[:-1])
    else:
        target = target.to(output.dtype).expand(output.shape)
    if task in ("regression", "count"):
        values = _regression((predict(info.name, output) - target) * target_std, target * target_std)
    elif task == "multiclass":
        values = _multiclass(output, target)
    else:
        values = _labels(output, target)
    for name in _OF_PROBABILITIES & values.keys():
        if probabilistic is not None:
            values[name] = values[name].masked_fill(~probabilistic, torch.nan)
        elif not info.probabilistic:
            values[name] = torch.full_like(values[name], torch.nan)
    broken = ~output.isfinite().flatten(1).all(1)
    return {name: value.masked_fill(broken, torch.nan) for name, value in values.items()}


def confusion(task: Task, output: Tensor, target: Tensor, n_classes: int) -> Tensor:
    """Count rows by true class (first) and predicted class (second), int64 [K, C, C].

    Rows whose output is not finite are not counted.

    Args:
        task: binary or multiclass.
        output: [K, N, 1] for binary, [K, N, C] for multiclass.
        target: [K, N, 1] of 0 and 1, or [K, N] of int64; or one for all, without K.
        n_classes: C.

    Raises:
        TrainError: any other task.
    """
    if task == "multiclass":
        predicted, true = output.argmax(-1), target.expand(output.shape[:-1])
    elif task == "binary":
        predicted, true = (output[..., 0] > 0).long(), target.expand(output.shape)[..., 0].long()
    else:
        raise TrainError(f"a confusion matrix needs a binary or multiclass target, this one is {task}")
    counts = torch.zeros(len(output), n_classes * n_classes, dtype=torch.int64, device=output.device)
    counts.scatter_add_(1, true * n_classes + predicted, output.isfinite().all(-1).long())
    return counts.view(-1, n_classes, n_classes)


def auroc(score: Tensor, positive: Tensor) -> Tensor:
    """Return the area under the ROC curve, ties counted half; NaN where only one class is there.

    By the rank sum: Hanley and McNeil (1982), Radiology 143(1).

    Args:
        score: [..., N], larger means more likely positive.
        positive: bool [..., N].

    Returns:
        [...].
    """
    ordered = score.contiguous().sort(-1)
    # Twice the mean rank among equals, as whole numbers: the sums stay exact.
    below = torch.searchsorted(ordered.values, ordered.values)
    upto = torch.searchsorted(ordered.values, ordered.values, right=True)
    sorted_positive = positive.gather(-1, ordered.indices)
    double_ranks = ((below + upto + 1) * sorted_positive).sum(-1)
    positives = positive.sum(-1)
    negatives = positive.shape[-1] - positives
    return _ratio(double_ranks - positives * (positives + 1), 2 * positives * negatives, score.dtype)


def _regression(error: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Measure errors [K, N, D]."""
    squared = error.square()
    r2 = 1.0 - squared.sum(1) / (target - target.mean(1, keepdim=True)).square().sum(1)
    varies = target.amax(1) > target.amin(1)  # rounding may leave a constant target some variance
    return {
        "mae": error.abs().mean((1, 2)),
        "rmse": squared.mean(1).sqrt().mean(-1),
        "r2": torch.where(varies, r2, torch.nan).mean(-1),
    }


def _multiclass(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Measure logits [K, N, C] against classes [K, N]; means over the classes that are there."""
    classes = output.shape[-1]
    counts = confusion("multiclass", output, target, classes)
    hits, rows, calls = counts.diagonal(dim1=1, dim2=2), counts.sum(2), counts.sum(1)
    log_p = F.log_softmax(output, -1)
    # Log probabilities order rows as probabilities do, without rounding the confident ones to equal.
    each = auroc(log_p.mT, (target.unsqueeze(-1) == torch.arange(classes, device=target.device)).mT)
    values = {
        "accuracy": _ratio(hits.sum(1), rows.sum(1), output.dtype),
        "balanced_accuracy": _ratio(hits, rows, output.dtype).nanmean(-1),
        "f1": _ratio(2 * hits, rows + calls, output.dtype).nanmean(-1),
        "auroc": each.nanmean(-1),
    }
    predicted = output.argmax(-1)
    confidence = log_p.gather(-1, predicted.unsqueeze(-1)).exp()
    miss = -log_p.gather(-1, target.unsqueeze(-1))
    return values | _calibration(confidence, predicted == target, miss.mean((1, 2)))


def _labels(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Measure scores [K, N, D] against labels of 0 or 1; one label is the binary task, the mean over many multilabel's.

    A score above zero is a call for 1: even odds for a logit, the boundary for a margin.
    """
    true, called = target > 0.5, output > 0
    right = true == called
    hits, positives, calls = (true & called).sum(1), true.sum(1), called.sum(1)
    misses, negatives = (called & ~true).sum(1), (~true).sum(1)
    recalls = torch.stack([_ratio(hits, positives, output.dtype), _ratio(negatives - misses, negatives, output.dtype)])
    values = {
        "accuracy": right.to(output.dtype).mean((1, 2)),
        "balanced_accuracy": recalls.nanmean(0).nanmean(-1),
        "f1": _ratio(2 * hits, positives + calls, output.dtype).nanmean(-1),
        "auroc": auroc(output.mT, true.mT).nanmean(-1),
    }
    p = torch.sigmoid(output)
    miss = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return values | _calibration(torch.maximum(p, 1.0 - p), right, miss.mean((1, 2)))


def _calibration(confidence: Tensor, right: Tensor, log_loss: Tensor) -> dict[str, Tensor]:
    """Return the expected calibration error of confidences [K, ...] in what was called, and the log loss.

    Bins of equal width, closed above: Guo et al. (2017), arXiv:1706.04599.
    """
    confidence, right = confidence.flatten(1), right.flatten(1)
    bins = (confidence * _BINS).ceil().sub(1).clamp(0, _BINS - 1).nan_to_num(0.0).long()
    gaps = confidence.new_zeros(len(confidence), _BINS).scatter_add_(1, bins, confidence - right.to(confidence.dtype))
    return {"ece": gaps.abs().sum(1) / confidence.shape[1], "log_loss": log_loss}


def _ratio(part: Tensor, whole: Tensor, dtype: torch.dtype) -> Tensor:
    """Return part / whole of counts in `dtype`, NaN where there is nothing to divide by."""
    return torch.where(whole > 0, part.to(dtype) / whole.to(dtype), torch.nan)
