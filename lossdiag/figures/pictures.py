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
from lossdiag.figures.curves import By
from lossdiag.figures.fitted import Fit, SeedFit, fit_film
from lossdiag.figures.outcome import confusion_matrices, predicted_vs_true
from lossdiag.figures.style import Theme, note, number_of, plain, sentence_figure, set_note
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
    for member, _, label in _members(recording, members):
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
    target: int = 0,
    theme: Theme = "light",
) -> go.Figure:
    """Draw how the curve of each configuration bends towards data of one feature, with a scrubber over the steps.

    Args:
        recording: the run.
        data: feature ``[N]`` and target ``[N]`` of the rows to be drawn under the curves, which fix the axis.
        target: which target column.
        theme: light or dark.
    """
    members = pictured(recording, "curve")
    if not members:
        return sentence_figure("No fitted curve: the data do not have exactly one number column.", theme)
    facts = _facts(recording, members[0], "curve")
    x, y = data if data is not None else (np.empty(0), np.empty(0))
    broke = _broke(recording)
    looks = _looks(recording)
    seeds: dict[str, list[SeedFit]] = {}
    for member, config, label in _members(recording, members):
        frames = _frames(recording, "curve", member)
        values = np.stack(_arrays(frames))[:, :, target]
        fit = SeedFit(label, frames["step"].to_numpy(np.int32), values, broke.get(member))
        seeds.setdefault(config, []).append(fit)
    films = {config: Fit(tuple(own), looks[config]) for config, own in seeds.items()}
    title = _target(recording, target)
    return fit_film(x, y, np.array(facts["x"]), films, x_title=facts["axis"], y_title=title, theme=theme)


def predictions(recording: Recording, *, step: int | None = None, target: int = 0, theme: Theme = "light") -> go.Figure:
    """Scatter the first pictured seed's predictions of each configuration against the true values; as `fits`."""
    first: dict[str, NDArray[np.float32]] = {}
    several = False
    for member, config, _ in _members(recording, pictured(recording, "prediction")):
        if picture := _latest(recording, "prediction", member, step):
            several |= config in first
            first.setdefault(config, picture[0][:, target])
    if not first:
        return sentence_figure("No predictions were pictured: the target is not a number.", theme)
    facts = _facts(recording, pictured(recording, "prediction")[0], "prediction")
    true = np.array(facts["true"]).reshape(len(facts["true"]), -1)[:, target]
    figure = predicted_vs_true(true, first, unit=_target(recording, target), looks=_looks(recording), theme=theme)
    set_note(figure, note(figure), "One seed of each configuration." if several else "", "Validation rows.")
    return figure


def confusions(
    recording: Recording,
    *,
    members: Collection[int] | None = None,
    by: By = "config",
    step: int | None = None,
    columns: int = 3,
    theme: Theme = "light",
) -> go.Figure:
    """Draw one confusion matrix per configuration, counts added over its seeds; or one per member.

    Members whose loss was not finite by then are left out, and the note says so.

    Args:
        recording: the run.
        members: ids that count; all by default.
        by: a matrix per configuration or per member.
        step: the latest picture at or before it; the last one by default.
        columns: matrices per row.
        theme: light or dark.
    """
    broke = {m: at for m, at in _broke(recording).items() if step is None or at <= step}
    counts: dict[str, list[NDArray[np.float32]]] = {}
    left_out = []
    for member, config, label in _members(recording, pictured(recording, "confusion")):
        if members is not None and member not in members:
            continue
        if member in broke:
            left_out.append(f"{plain(label)} (broke at step {broke[member]:,})")
        elif picture := _latest(recording, "confusion", member, step):
            counts.setdefault(config if by == "config" else label, []).append(picture[0])
    missing = f"Left out: {', '.join(left_out)}." if left_out else ""
    if not counts:
        why = missing or "No confusion matrix was recorded: the target has no classes."
        return sentence_figure(why, theme)
    classes: Sequence[str] = recording.facts.get("data", {}).get("classes", [])
    several = any(len(own) > 1 for own in counts.values())
    summed = {
        f"{label} ({number_of(len(own), 'seed')})" if several else label: np.sum(own, axis=0)
        for label, own in counts.items()
    }
    figure = confusion_matrices(summed, classes, columns=columns, theme=theme)
    set_note(figure, note(figure), "Counts are added over the seeds." if several else "", missing)
    return figure


def _latest(recording: Recording, kind: str, member: int, step: int | None) -> list[NDArray[np.float32]]:
    """Return a member's latest picture, at or before `step`; empty if there is none."""
    frames = _frames(recording, kind, member)
    frames = frames if step is None else frames[frames["step"] <= step]
    return _arrays(frames.iloc[-1:])


def _broke(recording: Recording) -> dict[int, int]:
    """Return the step at which the loss of a member was not finite, which ends the member."""
    events = recording.events
    own = events[(events["kind"] == "nonfinite") & (events["where"] == "loss")]
    first = own.sort_values("step", kind="stable").drop_duplicates("member")
    return {int(member): int(step) for member, step in zip(first["member"], first["step"], strict=True)}


def _looks(recording: Recording) -> dict[str, int]:
    """Return the look of each configuration, the same in every chart of the run."""
    return {config: i for i, config in enumerate(dict.fromkeys(recording.members["config"]))}


def _members(recording: Recording, members: Collection[int]) -> list[tuple[int, str, str]]:
    """Return id, configuration and label of members, in the order of the run."""
    table = recording.members[recording.members["id"].isin(list(members))]
    return list(zip(table["id"], table["config"], table["label"], strict=True))


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


def _target(recording: Recording, target: int) -> str:
    return str(recording.facts["data"]["targets"][target])
