"""One small set of column types, whatever the file was: int64, float64, bool, boolean, str, datetime64.

A number column is int64 where every value is whole and present, else float64 with NaN for missing; a truth column is
bool, or the nullable boolean where some are missing; text is pandas' str with NaN for missing. So the same table gives
the same frame from CSV, Parquet, JSON Lines, NPZ and Excel.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lossdiag.data.limits import bad

Kind: TypeAlias = Literal["number", "bool", "category", "date", "mixed", "empty"]
"""What a column holds; ``mixed``: numbers with some text among them, ``empty``: nothing but missing values."""

NA_TEXT = ("", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "<NA>")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([T ].*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
)
_EXACT = 2.0**53


def check_names(filename: str, names: Sequence[object]) -> list[str]:
    """Return the column names as stripped text.

    Raises:
        DataError: a column has no name, or two have the same.
    """
    found = ["" if name is None else str(name).strip().lstrip("\ufeff") for name in names]
    seen: dict[str, int] = {}
    for position, name in enumerate(found, start=1):
        if not name:
            raise bad(
                filename,
                f"column {position} of {len(found)} has no name in the first row; name every column "
                "(a row number written by pandas goes away with to_csv(..., index=False))",
            )
        if name in seen:
            raise bad(filename, f"the name {name!r} is used by columns {seen[name]} and {position}; rename one of them")
        seen[name] = position
    return found


def canonical(filename: str, frame: pd.DataFrame, *, na_text: bool = False) -> pd.DataFrame:
    """Return `frame` with every column in one of the types above.

    Args:
        filename: name for messages.
        frame: columns of any type.
        na_text: whether texts such as ``NA`` and ``?`` mean a missing value (CSV and Excel).

    Raises:
        DataError: a cell holds a list, a mapping, bytes or complex numbers; row and column are named.
    """
    columns = {str(name): _column(filename, str(name), frame[name], na_text) for name in frame.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def _column(filename: str, name: str, column: pd.Series, na_text: bool) -> pd.Series:
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(column.dtype):
        return _truths(column)
    if pd.api.types.is_complex_dtype(column.dtype):
        raise bad(filename, "holds complex numbers; split them into real and imaginary columns", column=name)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _numbers(column)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return _numbers(column.dt.total_seconds())
    if column.dtype == object:
        return _objects(filename, name, column, na_text)
    return _texts(column, na_text)


def _truths(column: pd.Series) -> pd.Series:
    missing = bool(column.isna().any())
    return column.astype("boolean" if missing else "bool")


def _numbers(column: pd.Series) -> pd.Series:
    if pd.api.types.is_signed_integer_dtype(column.dtype) and not column.isna().any():
        return column.astype("int64")
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    # A comparison with NaN is false, so that a missing or infinite value keeps the column real.
    whole = bool(np.all((np.abs(values) <= _EXACT) & (values == np.rint(values))))
    return pd.Series(values.astype("int64") if whole and len(values) else values)


def _objects(filename: str, name: str, column: pd.Series, na_text: bool) -> pd.Series:
    missing = column.isna().to_numpy()
    present = column[~missing]
    types = set(map(type, present))
    if not types:
        return pd.Series(np.full(len(column), np.nan))
    odd = [
        t
        for t in types
        if not issubclass(t, (bool, int, float, str, Decimal, dt.date, dt.time, dt.timedelta, np.generic))
    ]
    if odd:
        row = next(int(i) for i, value in present.items() if type(value) in odd)  # type: ignore[call-overload]
        raise bad(
            filename,
            f"holds a {odd[0].__name__}; every cell must be a number, a text or a truth value",
            column=name,
            row=row,
        )
    if types <= {bool, np.bool_}:
        return _truths(column.astype("boolean"))
    if all(issubclass(t, (int, float, Decimal, np.number)) for t in types):
        values = np.full(len(column), np.nan)
        values[~missing] = [_as_float(value) for value in present]
        return _numbers(pd.Series(values))
    if all(issubclass(t, dt.date) for t in types):
        try:
            return pd.to_datetime(column)
        except (ValueError, TypeError, OverflowError):  # mixed time zones, years before 1677: dates all the same
            return _texts(present.astype("str").reindex(column.index), na_text)
    return _texts(present.map(str).astype("str").reindex(column.index), na_text)


def _as_float(value: object) -> float:
    try:
        return float(cast(float, value))
    except OverflowError:  # a whole number beyond the range of float64
        return np.inf if cast(int, value) > 0 else -np.inf


def _texts(column: pd.Series, na_text: bool) -> pd.Series:
    text = column.astype("str").str.strip()
    if na_text:
        text = text.mask(text.isin(NA_TEXT))
    present = text.dropna()
    if present.empty:
        return pd.Series(np.full(len(text), np.nan))
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.notna().all():
        return _numbers(numbers.reindex(text.index))
    lower = present.str.lower()
    if lower.isin(("true", "false")).all():
        return _truths((lower == "true").astype("boolean").reindex(text.index))
    return text


def kind_of(column: pd.Series) -> Kind:
    """Return what a column of a canonical frame holds."""
    if column.isna().all():
        return "empty"
    if pd.api.types.is_bool_dtype(column.dtype):
        return "bool"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date"
    present = column.dropna()
    distinct = present.value_counts()
    if _share(distinct, [_DATE.fullmatch(str(value)) is not None for value in distinct.index]) >= 0.9:
        return "date"
    numeric = pd.to_numeric(distinct.index.to_series(), errors="coerce").notna().to_numpy()
    if _share(distinct, numeric) <= 0.5:
        return "category"
    # Grades such as 1, 2, 3, A, each seen often, are categories; one slip of the pen in a column of numbers is not.
    rare_text = bool((distinct.to_numpy()[~numeric] < max(3, 0.01 * len(present))).any())
    return "mixed" if rare_text or len(distinct) > 20 else "category"


def _share(distinct: pd.Series, chosen: Sequence[bool] | NDArray[np.bool_]) -> float:
    counts = distinct.to_numpy()
    return float(counts[np.asarray(chosen, dtype=bool)].sum() / counts.sum())


def as_floats(column: pd.Series) -> NDArray[np.float64]:
    """Return a number or truth column as float64 [N], NaN where missing."""
    return column.to_numpy(dtype="float64", na_value=np.nan)


def first_not_number(column: pd.Series) -> tuple[int, str]:
    """Return the position and the text of the first cell of a text column that is not a number."""
    wrong = column.notna() & pd.to_numeric(column, errors="coerce").isna()
    row = int(np.flatnonzero(wrong.to_numpy())[0])
    return row, str(column.iloc[row])
