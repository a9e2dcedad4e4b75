"""A table with a target, before anything was split, encoded or scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lossdiag.registry import Task

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which rows train and which validate, as positions in a frame, ascending.

    Attributes:
        train: [N] positions of the training rows.
        val: [V] positions of the validation rows.
        notes: what a person should know of it.
    """

    train: Rows
    val: Rows
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Corruption:
    """What a synthetic set had done to its training rows: the truth that detectors are measured against.

    Attributes:
        split: the split that it was applied under; `prepare` uses this one.
        outlier: [rows] True where the row was turned into an outlier.
        mislabelled: [rows] True where the target was replaced by a wrong one.
    """

    split: Split
    outlier: Mask
    mislabelled: Mask

    @property
    def clean(self) -> Mask:
        """[rows] True where nothing was done to the row."""
        return ~(self.outlier | self.mislabelled)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A table with its target chosen and its task known.

    Attributes:
        frame: features, raw; the index holds each row's 0-based position among the file's data rows.
        target: one or more target columns, raw, without missing values, on the same index.
        name: what to call it: the sample's, the generator's or the file's name.
        task: inferred from the target or given by the spec.
        classes: names of the classes in the order of their codes (binary: the second is 1), empty for other tasks.
        notes: what was done or noticed, in sentences for a person.
        corruption: what was done to the rows of a synthetic set; None for files.
    """

    frame: pd.DataFrame
    target: pd.DataFrame
    name: str
    task: Task
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    corruption: Corruption | None = None

    @property
    def clean(self) -> Mask:
        """[rows] False where a synthetic row was turned into an outlier or given a wrong target."""
        return np.ones(len(self.frame), dtype=bool) if self.corruption is None else self.corruption.clean
