"""Turn raw columns into numbers. An encoder is fitted once, on training rows, and then only applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lossdiag.data.columns import as_floats

Matrix: TypeAlias = NDArray[np.float64]
OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class NumberCode:
    """A number or truth column: missing values filled, then ``(x - mean) / std``, and a mark column where asked.

    Attributes:
        name: the raw column.
        fill: what stands in for a missing value: the training mean.
        mean: subtracted; 0 where the column is not scaled.
        std: divided by; 1 where the column is not scaled.
        mark: whether a 0/1 column says where the value was missing.
        low: smallest raw training value.
        high: largest raw training value.
    """

    name: str
    fill: float
    mean: float
    std: float
    mark: bool
    low: float
    high: float

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns made."""
        return (self.name, f"{self.name} missing") if self.mark else (self.name,)

    def encode(self, column: pd.Series) -> Matrix:
        """Return [rows, outputs]."""
        values = as_floats(column)
        missing = np.isnan(values)
        scaled = (np.where(missing, self.fill, values) - self.mean) / self.std
        return np.column_stack([scaled, missing]) if self.mark else scaled[:, None]


@dataclass(frozen=True, slots=True)
class CategoryCode:
    """A text column, one-hot: a 0/1 column per level, and marks for other and for missing values where asked.

    Attributes:
        name: the raw column.
        levels: texts that have a column; of two levels without marks only the second, which says it all.
        seen: texts known by name, whether they need a column or not.
        other: whether a column stands for every text that is not a level.
        mark: whether a column says where the value was missing.
        typical: the most frequent training text.
    """

    name: str
    levels: tuple[str, ...]
    seen: tuple[str, ...]
    other: bool
    mark: bool
    typical: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the columns made."""
        extra = (OTHER,) * self.other
        return tuple(f"{self.name} = {v}" for v in (*self.levels, *extra)) + (f"{self.name} missing",) * self.mark

    def encode(self, column: pd.Series) -> Matrix:
        """Return [rows, outputs]; a text never seen in training is other, or all zeros."""
        text = column.astype("str")
        made = [(text == level).to_numpy(dtype="float64", na_value=0.0) for level in self.levels]
        if self.other:
            made.append((text.notna() & ~text.isin(self.levels)).to_numpy(dtype="float64"))
        if self.mark:
            made.append(text.isna().to_numpy(dtype="float64"))
        return np.column_stack(made)


Code: TypeAlias = NumberCode | CategoryCode


@dataclass(frozen=True, slots=True)
class Encoder:
    """How every raw column that is kept becomes numbers.

    Attributes:
        codes: one per raw column, in the table's order.
    """

    codes: tuple[Code, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the F columns that `encode` makes."""
        return tuple(name for code in self.codes for name in code.outputs)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest raw training value of each number column."""
        return {code.name: (code.low, code.high) for code in self.codes if isinstance(code, NumberCode)}

    def encode(self, frame: pd.DataFrame) -> Matrix:
        """Return [rows, F]; `frame` holds at least the raw columns that the encoder was fitted on."""
        return np.ascontiguousarray(np.hstack([code.encode(frame[code.name]) for code in self.codes]))

    def typical(self, rows: int) -> pd.DataFrame:
        """Return `rows` equal raw rows: each number at its training mean, each text the most frequent one."""
        values = {c.name: c.fill if isinstance(c, NumberCode) else c.typical for c in self.codes}
        return pd.DataFrame(values, index=range(rows))
