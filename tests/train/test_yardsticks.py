"""Yardsticks of K members at once against scikit-learn, one member at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.registry import YARDSTICKS, Task, loss_cards
from lossdiag.train.yardsticks import auroc, confusion, yardsticks

LOSS: dict[Task, str] = {
    "regression": "mse",
    "count": "poisson_nll",
    "binary": "bce_with_logits",
    "multiclass": "cross_entropy",
    "multilabel": "bce_with_logits",
}
tasks = pytest.mark.parametrize("task", LOSS)
quick = settings(derandomize=True, deadline=None, max_examples=30)
shapes = {"seed": st.integers(0, 10_000), "members": st.integers(1, 4), "rows": st.integers(2, 40)}


def draw(
    task: Task, seed: int, members: int, rows: int, *, ties: bool = False, width: int = 3
) -> tuple[Tensor, Tensor]:
    """Outputs [K, N, D] and one target for all; with `ties` few distinct outputs."""
    rng = np.random.default_rng(seed)
    width = 1 if task == "binary" else width
    output = rng.integers(-2, 3, (members, rows, width)) * 0.5 if ties else rng.normal(0, 2, (members, rows, width))
    target: dict[Task, Any] = {
        "regression": lambda: rng.normal(0, 1, (rows, width)),
        "count": lambda: rng.integers(0, 9, (rows, width)).astype(float),
        "binary": lambda: rng.integers(0, 2, (rows, 1)).astype(float),
        "multiclass": lambda: rng.integers(0, width, rows),
        "multilabel": lambda: rng.integers(0, 2, (rows, width)).astype(float),
    }
    return torch.from_numpy(output), torch.from_numpy(target[task]())


def measure(task: Task, output: Tensor, target: Tensor, *, loss: str | None = None, **kwargs: Any) -> dict[str, Tensor]:
    return yardsticks(task, loss_cards()[loss or LOSS[task]], output, target, **kwargs)


def close(got: Tensor, want: list[float]) -> None:
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-12)


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """Guo et al. (2017), equation 3, with its half-open bins."""
    total = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def auc(true: np.ndarray, score: np.ndarray) -> float:
    return math.nan if len(set(true.tolist())) < 2 else float(metrics.roc_auc_score(true, score))


def nanmean(values: list[float]) -> float:
    kept = [v for v in values if not math.isnan(v)]
    return sum(kept) / len(kept) if kept else math.nan


@pytest.mark.parametrize("task", ["regression", "count"])
@quick
@given(**shapes)
def test_regression_and_count(task: Task, seed: int, members: int, rows: int) -> None:
    output, target = draw(task, seed, members, rows)
    std, mean = np.array([2.0, 0.5, 10.0]), np.array([1.0, -3.0, 0.0])
    prediction = (np.exp(output.numpy()) if task == "count" else output.numpy()) * std + mean
    true = target.numpy() * std + mean
    got = measure(task, output, target, target_std=torch.from_numpy(std))
    close(got["mae"], [metrics.mean_absolute_error(true, p) for p in prediction])
    close(got["rmse"], [metrics.root_mean_squared_error(true, p) for p in prediction])
    if np.ptp(true, axis=0).all():
        close(got["r2"], [metrics.r2_score(true, p) for p in prediction])


@pytest.mark.parametrize("ties", [False, True])
@quick
@given(**shapes)
def test_binary(ties: bool, seed: int, members: int, rows: int) -> None:
    output, target = draw("binary", seed, members, rows, ties=ties)
    true = target.numpy()[:, 0]
    got = measure("binary", output, target)
    score = output.numpy()[..., 0]
    called, p = (score > 0).astype(float), special.expit(score)
    both = len(set(true)) == 2
    close(got["accuracy"], [metrics.accuracy_score(true, c) for c in called])
    recall = [nanmean([np.mean(c[true == k] == k) for k in (0, 1) if (true == k).any()]) for c in called]
    close(got["balanced_accuracy"], recall)
    if both:
        close(got["balanced_accuracy"], [metrics.balanced_accuracy_score(true, c) for c in called])
    close(got["f1"], [metrics.f1_score(true, c, zero_division=np.nan) for c in called])
    close(got["auroc"], [auc(true, s) for s in score])
    close(got["ece"], [ece(np.maximum(q, 1 - q), c == true) for q, c in zip(p, called, strict=True)])
    close(got["log_loss"], [metrics.log_loss(true, q, labels=[0, 1]) for q in p])


@pytest.mark.parametrize("ties", [False, True])
@quick
@given(**shapes)
def test_multiclass_with_classes_that_may_be_missing(ties: bool, seed: int, members: int, rows: int) -> None:
    output, target = draw("multiclass", seed, members, rows, ties=ties, width=4)
    true = target.numpy()
    got = measure("multiclass", output, target)
    p = special.softmax(output.numpy(), axis=-1)
    called = output.numpy().argmax(-1)
    close(got["accuracy"], [metrics.accuracy_score(true, c) for c in called])
    present = np.unique(true)
    close(got["balanced_accuracy"], [np.mean([np.mean(c[true == k] == k) for k in present]) for c in called])
    close(got["f1"], [metrics.f1_score(true, c, average="macro", zero_division=np.nan) for c in called])
    if not ties:  # equal probabilities are equal here only up to rounding
        close(got["auroc"], [nanmean([auc(true == k, q[:, k]) for k in range(4)]) for q in p])
    close(got["ece"], [ece(q.max(-1), c == true) for q, c in zip(p, called, strict=True)])
    close(got["log_loss"], [metrics.log_loss(true, q, labels=range(4)) for q in p])


@quick
@given(**shapes)
def test_multilabel(seed: int, members: int, rows: int) -> None:
    output, target = draw("multilabel", seed, members, rows, ties=seed % 2 == 0)
    true = target.numpy()
    got = measure("multilabel", output, target)
    called, p = (output.numpy() > 0).astype(float), special.expit(output.numpy())
    close(got["accuracy"], [np.mean(c == true) for c in called])
    columns = range(true.shape[1])
    f1 = [nanmean([metrics.f1_score(true[:, d], c[:, d], zero_division=np.nan) for d in columns]) for c in called]
    close(got["f1"], f1)
    close(got["auroc"], [nanmean([auc(true[:, d], s[:, d]) for d in columns]) for s in output.numpy()])
    if all(0 < true[:, d].sum() < rows for d in columns):
        balanced = [np.mean([metrics.balanced_accuracy_score(true[:, d], c[:, d]) for d in columns]) for c in called]
        close(got["balanced_accuracy"], balanced)
    confidence = np.maximum(p, 1 - p).reshape(members, -1)
    close(got["ece"], [ece(q, (c == true).ravel()) for q, c in zip(confidence, called, strict=True)])
    close(got["log_loss"], [metrics.log_loss(true.ravel(), q.ravel(), labels=[0, 1]) for q in p])


def test_auroc_counts_ties_half() -> None:
    score = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
    positive = torch.tensor([False, True, False, True]).expand(3, 4)
    assert auroc(score, positive).tolist() == [0.5, 0.875, 0.5]


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_validation_rows_of_one_class(label: float) -> None:
    output, _ = draw("binary", 3, 2, 12)
    got = measure("binary", output, torch.full((12, 1), label).double())
    assert got["auroc"].isnan().all()
    assert torch.equal(got["balanced_accuracy"], got["accuracy"])
    assert got["log_loss"].isfinite().all()


def test_constant_target_has_no_r2() -> None:
    output, target = draw("regression", 3, 2, 7, width=1)
    got = measure("regression", output.float(), torch.full_like(target, 0.1).float())
    assert got["r2"].isnan().all()
    assert got["mae"].isfinite().all()


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_hinge_has_no_probabilities(task: Task) -> None:
    output, target = draw(task, 5, 2, 20)
    got, full = measure(task, output, target, loss="hinge"), measure(task, output, target)
    for name, value in got.items():
        if name in ("ece", "log_loss"):
            assert value.isnan().all()
        else:
            assert torch.equal(value, full[name])


@tasks
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_member_with_a_bad_output_gets_nan_and_the_others_their_values(task: Task, bad: float) -> None:
    output, target = draw(task, 8, 3, 20)
    whole = measure(task, output, target)
    output[1, 4, 0] = bad
    got = measure(task, output, target)
    for name, value in got.items():
        assert value[1].isnan(), name
        assert torch.equal(value[[0, 2]], whole[name][[0, 2]]), name
    output[:] = bad
    assert all(value.isnan().all() for value in measure(task, output, target).values())


@tasks
def test_nothing_waits_for_the_device(task: Task) -> None:
    # Tensors without data refuse whatever would have to read a value back to the host.
    output, target = (t.to("meta") for t in draw(task, 8, 3, 20))
    assert all(value.is_meta for value in measure(task, output, target).values())
    if task in ("binary", "multiclass"):
        assert confusion(task, output, target, 3).is_meta


@tasks
def test_names_are_those_of_the_table_in_its_order(task: Task) -> None:
    output, target = draw(task, 8, 2, 10)
    assert list(measure(task, output, target)) == [y.name for y in YARDSTICKS.values() if task in y.tasks]
    for name, value in measure(task, output, target).items():
        y = YARDSTICKS[name]
        assert y.low is None or bool((value >= y.low).all())
        assert y.high is None or bool((value <= y.high).all())


@tasks
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_other_precisions_and_a_target_per_member(task: Task, dtype: torch.dtype) -> None:
    output, target = draw(task, 11, 3, 30)
    low = output.to(dtype)
    own = target.expand(3, *target.shape)
    own = own if task == "multiclass" else own.to(dtype)
    exact = measure(task, low.double(), own.double() if own.is_floating_point() else own)
    for name, value in measure(task, low, own).items():
        torch.testing.assert_close(value.double(), exact[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@quick
@given(**shapes)
def test_confusion_counts_rows_as_scikit_learn(task: Task, seed: int, members: int, rows: int) -> None:
    output, target = draw(task, seed, members, rows)
    classes = 2 if task == "binary" else 3
    called = (output[..., 0] > 0).long() if task == "binary" else output.argmax(-1)
    got = confusion(task, output, target, classes)
    for k in range(members):
        want = metrics.confusion_matrix(target.flatten().numpy(), called[k].numpy(), labels=range(classes))
        np.testing.assert_array_equal(got[k].numpy(), want)
    output[0, 0, 0] = math.nan
    assert confusion(task, output, target, classes)[0].sum() == rows - 1


def test_confusion_needs_classes() -> None:
    output, target = draw("multilabel", 1, 2, 5)
    with pytest.raises(TrainError, match="binary or multiclass target, this one is multilabel"):
        confusion("multilabel", output, target, 3)


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_members_of_one_link_may_differ_in_giving_probabilities(task: Task) -> None:
    output, target = draw(task, 3, 3, 30)
    card = loss_cards()["hinge"]
    mixed = yardsticks(task, card, output, target, probabilistic=torch.tensor([True, False, True]))
    all_of_them = yardsticks(task, loss_cards()["brier"], output, target)
    for name, values in all_of_them.items():
        expected = values.clone()
        if name in ("ece", "log_loss"):
            expected[1] = torch.nan
        torch.testing.assert_close(mixed[name], expected, equal_nan=True, rtol=0, atol=0)
