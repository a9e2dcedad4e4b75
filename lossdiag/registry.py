"""The vocabulary that spec, pages and training share: tasks, parameters, and the card of every loss.

A loss is registered beside its function (``lossdiag.losses``), which needs torch. Its *card*, everything but the
function, is generated from there into ``losses/catalog.json`` and read here, so that a spec can be checked, a page
can build its widgets and a terminal can list the losses without importing torch. A test keeps the two the same.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Task: TypeAlias = Literal["regression", "count", "binary", "multiclass", "multilabel"]
"""What a target is: real numbers, counts, one of two classes, one of many, any number of labels at once."""

Expects: TypeAlias = Literal["real", "log_rate", "logits", "margin"]
"""What a loss takes the network's output for."""

Link: TypeAlias = Literal["identity", "exp", "sigmoid", "softmax"]
"""The function that turns the network's output into a prediction in the target's own terms."""

ParamKind: TypeAlias = Literal["float", "int", "bool", "class_weights"]
ParamValue: TypeAlias = float | int | bool | str | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a loss; the pages make a widget from it and the spec checks values against it.

    Attributes:
        name: keyword of the function.
        default: value used when none is given.
        low: smallest allowed value (numbers only).
        high: largest allowed value (numbers only).
        help: one sentence on what it does.
        kind: ``class_weights`` takes ``"none"``, ``"balanced"`` or one positive weight per class.
    """

    name: str
    default: ParamValue
    low: float | None
    high: float | None
    help: str
    kind: ParamKind = "float"


@dataclass(frozen=True, slots=True)
class LossInfo:
    """The card of a loss: all that is known of it but the function itself.

    Attributes:
        name: stable identifier, the function's own name.
        title: what people call it.
        family: the module it lives in, such as ``regression``.
        tasks: target kinds it is meant for.
        expects: what it takes the network's output for.
        link: turns outputs into predictions for the shared yardsticks.
        probabilistic: whether the linked output may be read as a probability (the hinge's may not).
        params: its parameters.
        formula: LaTeX, per element unless the summary says otherwise.
        summary: one or two sentences: what it does and when to use it.
        reference: paper or book.
        reduction: how a batch is reduced; ``mean`` unless the function couples the samples of a batch.
        traps: what commonly goes wrong with it.
        oracle: the independent implementation that tests compare it with.
    """

    name: str
    title: str
    family: str
    tasks: tuple[Task, ...]
    expects: Expects
    link: Link
    probabilistic: bool
    params: tuple[Param, ...]
    formula: str
    summary: str
    reference: str
    reduction: str
    traps: tuple[str, ...]
    oracle: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, card: Mapping[str, Any]) -> LossInfo:
        """Build a card from the plain data that `to_dict` gives."""
        params = tuple(
            Param(**{**p, "default": tuple(p["default"]) if isinstance(p["default"], list) else p["default"]})
            for p in card["params"]
        )
        return cls(**{**card, "tasks": tuple(card["tasks"]), "traps": tuple(card["traps"]), "params": params})


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A measure on which members are compared whatever their loss; computed by `lossdiag.train.yardsticks`.

    Attributes:
        name: the ``metric`` of a recording's evaluations.
        title: what people call it.
        tasks: target kinds it is defined for.
        better: whether high or low values are better.
        low: smallest possible value, if there is one.
        high: largest possible value, if there is one.
        own_unit: whether it is measured in the target's unit.
        help: one sentence on what it says.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    better: Literal["high", "low"]
    low: float | None
    high: float | None
    own_unit: bool
    help: str


_NUMBERS: tuple[Task, ...] = ("regression", "count")
_CLASSES: tuple[Task, ...] = ("binary", "multiclass", "multilabel")

YARDSTICKS: Mapping[str, Yardstick] = MappingProxyType(
    {
        y.name: y
        for y in (
            Yardstick("mae", "MAE", _NUMBERS, "low", 0.0, None, True, "mean absolute error"),
            Yardstick("rmse", "RMSE", _NUMBERS, "low", 0.0, None, True, "root of the mean squared error"),
            Yardstick(
                "r2",
                "R²",
                _NUMBERS,
                "high",
                None,
                1.0,
                False,
                "share of the target's variance that is explained; 0 is as good as always saying the mean",
            ),
            Yardstick("accuracy", "Accuracy", _CLASSES, "high", 0.0, 1.0, False, "share of labels that are right"),
            Yardstick(
                "balanced_accuracy",
                "Balanced accuracy",
                _CLASSES,
                "high",
                0.0,
                1.0,
                False,
                "mean over the classes of the share of their rows that are right; rare classes count as much as common",
            ),
            Yardstick(
                "f1",
                "F1",
                _CLASSES,
                "high",
                0.0,
                1.0,
                False,
                "harmonic mean of precision and recall: of the class 1, or the mean over classes or labels",
            ),
            Yardstick(
                "auroc",
                "AUROC",
                _CLASSES,
                "high",
                0.0,
                1.0,
                False,
                "chance that a row of the class scores above a row of another; 0.5 is guessing",
            ),
            Yardstick(
                "ece",
                "Calibration error",
                _CLASSES,
                "low",
                0.0,
                1.0,
                False,
                "mean distance of confidence from the share that is right, over 15 bins of confidence",
            ),
            Yardstick(
                "log_loss",
                "Log loss",
                _CLASSES,
                "low",
                0.0,
                None,
                False,
                "mean of -log of the probability given to the true label",
            ),
        )
    }
)
"""Every yardstick by name, in the order in which it is shown."""


@functools.cache
def loss_cards() -> Mapping[str, LossInfo]:
    """Return the card of every loss by name, in catalog order."""
    text = resources.files("lossdiag").joinpath("losses", "catalog.json").read_text(encoding="utf-8")
    return MappingProxyType({card["name"]: LossInfo.from_dict(card) for card in json.loads(text)})


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest of `names`, or an empty string when none is near."""
    near = difflib.get_close_matches(str(name).lower(), list(names), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
