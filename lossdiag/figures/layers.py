"""What happens inside a member: gradient heatmap, update ratios, weight norms, activation statistics, by layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.errors import StoreError
from lossdiag.figures.axis import robust_range
from lossdiag.figures.lines import Options, Panel, line_figure
from lossdiag.figures.series import Curve, Group, align
from lossdiag.figures.style import (
    ALARM,
    SEQUENTIAL,
    STEP_AXIS,
    Theme,
    base_figure,
    colour_bar,
    number_of,
    plain,
    sentence_figure,
    set_note,
    short,
)
from lossdiag.store import Recording

LayerColumn = Literal["grad_norm", "weight_norm", "update_ratio"]
ByLayer: TypeAlias = Mapping[int, tuple[NDArray[np.integer], NDArray[np.floating]]]

_TITLES: dict[LayerColumn, str] = {
    "grad_norm": "gradient norm",
    "weight_norm": "weight norm",
    "update_ratio": "update / weights",
}
_COLUMNS = 400


def layers_of(recording: Recording, member: int) -> list[str]:
    """Return the names of a member's layers, by index; empty if the run was not described with them."""
    stacks = recording.facts.get("stacks", [])
    own = next((s for s in stacks if member in s["members"]), recording.facts)
    return list(own.get("layers", []))


