"""What a target is (regression, count, binary, multiclass, multilabel), and the target as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lossdiag.data.columns import Kind, as_floats, first_not_number, kind_of
from lossdiag.data.limits import MAX_CLASSES, MAX_LEVELS, bad
from lossdiag.errors import DataError
from lossdiag.registry import Task


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one target column looks like; values are sorted, by size or by alphabet."""

    name: str
    kind: Kind
    values: NDArray[Any]
    whole: bool

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(map(str, self.values.tolist()))


def infer_task(name: str, target: pd.DataFrame) -> Task:
    """Return the task that the values of a target without missing values suggest.

    One column: two distinct values (whole numbers, texts, truth values) are binary; texts, and up to 20 distinct
    whole numbers with three rows each on average, multiclass; other numbers regression. Several columns: all of zeros
    and ones multilabel, else regression.

    Raises:
        DataError: the target is constant, a date, a mixture, or has too many distinct texts.
    """
    facts = [_facts(name, target[column]) for column in target.columns]
    if len(facts) > 1:
        return "multilabel" if all(map(_zero_one, facts)) else "regression"
    only = facts[0]
    if only.kind == "number" and not only.whole:
        return "regression"
    if len(only.values) == 2:
        return "binary"
    few = len(only.values) <= MAX_LEVELS and len(target) >= 3 * len(only.values)
    if only.kind == "category":
        _check_classes(name, only, len(target))
    return "multiclass" if few or only.kind == "category" else "regression"


def check_task(name: str, target: pd.DataFrame, task: Task) -> tuple[str, ...]:
    """Return the names of the classes of a target under `task`, in the order of their codes.

    Args:
        name: of the data set, for messages.
        target: without missing values.
        task: what the target is to be.

    Raises:
        DataError: the target cannot be that; the message says which value is in the way and which task fits.
    """
    facts = [_facts(name, target[column]) for column in target.columns]
    if len(facts) > 1 and task in ("binary", "multiclass"):
        raise bad(name, f"task {task} takes one target column, got {len(facts)}; choose one, or task multilabel")
    match task:
        case "binary":
            return _binary(name, facts[0])
        case "multiclass":
            return _multiclass(name, facts[0], len(target))
        case "multilabel":
            _multilabel(name, facts, target)
        case "regression" | "count":
            for fact in facts:
                _numeric(name, fact, target[fact.name], task)
    return ()


def encode_target(target: pd.DataFrame, task: Task, classes: tuple[str, ...]) -> NDArray[Any]:
    """Return the target as numbers: int64 [rows] of class codes for multiclass, else float64 [rows, D]."""
    if task in ("binary", "multiclass"):
        column = target.iloc[:, 0]
        values = _distinct(column)
        codes = np.searchsorted(values, column.to_numpy(dtype=values.dtype))
        assert len(values) == len(classes)
        return codes.astype("int64") if task == "multiclass" else codes.astype("float64")[:, None]
    return np.column_stack([as_floats(target[column]) for column in target.columns])


def _facts(name: str, column: pd.Series) -> _Facts:
    kind = kind_of(column)
    label = str(column.name)
    if kind == "date":
        raise bad(name, "holds dates, which cannot be a target; turn them into numbers first", column=label)
    if kind == "mixed":
        row, text = first_not_number(column)
        raise bad(
            name,
            f"{text!r} is not a number, while most of this target column is; mend the cell or leave it empty",
            column=label,
            row=int(column.index[row]),
        )
    values = _distinct(column)
    if kind == "number" and not np.isfinite(values).all():
        row = int(column.index[np.flatnonzero(~np.isfinite(as_floats(column)))[0]])
        raise bad(name, "the target is infinite; mend the cell or leave it empty", column=label, row=row)
    if len(values) == 1:
        raise bad(
            name,
            f"the target has only one value ({values[0]}) in all {len(column)} rows, so there is nothing to learn; "
            "choose another target column",
            column=label,
        )
    whole = kind == "bool" or (kind == "number" and bool((values == np.rint(values)).all()))
    return _Facts(label, kind, values, whole)


def _distinct(column: pd.Series) -> NDArray[Any]:
    if kind_of(column) == "category":
        return np.array(sorted(column.astype("str").unique()), dtype=object)
    if pd.api.types.is_bool_dtype(column.dtype):
        return np.unique(column.to_numpy(dtype=bool))
    return np.unique(column.to_numpy())


def _zero_one(fact: _Facts) -> bool:
    return fact.kind == "bool" or (fact.kind == "number" and set(fact.values.tolist()) <= {0, 1})


def _few(fact: _Facts) -> str:
    return ", ".join(fact.labels[:4]) + (" ..." if len(fact.values) > 4 else "")


def _binary(name: str, fact: _Facts) -> tuple[str, ...]:
    if len(fact.values) != 2:
        better = "multiclass" if fact.kind != "number" or fact.whole else "regression"
        raise bad(
            name,
            f"task binary needs two distinct values, this target has {len(fact.values)} ({_few(fact)}); use {better}",
            column=fact.name,
        )
    return fact.labels


def _multiclass(name: str, fact: _Facts, rows: int) -> tuple[str, ...]:
    if fact.kind == "number" and not fact.whole:
        real = next(v for v in fact.values.tolist() if v != int(v))
        raise bad(
            name,
            f"task multiclass needs classes, this target holds real numbers ({real:g}); use regression",
            column=fact.name,
        )
    _check_classes(name, fact, rows)
    return fact.labels


def _check_classes(name: str, fact: _Facts, rows: int) -> None:
    many = len(fact.values)
    if many > MAX_CLASSES or (many > 2 and many > rows / 2):
        raise bad(
            name,
            f"the target has {many} distinct values in {rows} rows ({_few(fact)}); a class needs at least two rows "
            f"on average, and at most {MAX_CLASSES} classes are read: choose another target column",
            column=fact.name,
        )


def _multilabel(name: str, facts: list[_Facts], target: pd.DataFrame) -> None:
    for fact in facts:
        if not _zero_one(fact):
            other = next(str(v) for v in fact.values.tolist() if v not in (0, 1))
            row = int(target.index[np.flatnonzero((~target[fact.name].isin((0, 1))).to_numpy())[0]])
            raise bad(
                name, f"task multilabel needs 0 or 1 in every target column, got {other}", column=fact.name, row=row
            )


def _numeric(name: str, fact: _Facts, column: pd.Series, task: Task) -> None:
    if fact.kind == "category":
        raise bad(
            name,
            f"task {task} needs numbers, got {str(column.iloc[0])!r}; use binary or multiclass",
            column=fact.name,
            row=int(column.index[0]),
        )
    if task == "count":
        values = as_floats(column)
        wrong = np.flatnonzero((values < 0) | (values != np.rint(values)))
        if len(wrong):
            raise _not_a_count(name, fact, int(column.index[wrong[0]]), float(values[wrong[0]]))


def _not_a_count(name: str, fact: _Facts, row: int, value: float) -> DataError:
    return bad(name, f"task count needs whole numbers from 0, got {value:g}; use regression", column=fact.name, row=row)
