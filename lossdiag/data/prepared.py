"""From a data set to the arrays that training takes: split, encode, scale. Statistics come from training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdiag.data.dataset import Dataset, Mask, Rows, Split
from lossdiag.data.encode import Encoder, Matrix
from lossdiag.data.fit import check_features, fit_encoder, unseen_notes
from lossdiag.data.limits import bad
from lossdiag.data.split import split_rows
from lossdiag.data.task import check_task, encode_target
from lossdiag.registry import Task
from lossdiag.spec import DataSpec


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Arrays to train and to validate on.

    Attributes:
        name: of the data set.
        task: what the target is.
        x_train: float64 [N, F].
        y_train: float64 [N, D], scaled where the spec says so; int64 [N] of class codes for multiclass.
        x_val: float64 [V, F].
        y_val: float64 [V, D] or int64 [V].
        feature_names: F names.
        target_names: the target columns.
        classes: names of the classes in the order of their codes; empty unless binary or multiclass.
        target_mean: [D] what was subtracted from the target; 0 where it was not scaled.
        target_std: [D] what it was divided by; 1 where it was not scaled. ``raw = y * target_std + target_mean``.
        train_rows: [N] 0-based positions among the file's data rows.
        val_rows: [V] likewise.
        class_counts: training rows of each class (binary, multiclass) or with each label; empty for other tasks.
        clean: [N] False where a synthetic training row is an outlier or has a wrong target.
        encoder: turns raw rows into the F features; `boundary_grid` draws with it.
        notes: what was done or noticed, in sentences for a person.
    """

    name: str
    task: Task
    x_train: Matrix
    y_train: NDArray[Any]
    x_val: Matrix
    y_val: NDArray[Any]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    classes: tuple[str, ...]
    target_mean: NDArray[np.float64]
    target_std: NDArray[np.float64]
    train_rows: Rows
    val_rows: Rows
    class_counts: Rows
    clean: Mask
    encoder: Encoder
    notes: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """F, the network's inputs."""
        return len(self.feature_names)

    @property
    def n_outputs(self) -> int:
        """D, the network's outputs: classes for multiclass, else target columns (one for binary)."""
        return len(self.classes) if self.task == "multiclass" else len(self.target_names)


def prepare(dataset: Dataset, spec: DataSpec) -> Prepared:
    """Split, encode and scale `dataset` as `spec` says.

    Raises:
        DataError: a column cannot be made numbers, or too few rows or columns are left.
    """
    check_features(dataset.name, dataset.frame)
    dataset, dropped = _without_missing(dataset, spec)
    y = encode_target(dataset.target, dataset.task, dataset.classes)
    split = dataset.corruption.split if dataset.corruption else _split(dataset, y, spec)
    train, val = dataset.frame.iloc[split.train], dataset.frame.iloc[split.val]
    encoder, fitted = fit_encoder(dataset.name, train, standardize=spec.standardize)
    mean, std = _target_scale(dataset, y[split.train], spec)
    if dataset.task == "regression":
        y = (y - mean) / std
    rows = dataset.frame.index.to_numpy(dtype="int64")
    return Prepared(
        name=dataset.name,
        task=dataset.task,
        x_train=encoder.encode(train),
        y_train=y[split.train],
        x_val=encoder.encode(val),
        y_val=y[split.val],
        feature_names=encoder.outputs,
        target_names=tuple(map(str, dataset.target.columns)),
        classes=dataset.classes,
        target_mean=mean,
        target_std=std,
        train_rows=rows[split.train],
        val_rows=rows[split.val],
        class_counts=_class_counts(dataset, y[split.train]),
        clean=dataset.clean[split.train],
        encoder=encoder,
        notes=(*dataset.notes, *dropped, *split.notes, *fitted, *unseen_notes(encoder, val)),
    )


def _without_missing(dataset: Dataset, spec: DataSpec) -> tuple[Dataset, tuple[str, ...]]:
    keep = dataset.frame.notna().all(axis=1).to_numpy()
    if spec.missing != "drop" or keep.all():
        return dataset, ()
    if not keep.any():
        raise bad(dataset.name, "every row misses some value; fill them instead (data.missing: mean)")
    target = dataset.target[keep]
    classes = check_task(dataset.name, target, dataset.task)  # a class may have gone with its rows
    kept = Dataset(dataset.frame[keep], target, dataset.name, dataset.task, classes, dataset.notes)
    lost = [name for name in dataset.classes if name not in classes]
    notes = [f"{int((~keep).sum())} of {len(keep)} rows dropped: a feature is missing"]
    notes += [f"no row is left of class {', '.join(lost)}"] if lost else []
    return kept, tuple(notes)


def _split(dataset: Dataset, y: NDArray[Any], spec: DataSpec) -> Split:
    codes = y.reshape(len(y)).astype("int64") if dataset.classes else None
    return split_rows(dataset.name, len(y), spec.validation, spec.seed, codes, dataset.classes)


def _target_scale(dataset: Dataset, y: NDArray[Any], spec: DataSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    many = dataset.target.shape[1]
    if dataset.task != "regression" or not spec.standardize:
        return np.zeros(many), np.ones(many)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = y.mean(axis=0), y.std(axis=0)
    wrong = np.flatnonzero(~np.isfinite(std))
    if len(wrong):
        raise bad(dataset.name, "values are too large to be scaled", column=dataset.target.columns[wrong[0]])
    return mean, np.where(std > 0, std, 1.0)


def _class_counts(dataset: Dataset, y: NDArray[Any]) -> Rows:
    if dataset.classes:
        counts: Rows = np.bincount(y.reshape(len(y)).astype("int64"), minlength=len(dataset.classes))
        return counts
    positive: Rows = y.sum(axis=0).astype("int64")
    return positive if dataset.task == "multilabel" else positive[:0]
