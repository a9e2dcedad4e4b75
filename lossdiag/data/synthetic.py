"""Seeded synthetic sets: each generator is a formula, and the knobs of DataSpec are applied here.

1. `n` rows are drawn (classes by `imbalance`), with `noise` as the generator says.
2. The rows are split, as `prepare` would.
3. In the training rows alone, a share of `outliers` and a share of `label_noise` are made, so that the validation rows
   stay a clean yardstick; which rows they are is kept as the truth.
4. All features are multiplied by `scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from lossdiag.data.dataset import Corruption, Rows
from lossdiag.data.split import split_rows
from lossdiag.registry import Task
from lossdiag.spec import DataSpec

Floats = NDArray[np.float64]
LINEAR_WEIGHTS = (3.0, -2.0, 1.0, 0.0)
LINEAR_BIAS = 0.5
_STREAM = 2


@dataclass(frozen=True, slots=True)
class Generated:
    """A synthetic set: features, one target column, and what was done to its rows."""

    frame: pd.DataFrame
    target: pd.Series
    corruption: Corruption
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A generator and what it is.

    Attributes:
        make: draws features [n, F] for class codes [n] (class recipes) or for n zeros (regression), and the target.
        task: what the target is.
        n_classes: 0 for regression.
        n_features: F.
        origin: the formula, and its source where it has one.
    """

    make: Callable[[Generator, Rows, float], tuple[Floats, Floats]]
    task: Task
    n_classes: int
    n_features: int
    origin: str


def generate(name: str, spec: DataSpec) -> Generated:
    """Return the synthetic set `name` with the knobs of `spec` (n, noise, imbalance, outliers, label_noise, scale)."""
    recipe = RECIPES[name]
    rng = np.random.default_rng([_STREAM, spec.seed])
    codes = _class_codes(rng, spec.n, recipe.n_classes, spec.imbalance)
    x, y = recipe.make(rng, codes, spec.noise)
    labels = y.astype("int64") if recipe.n_classes else None
    split = split_rows(name, spec.n, spec.validation, spec.seed, labels)
    outlier = _choose(rng, split.train, spec.outliers, spec.n)
    mislabelled = _choose(rng, split.train, spec.label_noise, spec.n)
    if recipe.n_classes:
        x = _move_features(rng, x, outlier)
        y = _other_class(rng, y, mislabelled, recipe.n_classes)
    else:
        y = _move_targets(rng, y, outlier)
        y = _other_target(rng, y, mislabelled, split.train)
    frame = pd.DataFrame(x * spec.scale, columns=[f"x{i + 1}" for i in range(x.shape[1])])
    target = pd.Series(y.astype("int64"), name="class") if recipe.n_classes else pd.Series(y, name="y")
    return Generated(
        frame, target, Corruption(split, outlier, mislabelled), tuple(_notes(spec, recipe, outlier, mislabelled))
    )


def _notes(spec: DataSpec, recipe: Recipe, outlier: NDArray[np.bool_], mislabelled: NDArray[np.bool_]) -> list[str]:
    notes = []
    if outlier.any():
        notes.append(f"{int(outlier.sum())} training rows were turned into outliers")
    if mislabelled.any():
        notes.append(f"{int(mislabelled.sum())} training rows were given a wrong target")
    if spec.imbalance != 1 and not recipe.n_classes:
        notes.append("imbalance was not applied: it is for classes")
    return notes


def class_sizes(n: int, classes: int, imbalance: float) -> Rows:
    """Return [classes] row counts that sum to n and fall geometrically, the last `imbalance` times the first's inverse.

    Every class has at least two rows, so that each has one to train and one to validate on.
    """
    weights = imbalance ** -np.linspace(0, 1, classes)
    quota = n * weights / weights.sum()
    sizes = np.floor(quota).astype("int64")
    sizes[np.argsort(sizes - quota, kind="stable")[: n - int(sizes.sum())]] += 1
    lifted: Rows = np.maximum(sizes, 2)
    lifted[0] -= int(lifted.sum()) - n
    return lifted


def _class_codes(rng: Generator, n: int, classes: int, imbalance: float) -> Rows:
    if not classes:
        return np.zeros(n, dtype="int64")
    return rng.permutation(np.repeat(np.arange(classes), class_sizes(n, classes, imbalance)))


def _choose(rng: Generator, train: Rows, share: float, n: int) -> NDArray[np.bool_]:
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.permutation(train)[: round(share * len(train))]] = True
    return chosen


def _move_features(rng: Generator, x: Floats, rows: NDArray[np.bool_]) -> Floats:
    """Move rows 5 to 10 standard deviations of each feature away, in a random direction."""
    direction = rng.normal(size=(int(rows.sum()), x.shape[1]))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    moved = x.copy()
    moved[rows] += rng.uniform(5, 10, size=(len(direction), 1)) * direction * x.std(axis=0)
    return moved


