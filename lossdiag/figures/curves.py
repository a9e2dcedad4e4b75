"""Curves of a recording: losses, yardsticks, gradient norms, learning rates; one colour per configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.errors import StoreError
from lossdiag.figures.lines import Options, Panel, line_figure
from lossdiag.figures.series import Curve, Group
from lossdiag.figures.style import Theme, plain
from lossdiag.registry import YARDSTICKS, did_you_mean
from lossdiag.store import Recording

By = Literal["config", "member"]
Split = Literal["train", "val"]
StepColumn = Literal["loss", "penalty", "lr", "grad_norm", "clip_factor", "update_ratio"]

_TITLES: dict[StepColumn, str] = {
    "loss": "loss",
    "penalty": "penalty",
    "lr": "learning rate",
    "grad_norm": "gradient norm before clipping",
    "clip_factor": "clip factor",
    "update_ratio": "update / weights",
}
# For the other columns the values decide.
_LOG: dict[StepColumn, bool] = {"grad_norm": True, "update_ratio": True, "clip_factor": False}
_WHOLE: frozenset[StepColumn] = frozenset({"lr", "clip_factor"})  # a schedule, a share: nothing in them runs away


def loss_curves(
    recording: Recording,
    *,
    members: Collection[int] | None = None,
    by: By = "config",
    panels: Literal["per_loss", "one"] = "per_loss",
    log_y: bool | None = None,
    smoothing: float = 0.0,
    band: bool = True,
    singles: bool = False,
    rail: bool = True,
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw the training loss of every step.

    Losses have units of their own, so each loss gets a panel; in one panel the axis says that heights do not compare.

    Args:
        recording: the run.
        members: ids to draw; all by default.
        by: draw configurations (mean and band over seeds) or members, a colour each.
        panels: a panel per loss, or all in one.
        log_y: logarithmic loss axis; None lets each panel's values decide: a log axis where all are positive and span
            more than four decades. On either axis the few values that would flatten all others lie beyond its edge,
            with a mark there and a sentence in the note.
        smoothing: weight of the past in the running mean, from 0 to below 1; the raw line stays visible.
        band: whether to shade the range over seeds.
        singles: whether to draw every member of a configuration as a thin line too.
        rail: whether to draw events under the curves.
        x_range: the steps on show, which get most of the points.
        theme: light or dark.
    """
    losses = {m.id: m.loss.label for m in recording.spec.members()}
    chosen = _chosen(recording, members)
    curves = recording.curves("loss", chosen)
    order = list(dict.fromkeys(losses[m] for m in chosen))
    together = panels == "one" or len(order) == 1
    wanted = [tuple(order)] if together else [(label,) for label in order]
    unit = "loss" if len(order) == 1 else "loss, each in its own unit" if together else "loss"
    drawn = [
        Panel(
            y_title=unit,
            groups=_groups(recording, {m: c for m, c in curves.items() if losses[m] in labels}, chosen, by),
            title=plain(labels[0]) if len(wanted) > 1 else "",
            log_y=log_y,
        )
        for labels in wanted
    ]
    options = Options(smoothing, band, singles, x_range, theme=theme, height=260 if len(wanted) == 1 else 190)
    return line_figure(drawn, options, empty="No step has been recorded yet.", events=_events(recording, chosen, rail))


