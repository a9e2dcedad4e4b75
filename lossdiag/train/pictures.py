"""Pictures over time, kept for a few members: what they make of the plane, of a line, and of the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossdiag.data import Prepared, boundary_grid
from lossdiag.losses import predict
from lossdiag.train.stack import Stack
from lossdiag.train.tensors import spread

GRID = 48
LINE = 200
MAX_ROWS = 500
MAX_MEMBERS = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of the table of frames; the values stay on the device until they are read.

    Attributes:
        step: updates before it.
        k: position of the member in the stack.
        kind: ``boundary``, ``curve``, ``prediction`` or ``confusion``.
        values: any shape.
    """

    step: int
    k: int
    kind: str
    values: Tensor


@dataclass(frozen=True, slots=True)
class _Scene:
    """Rows that are predicted for one kind of picture."""

    kind: str
    x: Tensor
    facts: dict[str, Any]


class Painter:
    """Paints what some members of a stack predict.

    ``boundary`` [R, R], for data of two number columns: the probability of the second class (binary) or of the first
    label, the index of the likeliest class, or the prediction in the target's units; row i, column j is the point
    (across[j], up[i]). ``curve`` [200, D], for one column: probabilities, or predictions in the target's units.
    ``prediction`` [N, D], for regression and counts: those of up to 500 validation rows. Axes, rows and true values
    are in `facts`.
    """

    def __init__(self, stack: Stack, data: Prepared, members: Sequence[int]) -> None:
        """Choose the scenes.

        Args:
            stack: the stack.
            data: what it is trained on.
            members: positions in the stack of those that are painted.
        """
        self._stack, self._data, self._members = stack, data, members
        self._scenes = _scenes(data, stack.weights) if members else []
        self._std, self._mean = (stack.weights.new_tensor(v) for v in (data.target_std, data.target_mean))

    @property
    def facts(self) -> dict[str, Any]:
        """Return, by kind, what the pictures' axes mean."""
        return {scene.kind: scene.facts for scene in self._scenes}

    @torch.no_grad()
    def paint(self, step: int) -> list[Picture]:
        """Return the pictures of the members as they are."""
        return [Picture(step, k, scene.kind, self._values(scene, k)) for scene in self._scenes for k in self._members]

    def _values(self, scene: _Scene, k: int) -> Tensor:
        loss = self._stack.plan.members[k].loss.name
        predicted = predict(loss, self._stack.predict(scene.x, slice(k, k + 1))[0])
        if self._data.task == "regression":
            predicted = predicted * self._std + self._mean
        if scene.kind != "boundary":
            return predicted
        plane = predicted.argmax(-1) if self._data.task == "multiclass" else predicted[:, 0]
        return plane.view(GRID, GRID)


def _scenes(data: Prepared, like: Tensor) -> list[_Scene]:
    scenes: list[_Scene] = []
    ranges = data.encoder.ranges
    if data.n_features == len(ranges) == 2:
        grid = boundary_grid(data, resolution=GRID)
        kinds = {"multiclass": "classes", "regression": "value", "count": "value"}
        facts = {
            "axes": list(grid.names),
            "across": grid.across.tolist(),
            "up": grid.up.tolist(),
            "output": kinds.get(data.task, "probability"),
        }
        scenes.append(_Scene("boundary", like.new_tensor(grid.x), facts))
    if data.n_features == len(ranges) == 1:
        ((name, (low, high)),) = ranges.items()
        points = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), LINE)
        frame = data.encoder.typical(LINE)
        frame[name] = points
        scenes.append(
            _Scene("curve", like.new_tensor(data.encoder.encode(frame)), {"axis": name, "x": points.tolist()})
        )
    if data.task in ("regression", "count"):
        rows = spread(len(data.x_val), MAX_ROWS)
        true = data.y_val[rows] * data.target_std + data.target_mean
        facts = {"rows": data.val_rows[rows].tolist(), "true": true.tolist()}
        scenes.append(_Scene("prediction", like.new_tensor(data.x_val[rows]), facts))
    return scenes