def gradient_heatmap(
    recording: Recording,
    *,
    member: int | None = None,
    config: str | None = None,
    layer_names: Sequence[str] = (),
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw log10 of every layer's gradient norm over steps, for one member or the mean over a configuration.

    Args:
        recording: the run.
        member: its id.
        config: label of a configuration, instead of a member: mean over its members.
        layer_names: names by layer index; those of the recording by default.
        x_range: the steps on show; only these are read into columns.
        theme: light or dark.

    Raises:
        StoreError: neither or both of member and config are given, or the run does not have it.
    """
    members = _members_of(recording, member, config)
    by_layer = [recording.layer_curves(m, "grad_norm") for m in members]
    layers = sorted({layer for curves in by_layer for layer in curves})
    if not layers:
        return sentence_figure("No gradient norms were recorded.", theme)
    curves = [Curve("", *c[layer]) for layer in layers for c in by_layer if layer in c]
    counts = [sum(layer in c for c in by_layer) for layer in layers]
    steps, values = align(curves)
    recorded = np.stack([np.isin(steps, c.steps) for c in curves])
    bounds = np.cumsum([0, *counts])
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    norms = np.stack([_mean_recorded(values[part], recorded[part]) for part in parts], axis=1)
    there = np.stack([recorded[part].any(axis=0) for part in parts], axis=1)
    names = _layer_names(layers, layer_names or layers_of(recording, members[0]))
    return heatmap(steps, norms, names, quantity="gradient norm", recorded=there, x_range=x_range, theme=theme)


def heatmap(
    steps: NDArray[np.integer],
    values: NDArray[np.floating],
    layers: Sequence[str],
    *,
    quantity: str,
    recorded: NDArray[np.bool_] | None = None,
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw log10 of non-negative values over steps, a row per layer.

    Steps are put in columns by their largest value, so that a spike of one step stays visible; a column with a value
    that is not finite takes the alarm colour.

    Args:
        steps: ascending ``[T]``.
        values: ``[T, L]``; a NaN or infinite value is an alarm.
        layers: names of the L layers, input first.
        quantity: what the values are.
        recorded: ``[T, L]``: False where a layer has no value at a step, which stays blank; all True by default.
        x_range: the steps to be drawn.
        theme: light or dark.
    """
    recorded = np.ones(values.shape, np.bool_) if recorded is None else recorded
    if x_range is not None:
        inside = (steps >= x_range[0]) & (steps <= x_range[1])
        steps, values, recorded = steps[inside], values[inside], recorded[inside]
    if values.size == 0:
        return sentence_figure(f"No {quantity} was recorded in these steps.", theme)
    starts = np.unique(np.linspace(0, len(steps), min(_COLUMNS, len(steps)), endpoint=False).astype(int))
    finite = np.isfinite(values)
    largest = np.maximum.reduceat(np.where(finite & recorded, values, -np.inf), starts, axis=0)
    odd = ~finite & recorded
    bad = np.logical_or.reduceat(odd, starts, axis=0)
    positive = np.isfinite(largest) & (largest > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(positive, np.log10(largest), np.nan)
    floor = np.nanmin(logs) - 1 if positive.any() else -1.0
    logs = np.where(np.isfinite(largest) & ~positive, floor, logs)
    scale = robust_range([np.where(positive, largest, np.nan)[:, i] for i in range(len(layers))], log=True)
    low, high = scale if scale is not None else (None, None)
    beyond = np.isfinite(largest) & (largest > high) if high is not None else np.zeros_like(positive)
    edges = np.append(steps[starts], steps[-1] + 1).astype(np.float64)
    rows = np.arange(len(layers))
    figure = go.Figure()
    figure.add_heatmap(
        x=edges,
        y=rows,
        customdata=np.where(positive, largest, 0).T.astype(np.float32),
        z=logs.T.astype(np.float32),
        zmin=np.log10(low) if low is not None else None,
        zmax=np.log10(high) if high is not None else None,
        colorscale=SEQUENTIAL,
        colorbar=colour_bar(f"log10 {quantity}"),
        name=quantity,
        hovertemplate=f"%{{y}}, step %{{x}}<br>largest {quantity} %{{customdata:.4g}}<extra></extra>",
    )
    if bad.any():
        figure.add_heatmap(
            x=edges,
            y=rows,
            z=np.where(bad, 1, np.nan).T.astype(np.float32),
            zmin=0,
            zmax=1,
            colorscale=[[0, ALARM], [1, ALARM]],
            showscale=False,
            name="not finite",
            hovertemplate=f"%{{y}}, step %{{x}}<br>{quantity} is not finite<extra></extra>",
        )
    figure.update_layout(xaxis=STEP_AXIS)
    figure.update_yaxes(tickvals=rows, ticktext=[plain(n) for n in layers], autorange="reversed", showgrid=False)
    base_figure(theme, height=110 + max(26, 150 // len(layers)) * len(layers), figure=figure)
    zeros = int((np.isfinite(largest) & ~positive).sum())
    set_note(
        figure,
        f"{len(steps):,} steps in {len(starts)} columns, the largest of each." if len(starts) < len(steps) else "",
        f"Not finite (alarm colour): {number_of(int(odd.sum()), 'value')}." if bad.any() else "",
        f"Above the colour scale (up to {short(float(largest[beyond].max()))}): {number_of(int(beyond.sum()), 'cell')}."
        if beyond.any()
        else "",
        f"Exactly 0 (lowest colour): {number_of(zeros, 'cell')}." if zeros else "",
    )
    return figure


def _mean_recorded(values: NDArray[np.float64], recorded: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over members ``[K, T]`` that have the step; not finite as soon as one of theirs is not."""
    mean: NDArray[np.float64] = np.where(recorded, values, 0).sum(axis=0) / np.maximum(recorded.sum(axis=0), 1)
    return mean


def layer_curves(
    recording: Recording,
    column: LayerColumn,
    *,
    member: int,
    layer_names: Sequence[str] = (),
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw a quantity of one member, a line per layer, on a log axis.

    Raises:
        StoreError: no such member.
    """
    _members_of(recording, member, None)
    curves = recording.layer_curves(member, column)
    panel = Panel(
        y_title=_TITLES[column],
        groups=_layer_groups(curves, layer_names or layers_of(recording, member)),
        log_y=True,
        healthy=(1e-4, 1e-2) if column == "update_ratio" else None,
    )
    return line_figure(
        [panel], Options(x_range=x_range, theme=theme), empty=f"No {_TITLES[column]} was recorded by layer."
    )


def update_ratio_curves(
    recording: Recording,
    *,
    member: int,
    layer_names: Sequence[str] = (),
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw |update| / |weights| of every layer; 1e-4 to 1e-2 is shaded, around 1e-3 is the usual rule of thumb.

    Source of the rule: A. Karpathy, CS231n notes, "Ratio of weights:updates".
    """
    figure = layer_curves(
        recording, "update_ratio", member=member, layer_names=layer_names, x_range=x_range, theme=theme
    )
    if figure.data:
        figure.add_hline(y=1e-3, line={"color": "#009E73", "width": 1, "dash": "dot"})
    return figure


def activation_panels(
    recording: Recording,
    *,
    member: int,
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw mean, standard deviation, share of zeros and share saturated of every activation, at the evaluated steps."""
    _members_of(recording, member, None)
    table = recording.activations
    own = table[table["member"] == member].sort_values("step", kind="stable")
    panels = []
    for column, title in (
        ("mean", "mean"),
        ("std", "standard deviation"),
        ("zero_share", "share exactly 0"),
        ("saturated_share", "share saturated"),
    ):
        curves = {
            int(layer): (rows["step"].to_numpy(np.int32), rows[column].to_numpy())
            for layer in own["layer"].unique()
            for rows in [own[own["layer"] == layer]]
        }
        hidden = [f"hidden {i + 1}" for i in range(max(curves, default=-1) + 1)]
        panels.append(Panel(title, _layer_groups(curves, hidden), cut=not column.endswith("_share")))
    options = Options(x_range=x_range, height=130, theme=theme)
    return line_figure(panels, options, empty="No activation statistics were recorded.")


def _layer_groups(curves: ByLayer, names: Sequence[str]) -> tuple[Group, ...]:
    layers = sorted(curves)
    labels = [plain(n) for n in _layer_names(layers, names)]
    return tuple(
        Group(label, (Curve(label, *curves[layer]),), layer) for layer, label in zip(layers, labels, strict=True)
    )


def _layer_names(layers: Sequence[int], names: Sequence[str]) -> list[str]:
    """Return the names, and numbers for layers that have none."""
    return [names[i] if i < len(names) else f"layer {i}" for i in layers]


def _members_of(recording: Recording, member: int | None, config: str | None) -> list[int]:
    if (member is None) == (config is None):
        raise StoreError("expected either a member or a configuration to draw")
    table = recording.members
    found = table["id"][table["id"] == member if config is None else table["config"] == config].tolist()
    if not found:
        what = f"member {member}" if config is None else f"configuration {config!r}"
        known = f"0 to {len(table) - 1}" if config is None else ", ".join(dict.fromkeys(table["config"]))
        raise StoreError(f"run {recording.id} has no {what}; it has {known}")
    return [int(m) for m in found]
