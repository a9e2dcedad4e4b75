"""Figures of a recording's pictures over time: boundaries, fitted curves, predictions, confusion matrices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.errors import StoreError
from lossdiag.figures.boundary import Points, Surface, decision_boundary
from lossdiag.figures.outcome import confusion_matrices, fit_curve, predicted_vs_true
from lossdiag.figures.style import Theme, note, sentence_figure, set_note
from lossdiag.store import Recording


def pictured(recording: Recording, kind: str) -> list[int]:
    """Return the members that have pictures of a kind: ``boundary``, ``curve``, ``prediction`` or ``confusion``."""
    frames = recording.frames
    return sorted(int(m) for m in frames.loc[frames["kind"] == kind, "member"].unique())


def boundary_over_time(
    recording: Recording,
    members: Collection[int],
    *,
    points: Points | None = None,
    columns: int = 2,
    theme: Theme = "light",
) -> go.Figure:
    """Draw how members divide the plane, with a scrubber over the recorded steps; a panel per member."""
    surfaces: dict[str, Surface] = {}
    facts: Mapping[str, Any] = {}
    for member, label in _labels(recording, members):
        frames = _frames(recording, "boundary", member)
        if len(frames):
            facts = _facts(recording, member, "boundary")
            steps, values = frames["step"].to_numpy(np.int32), np.stack(_arrays(frames))
            surfaces[label] = Surface(np.array(facts["across"]), np.array(facts["up"]), steps, values)
    if not surfaces:
        return sentence_figure("No decision boundary: the data do not have two number columns.", theme)
    classes = recording.facts["data"]["classes"]
    return decision_boundary(
        surfaces,
        points,
        output=facts["output"],
        classes=classes or ("0", "1"),
        axes=(facts["axes"][0], facts["axes"][1]),
        columns=columns,
        theme=theme,
    )


def fits(
    recording: Recording,
    *,
    data: tuple[NDArray[Any], NDArray[Any]] | None = None,
    step: int | None = None,
    target: int = 0,
    theme: Theme = "light",
) -> go.Figure:
    """Draw the curve that each configuration fits to its one feature; mean and range over the seeds pictured.

    Args:
        recording: the run.
        data: feature ``[N]`` and target ``[N]`` of the rows to be drawn under the curves.
        step: the latest picture at or before it; the last one by default.
        target: which target column.
        theme: light or dark.
    """
    latest = _latest_by_config(recording, "curve", step)
    if not latest:
        return sentence_figure("No fitted curve: the data do not have exactly one number column.", theme)
    facts = _facts(recording, pictured(recording, "curve")[0], "curve")
    x, y = data if data is not None else (np.empty(0), np.empty(0))
    curves = {config: np.stack([v[:, target] for v in values]) for config, values in latest.items()}
    title = _target(recording, target)
    return fit_curve(x, y, np.array(facts["x"]), curves, x_title=facts["axis"], y_title=title, theme=theme)


def predictions(recording: Recording, *, step: int | None = None, target: int = 0, theme: Theme = "light") -> go.Figure:
    """Scatter the first pictured seed's predictions of each configuration against the true values; as `fits`."""
    latest = _latest_by_config(recording, "prediction", step)
    if not latest:
        return sentence_figure("No predictions were pictured: the target is not a number.", theme)
    facts = _facts(recording, pictured(recording, "prediction")[0], "prediction")
    true = np.array(facts["true"]).reshape(len(facts["true"]), -1)[:, target]
    first = {config: values[0][:, target] for config, values in latest.items()}
    figure = predicted_vs_true(true, first, unit=_target(recording, target), theme=theme)
    several = any(len(values) > 1 for values in latest.values())
    set_note(figure, note(figure), "One seed of each configuration." if several else "", "Validation rows.")
    return figure


def confusions(recording: Recording, *, step: int | None = None, columns: int = 2, theme: Theme = "light") -> go.Figure:
    """Draw one confusion matrix per configuration, counts added over its seeds."""
    latest = _latest_by_config(recording, "confusion", step)
    classes: Sequence[str] = recording.facts.get("data", {}).get("classes", [])
    if not latest:
        return sentence_figure("No confusion matrix was recorded: the target has no classes.", theme)
    figure = confusion_matrices(
        {config: np.sum(values, axis=0) for config, values in latest.items()}, classes, columns=columns, theme=theme
    )
    most = max(len(values) for values in latest.values())
    set_note(figure, note(figure), f"Counts are added over up to {most} seeds." if most > 1 else "")
    return figure


def _latest_by_config(recording: Recording, kind: str, step: int | None) -> dict[str, list[NDArray[np.float32]]]:
    """Return each configuration's latest pictures, a list over its members."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    configs = dict(zip(recording.members["id"], recording.members["config"], strict=True))
    for member in pictured(recording, kind):
        frames = _frames(recording, kind, member)
        frames = frames if step is None else frames[frames["step"] <= step]
        if len(frames):
            found.setdefault(configs[member], []).append(_arrays(frames.iloc[-1:])[0])
    return found


def _frames(recording: Recording, kind: str, member: int) -> pd.DataFrame:
    frames = recording.frames
    own = frames[(frames["kind"] == kind) & (frames["member"] == member)]
    return own.sort_values("step", kind="stable").drop_duplicates("step", keep="last")


def _arrays(frames: pd.DataFrame) -> list[NDArray[np.float32]]:
    """Return pictures in their shapes."""
    pairs = zip(frames["values"], frames["shape"], strict=True)
    return [np.asarray(values, np.float32).reshape([int(n) for n in shape]) for values, shape in pairs]


def _facts(recording: Recording, member: int, kind: str) -> Mapping[str, Any]:
    """Return what the axes of a member's pictures mean: its stack's own facts, else those of the run."""
    stacks = recording.facts.get("stacks", [])
    own = next((s for s in stacks if member in s["members"] and "frames" in s), recording.facts)
    facts: Mapping[str, Any] | None = own.get("frames", {}).get(kind)
    if facts is None:
        raise StoreError(f"run {recording.id} has pictures of {kind!r} but does not say what their axes are")
    return facts


def _labels(recording: Recording, members: Collection[int]) -> list[tuple[int, str]]:
    table = recording.members[recording.members["id"].isin(list(members))]
    return list(zip(table["id"], table["label"], strict=True))


def _target(recording: Recording, target: int) -> str:
    return str(recording.facts["data"]["targets"][target])
