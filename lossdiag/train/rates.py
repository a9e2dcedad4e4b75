"""The learning rate of every member at every step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossdiag.spec import ExperimentSpec
from lossdiag.train.schedules import Plateau, lr_table


class Rates:
    """Learning rates of a stack: tables worked out ahead, or moved by what evaluations say (plateau)."""

    def __init__(self, specs: Sequence[ExperimentSpec]) -> None:
        """Read the schedule of each member; either all of them use plateau or none does."""
        self._specs = specs
        self._plateau: Plateau | None = None
        if specs[0].schedule.name == "plateau":
            schedules = [s.schedule for s in specs]
            self._plateau = Plateau(
                [s.optimizer.lr for s in specs], [s.gamma for s in schedules], [s.patience for s in schedules]
            )

    @property
    def listens(self) -> bool:
        """Whether the next rates depend on the evaluations before."""
        return self._plateau is not None

    def hear(self, losses: ArrayLike) -> None:
        """Take in the validation losses [K] of one evaluation."""
        if self._plateau is not None:
            self._plateau.step(losses)

    def table(self, start: int, count: int) -> NDArray[np.float64]:
        """Return the rates [count, K] of the steps from start on."""
        if self._plateau is not None:
            return np.tile(self._plateau.lr, (count, 1))
        columns: dict[tuple[object, float], NDArray[np.float64]] = {}
        for spec in self._specs:
            key = (spec.schedule, spec.optimizer.lr)
            if key not in columns:
                columns[key] = lr_table(spec.schedule, spec.optimizer.lr, spec.train.steps, start, count)
        return np.stack([columns[s.schedule, s.optimizer.lr] for s in self._specs], axis=1)
