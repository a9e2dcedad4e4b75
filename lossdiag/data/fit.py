"""Fit an encoder on training rows, and say what was dropped, filled or gathered on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lossdiag.data.columns import as_floats, first_not_number, kind_of
from lossdiag.data.encode import CategoryCode, Code, Encoder, NumberCode
from lossdiag.data.limits import MAX_LEVELS, bad


def check_features(name: str, frame: pd.DataFrame) -> None:
    """Refuse columns that cannot be made numbers without a person's decision.

    Args:
        name: of the data set, for messages.
        frame: raw features of all rows; the index holds positions in the file.

    Raises:
        DataError: a column is a date, has no values, mixes numbers and text, or holds an infinite value.
    """
    for label in map(str, frame.columns):
        column = frame[label]
        match kind_of(column):
            case "empty":
                raise bad(name, "every value is missing; leave the column out (data.drop)", column=label)
            case "date":
                raise bad(
                    name,
                    f"holds dates or times ({column.dropna().iloc[0]}), which have no unit to learn in; "
                    "turn them into numbers, such as days since the first, or leave the column out (data.drop)",
                    column=label,
                )
            case "mixed":
                row, text = first_not_number(column)
                raise bad(
                    name,
                    f"{text!r} is not a number, while most of the column is; mend the cell, leave it empty if the "
                    "value is missing, or leave the column out (data.drop)",
                    column=label,
                    row=int(column.index[row]),
                )
            case "number":
                values = as_floats(column)
                infinite = np.flatnonzero(np.isinf(values))
                if len(infinite):
                    raise bad(
                        name,
                        f"the value is infinite ({values[infinite[0]]}); mend the cell or leave it empty",
                        column=label,
                        row=int(column.index[infinite[0]]),
                    )


@dataclass(slots=True)
class _Fit:
    standardize: bool
    codes: list[Code] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def fit_encoder(name: str, train: pd.DataFrame, *, standardize: bool) -> tuple[Encoder, tuple[str, ...]]:
    """Fit on the training rows alone.

    Numbers are scaled by mean and standard deviation (divisor N) where `standardize`; what becomes 0 or 1 (truth
    values, categories, marks) is not. Constant columns are dropped, and so are texts that differ in most rows; of
    other texts the 20 most frequent have a column of their own.

    Returns:
        The encoder, and notes for a person.

    Raises:
        DataError: no column is left, or a column spans values too large to be scaled.
    """
    fit = _Fit(standardize)
    for label in map(str, train.columns):
        column = train[label]
        if column.nunique() <= 1 and not (column.nunique() == 1 and column.isna().any()):
            fit.constant.append(label)
        elif kind_of(column) in ("bool", "number"):
            _fit_number(name, fit, label, column)
        else:
            _fit_category(fit, label, column)
    if fit.constant:
        fit.notes.append(f"dropped, the same in all training rows: {_listed(fit.constant)}")
    if fit.marked:
        fit.notes.append(f"missing values filled, and marked in a column of their own: {_listed(fit.marked)}")
    if not fit.codes:
        raise bad(name, "no feature column is left to learn from; " + "; ".join(fit.notes or ["add one to the table"]))
    return Encoder(tuple(fit.codes)), tuple(fit.notes)


def _fit_number(name: str, fit: _Fit, label: str, column: pd.Series) -> None:
    values = as_floats(column)
    present = values[~np.isnan(values)]
    mark = len(present) < len(values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(present.mean()), float(np.where(np.isnan(values), present.mean(), values).std())
    if not (np.isfinite(mean) and np.isfinite(std)):
        raise bad(name, f"values up to {np.abs(present).max():.3g} are too large to be scaled", column=label)
    if not fit.standardize or pd.api.types.is_bool_dtype(column.dtype):
        shift, factor = 0.0, 1.0
    else:
        shift, factor = mean, std or 1.0
    fit.codes.append(NumberCode(label, mean, shift, factor, mark, float(present.min()), float(present.max())))
    if mark:
        fit.marked.append(f"{label} ({len(values) - len(present)})")
    # A number that counts the rows says nothing, and a network can still learn it by heart.
    if len(values) > 10 and np.ptp(values - column.index.to_numpy(dtype="float64")) == 0:
        fit.notes.append(f"column {label!r} numbers the rows; consider leaving it out (data.drop)")


def _fit_category(fit: _Fit, label: str, column: pd.Series) -> None:
    counts = column.astype("str").value_counts().sort_index().sort_values(ascending=False, kind="stable")
    rows = int(counts.sum())
    if len(counts) > max(2, rows / 2):
        fit.notes.append(f"dropped {label!r}: {len(counts)} distinct texts in {rows} rows, almost one for each row")
        return
    other = len(counts) > MAX_LEVELS
    levels = seen = sorted(map(str, counts.index[: MAX_LEVELS - other]))
    mark = rows < len(column)
    if other:
        gathered = len(counts) - len(levels)
        share = counts.iloc[len(levels) :].sum() / rows
        fit.notes.append(
            f"column {label!r}: {len(counts)} distinct texts; the {len(levels)} most frequent have a column each, "
            f"the other {gathered} ({share:.0%} of the rows) share one"
        )
    if mark:
        fit.marked.append(f"{label} ({len(column) - rows})")
    if len(levels) == 2 and not mark:
        levels = levels[1:]
    fit.codes.append(CategoryCode(label, tuple(levels), tuple(seen), other, mark, str(counts.index[0])))


def unseen_notes(encoder: Encoder, val: pd.DataFrame) -> tuple[str, ...]:
    """Return what the validation rows hold that no training row did, and what becomes of it."""
    notes = []
    for code in encoder.codes:
        column = val[code.name]
        missing = int(column.isna().sum())
        if missing and not code.mark:
            filled = "the training mean" if isinstance(code, NumberCode) else "zeros"
            notes.append(f"column {code.name!r}: missing in {missing} validation rows but in no training row: {filled}")
        if isinstance(code, CategoryCode) and not code.other:
            unseen = int((~column.dropna().isin(code.seen)).sum())
            if unseen:
                notes.append(f"column {code.name!r}: {unseen} validation rows hold texts not seen in training: zeros")
    return tuple(notes)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