def step_curves(
    recording: Recording,
    column: StepColumn,
    *,
    members: Collection[int] | None = None,
    by: By = "config",
    log_y: bool | None = None,
    smoothing: float = 0.0,
    band: bool = True,
    singles: bool = False,
    rail: bool = False,
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw one recorded quantity of every step, such as the gradient norm; arguments as for `loss_curves`.

    By default `log_y` is on for norms and ratios, off for clip factors, and left to the values for the others. The
    update ratio gets its healthy range, 1e-4 to 1e-2, shaded.
    """
    chosen = _chosen(recording, members)
    panel = Panel(
        y_title=_TITLES[column],
        groups=_groups(recording, recording.curves(column, chosen), chosen, by),
        log_y=_LOG.get(column) if log_y is None else log_y,
        healthy=(1e-4, 1e-2) if column == "update_ratio" else None,
        cut=column not in _WHOLE,
    )
    options = Options(smoothing, band, singles, x_range, theme=theme)
    return line_figure(
        [panel], options, empty=f"No {_TITLES[column]} was recorded.", events=_events(recording, chosen, rail)
    )


def lr_curve(
    recording: Recording,
    *,
    members: Collection[int] | None = None,
    log_y: bool | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw the learning rate over steps, by configuration; on a log axis where it falls or grows exponentially."""
    return step_curves(recording, "lr", members=members, log_y=log_y, band=False, theme=theme)


def yardstick_curves(
    recording: Recording,
    metric: str,
    *,
    split: Split = "val",
    members: Collection[int] | None = None,
    by: By = "config",
    log_y: bool = False,
    band: bool = True,
    singles: bool = False,
    rail: bool = False,
    x_range: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw a shared yardstick of all losses in one panel: the comparison that is fair. Arguments as for `loss_curves`.

    Raises:
        StoreError: the run has no such yardstick; the message names those it has.
    """
    chosen = _chosen(recording, members)
    curves = _eval_curves(recording, metric, split)
    defined = _defined(curves)
    without = sorted(
        {c for m, c in zip(*_columns(recording, "id", "config"), strict=True) if m in curves.keys() - defined}
    )
    panel = Panel(_titled(metric, split), _groups(recording, defined, chosen, by), log_y=log_y)
    return line_figure(
        [panel],
        Options(0.0, band, singles, x_range, theme=theme),
        empty=f"{metric} is not defined for these losses." if without else "Nothing has been evaluated yet.",
        events=_events(recording, chosen, rail),
        notes=[f"{metric} is not defined for {', '.join(without)}."] if without else [],
    )


def generalisation_gap(
    recording: Recording,
    metric: str,
    *,
    members: Collection[int] | None = None,
    band: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Draw a yardstick on training rows minus the same on validation rows, by configuration.

    Raises:
        StoreError: the run has no such yardstick.
    """
    train, val = _eval_curves(recording, metric, "train"), _eval_curves(recording, metric, "val")
    gaps = {}
    for member in train.keys() & val.keys():
        steps, at_train, at_val = np.intersect1d(train[member][0], val[member][0], return_indices=True)
        gaps[member] = (steps, train[member][1][at_train] - val[member][1][at_val])
    chosen = _chosen(recording, members)
    panel = Panel(f"{metric}: training - validation", _groups(recording, _defined(gaps), chosen, "config"))
    return line_figure([panel], Options(band=band, theme=theme), empty="Nothing has been evaluated yet.")


def overlay_runs(
    recordings: Mapping[str, Recording],
    metric: str,
    *,
    split: Split = "val",
    band: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Draw one yardstick of several runs in one panel, a colour per run and configuration.

    Args:
        recordings: what to call a run -> the run; runs without the yardstick are named in the note's place: they are
            skipped if at least one run has it.
        metric: the yardstick.
        split: which rows it was measured on.
        band: whether to shade the range over seeds.
        theme: light or dark.

    Raises:
        StoreError: no run has the yardstick.
    """
    groups: list[Group] = []
    refused: list[StoreError] = []
    for name, recording in recordings.items():
        try:
            curves = _eval_curves(recording, metric, split)
        except StoreError as error:
            refused.append(error)
            continue
        for group in _groups(recording, _defined(curves), _chosen(recording, None), "config"):
            groups.append(Group(f"{plain(name)}: {group.label}", group.curves, len(groups)))
    if refused and not groups:
        raise refused[0]
    panel = Panel(_titled(metric, split), tuple(groups))
    return line_figure([panel], Options(band=band, theme=theme), empty="None of these runs has been evaluated yet.")


_SPLITS: dict[Split, str] = {"train": "training rows", "val": "validation rows"}
_Curves: TypeAlias = Mapping[int, tuple[NDArray[np.integer], NDArray[np.floating]]]


def _titled(metric: str, split: Split) -> str:
    known = YARDSTICKS.get(metric)
    return f"{known.title if known else metric} ({_SPLITS[split]})"


def _chosen(recording: Recording, members: Collection[int] | None) -> list[int]:
    known = recording.members["id"].tolist()
    return [m for m in known if members is None or m in members]


def _columns(recording: Recording, *names: str) -> list[list[Any]]:
    return [recording.members[name].tolist() for name in names]


def _groups(recording: Recording, curves: _Curves, chosen: list[int], by: By) -> tuple[Group, ...]:
    """Group members, each group with the look that it has in every chart of the run.

    Members of different configurations look like these; where two are of the same, every member has its own look.
    """
    table = recording.members
    names = table["config" if by == "config" else "label"]
    alike = by == "member" and table["config"][table["id"].isin(chosen)].is_unique
    kinds = table["config"] if alike else names
    order = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    looks = {name: order[kind] for name, kind in zip(names, kinds, strict=True)}
    found: dict[str, list[Curve]] = {}
    for member, label, name in zip(table["id"], table["label"], names, strict=True):
        if member in chosen and member in curves:
            found.setdefault(name, []).append(Curve(plain(label), *curves[member]))
    return tuple(Group(plain(name), tuple(own), looks[name]) for name, own in found.items())


def _eval_curves(
    recording: Recording, metric: str, split: Split
) -> dict[int, tuple[NDArray[np.integer], NDArray[np.floating]]]:
    evals = recording.evals
    own = evals[(evals["metric"] == metric) & (evals["split"] == split)]
    known = sorted(evals["metric"].unique())
    if own.empty and known and metric not in known:
        raise StoreError(
            f"run {recording.id} has no yardstick {metric!r}; it has {', '.join(known)}.{did_you_mean(metric, known)}"
        )
    by_step = own.sort_values("step", kind="stable")
    return {
        int(member): (rows["step"].to_numpy(np.int32), rows["value"].to_numpy(np.float64))
        for member in by_step["member"].unique()
        for rows in [by_step[by_step["member"] == member]]
    }


def _defined(curves: _Curves) -> _Curves:
    """Leave out what is NaN throughout: a yardstick that a loss cannot have (hinge: no probabilities) is no alarm."""
    return {member: curve for member, curve in curves.items() if not np.isnan(curve[1]).all()}


def _events(recording: Recording, chosen: list[int], rail: bool) -> pd.DataFrame | None:
    if not rail:
        return None
    events = recording.events
    return events[events["member"].isin([-1, *chosen])]
