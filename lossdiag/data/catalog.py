"""What data there is without bringing any: the samples and the generators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from lossdiag.data.synthetic import RECIPES
from lossdiag.registry import Task
from lossdiag.spec import DataSpec


class Entry(TypedDict):
    """One source that a spec can name."""

    source: str
    task: Task
    rows: int
    columns: int
    target: str
    origin: str


_SAMPLES: Mapping[str, tuple[Task, int, int, str, str]] = MappingProxyType(
    {
        "breast_cancer": ("binary", 569, 30, "diagnosis", "Breast Cancer Wisconsin (Diagnostic), UCI, CC BY 4.0"),
        "wine": ("multiclass", 178, 13, "cultivar", "Wine, UCI, CC BY 4.0"),
        "iris": ("multiclass", 150, 4, "species", "Iris (Fisher 1936), UCI, CC BY 4.0"),
        "diabetes": ("regression", 442, 10, "progression", "Efron, Hastie, Johnstone and Tibshirani 2004"),
        "digits": ("multiclass", 1797, 64, "digit", "Optical Recognition of Handwritten Digits, UCI, CC BY 4.0"),
    }
)


def catalog() -> list[Entry]:
    """Return every sample and generator; rows of a generator are those of the default spec."""
    samples = [
        Entry(source=f"sample:{name}", task=task, rows=rows, columns=columns, target=target, origin=origin)
        for name, (task, rows, columns, target, origin) in _SAMPLES.items()
    ]
    made = [
        Entry(
            source=f"synthetic:{name}",
            task=recipe.task,
            rows=DataSpec().n,
            columns=recipe.n_features,
            target="class" if recipe.n_classes else "y",
            origin=recipe.origin,
        )
        for name, recipe in RECIPES.items()
    ]
    return samples + made
