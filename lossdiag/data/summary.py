"""Figures for a preview: what each column holds, how the classes are balanced, which column may be the target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lossdiag.data.columns import as_floats, kind_of
from lossdiag.data.dataset import Dataset

_TARGET_NAMES = ("target", "label", "labels", "class", "y", "outcome", "output", "response")


def summary(table: Dataset | pd.DataFrame) -> pd.DataFrame:
    """Return a row per column, a data set's targets last: column, kind, missing, distinct, min, mean, max.

    The last three are NaN where a column holds no numbers.
    """
    frame = pd.concat([table.frame, table.target], axis=1) if isinstance(table, Dataset) else table
    rows = [_row(str(name), frame[name]) for name in frame.columns]
    return pd.DataFrame(rows, columns=["column", "kind", "missing", "distinct", "min", "mean", "max"])


def _row(name: str, column: pd.Series) -> tuple[object, ...]:
    kind = kind_of(column)
    low = mean = high = np.nan
    if kind in ("number", "bool"):
        values = as_floats(column)
        values = values[~np.isnan(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            low, mean, high = values.min(), values.mean(), values.max()
    return name, kind, int(column.isna().sum()), int(column.nunique()), low, mean, high


def class_balance(dataset: Dataset) -> pd.DataFrame:
    """Return name, rows and share of each class, or of each label of a multilabel set; no rows for other tasks."""
    if dataset.task == "multilabel":
        counts = [int(as_floats(dataset.target[label]).sum()) for label in dataset.target.columns]
        names = list(map(str, dataset.target.columns))
    else:
        found = dataset.target.iloc[:, 0].astype("str")
        names, counts = list(dataset.classes), [int((found == name).sum()) for name in dataset.classes]
    return pd.DataFrame({"class": names, "rows": counts, "share": [n / len(dataset.frame) for n in counts]})


def suggest_target(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that can be a target, the likeliest first.

    A column with a telling name (target, label, class, y ...) comes first, then the last column, then the others from
    the right. Dates, constants, mixtures and texts that differ in most rows are left out.
    """
    usable = [str(name) for name in reversed(frame.columns) if _learnable(frame[name])]
    return tuple(sorted(usable, key=lambda name: name.lower() not in _TARGET_NAMES))


def _learnable(column: pd.Series) -> bool:
    kind, distinct = kind_of(column), column.nunique()
    if distinct < 2 or kind in ("date", "mixed", "empty"):
        return False
    return kind != "category" or distinct <= max(2, column.notna().sum() / 2)