def _move_targets(rng: Generator, y: Floats, rows: NDArray[np.bool_]) -> Floats:
    """Move targets 5 to 10 standard deviations up or down."""
    many = int(rows.sum())
    moved = y.copy()
    moved[rows] += rng.choice((-1.0, 1.0), many) * rng.uniform(5, 10, many) * y.std()
    return moved


def _other_class(rng: Generator, y: Floats, rows: NDArray[np.bool_], classes: int) -> Floats:
    """Replace classes by another one, all others equally likely."""
    wrong = y.copy()
    wrong[rows] = (wrong[rows] + rng.integers(1, classes, int(rows.sum()))) % classes
    return wrong


def _other_target(rng: Generator, y: Floats, rows: NDArray[np.bool_], train: Rows) -> Floats:
    """Replace targets by the target of another training row, all others equally likely."""
    wrong = y.copy()
    positions = np.searchsorted(train, np.flatnonzero(rows))
    shifted = (positions + rng.integers(1, len(train), len(positions))) % len(train)
    wrong[rows] = y[train[shifted]]
    return wrong


def _linear(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    x = rng.normal(size=(len(codes), len(LINEAR_WEIGHTS)))
    return x, x @ np.array(LINEAR_WEIGHTS) + LINEAR_BIAS + noise * rng.normal(size=len(codes))


def _sine(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    x = rng.uniform(-np.pi, np.pi, size=(len(codes), 1))
    return x, np.sin(2 * x[:, 0]) + noise * rng.normal(size=len(codes))


def _friedman1(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    x = rng.uniform(size=(len(codes), 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, y + noise * rng.normal(size=len(codes))


def _heteroscedastic(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    x = rng.uniform(0, 4, size=(len(codes), 1))
    return x, np.sin(x[:, 0]) + x[:, 0] / 2 + noise * x[:, 0] * rng.normal(size=len(codes))


def _spirals(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    turn = 3 * np.pi * np.sqrt(rng.uniform(0.01, 1, len(codes)))
    angle = turn + np.pi * codes
    x = (2 * turn / (3 * np.pi))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _blurred(rng, x, noise), codes.astype("float64")


def _moons(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    angle = rng.uniform(0, np.pi, len(codes))
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    return _blurred(rng, np.where(codes[:, None] == 0, upper, lower), noise), codes.astype("float64")


def _circles(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    angle = rng.uniform(0, 2 * np.pi, len(codes))
    radius = np.where(codes == 0, 1.0, 0.5)
    x = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _blurred(rng, x, noise), codes.astype("float64")


def _blobs(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    angle = np.pi / 2 + 2 * np.pi * codes / 3
    centre = np.column_stack([np.cos(angle), np.sin(angle)])
    return _blurred(rng, centre + 0.2 * rng.normal(size=centre.shape), noise), codes.astype("float64")


def _checkerboard(rng: Generator, codes: Rows, noise: float) -> tuple[Floats, Floats]:
    column = rng.integers(-2, 2, len(codes))
    row = 2 * rng.integers(0, 2, len(codes)) - 2 + (codes + column) % 2
    x = np.column_stack([column, row]) + rng.uniform(size=(len(codes), 2))
    return _blurred(rng, x, noise), codes.astype("float64")


def _blurred(rng: Generator, x: Floats, noise: float) -> Floats:
    return x + noise * rng.normal(size=x.shape)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "linear": Recipe(_linear, "regression", 0, 4, "y = 3 x1 - 2 x2 + x3 + 0 x4 + 0.5 + noise, x standard normal"),
        "sine": Recipe(_sine, "regression", 0, 1, "y = sin(2 x) + noise, x uniform in [-pi, pi]"),
        "spirals": Recipe(
            _spirals, "binary", 2, 2, "two arms of one and a half turns, radius up to 2; noise moves points"
        ),
        "moons": Recipe(_moons, "binary", 2, 2, "two interleaved half circles, as scikit-learn's make_moons"),
        "circles": Recipe(_circles, "binary", 2, 2, "radius 1 around radius 0.5, as scikit-learn's make_circles"),
        "blobs": Recipe(_blobs, "multiclass", 3, 2, "three Gaussians on the unit circle, variance 0.04 + noise^2"),
        "checkerboard": Recipe(
            _checkerboard, "binary", 2, 2, "4 x 4 squares of side 1 in [-2, 2]^2; noise moves points"
        ),
        "friedman1": Recipe(
            _friedman1,
            "regression",
            0,
            10,
            "y = 10 sin(pi x1 x2) + 20 (x3 - 0.5)^2 + 10 x4 + 5 x5 + noise, x uniform in [0, 1], five more features "
            "without effect (Friedman 1991)",
        ),
        "heteroscedastic": Recipe(
            _heteroscedastic, "regression", 0, 1, "y = sin(x) + x/2 + x * noise, x uniform in [0, 4]"
        ),
    }
)
