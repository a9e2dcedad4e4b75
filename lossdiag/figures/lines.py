"""Panels of lines over steps, one under the other on a shared step axis, with a rail of events at the foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lossdiag.figures.axis import flat_range, robust_range, wants_log
from lossdiag.figures.decimate import Band, band, smooth
from lossdiag.figures.marks import MOST_MARKS, Tally, draw_beyond, draw_oddities
from lossdiag.figures.rail import add_rail, rail_height
from lossdiag.figures.series import Curve, Group, thin
from lossdiag.figures.style import (
    POINT_BUDGET,
    STEP_AXIS,
    Theme,
    base_figure,
    clear_headings,
    fade,
    line_style,
    number_of,
    sentence_figure,
    set_note,
)

_MOST_LINES = 120
# The edges of a band and thin lines need fewer points than the line that is read.
_BAND_SHARE = 0.5
_SINGLE_SHARE = 0.4
_LEAST = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes.

    Attributes:
        y_title: quantity and unit.
        groups: what is drawn in it.
        title: heading; may be empty.
        log_y: logarithmic values; None where the values decide.
        healthy: a range of values to be shaded as healthy.
        cut: whether a few values that would flatten all others may lie beyond the axis.
    """

    y_title: str
    groups: tuple[Group, ...]
    title: str = ""
    log_y: bool | None = False
    healthy: tuple[float, float] | None = None
    cut: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """How lines are drawn.

    Attributes:
        smoothing: weight of the past in the running mean, 0 (none) to below 1; the raw line stays visible under it.
        band: whether to shade the range from the lowest to the highest member of a group.
        singles: whether to draw every member as a thin line as well.
        x_range: the steps on show, which get most of the points.
        height: pixels of one panel.
        theme: light or dark.
    """

    smoothing: float = 0.0
    band: bool = True
    singles: bool = False
    x_range: tuple[float, float] | None = None
    height: int = 260
    theme: Theme = "light"


def line_figure(
    panels: Sequence[Panel],
    options: Options,
    *,
    empty: str,
    events: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
) -> go.Figure:
    """Draw panels of lines.

    Args:
        panels: from top to bottom.
        options: how to draw them.
        empty: the sentence shown if there is no value at all.
        events: rows of the events table, drawn on a rail under the lowest panel; None for no rail.
        notes: sentences that go before those on what was drawn.
    """
    panels = [_decided(p) for p in panels if any(len(c.steps) for g in p.groups for c in g.curves)]
    if not panels:
        return sentence_figure(empty, options.theme)
    rail = rail_height(events)
    heights = [options.height] * len(panels) + ([rail] if rail else [])
    figure = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=min(0.4 / len(heights), 34 / sum(heights)),
        subplot_titles=[p.title for p in panels] + ([""] if rail else []),
    )
    tally = Tally()
    panels, lines_left_out = _first_lines(panels)
    points = int(POINT_BUDGET / sum(_weight(g, options) for p in panels for g in p.groups))
    shown: set[str] = set()
    for row, panel in enumerate(panels, 1):
        _draw_panel(figure, panel, row, options, points, shown, tally)
    sentences = [*notes, *_sentences(panels, options, tally)]
    if rail and events is not None:
        sentences.append(add_rail(figure, events, row=len(heights)))
    if lines_left_out:
        sentences.append(f"Left out: {number_of(lines_left_out, 'line')}; choose fewer members.")
    base_figure(options.theme, height=sum(heights) + 70, figure=figure)
    clear_headings(figure)
    figure.update_xaxes(STEP_AXIS, row=len(heights))
    figure.update_layout(showlegend=len(shown) > 1 or any(p.groups[0].label for p in panels))
    set_note(figure, *sentences)
    return figure


def _first_lines(panels: Sequence[Panel]) -> tuple[list[Panel], int]:
    """Return the panels with at most `_MOST_LINES` groups between them, and how many groups that leaves out."""
    each = max(1, _MOST_LINES // len(panels))
    left_out = sum(max(0, len(p.groups) - each) for p in panels)
    return [replace(p, groups=p.groups[:each]) for p in panels], left_out


def _decided(panel: Panel) -> Panel:
    """Return the panel with the kind of axis that its values ask for, where that was left open."""
    if panel.log_y is not None:
        return panel
    return replace(panel, log_y=wants_log([c.values for g in panel.groups for c in g.curves]))


def _weight(group: Group, options: Options) -> float:
    """Return how many lines' worth of points a group takes."""
    several = len(group.curves) > 1
    band_share = 2 * _BAND_SHARE if several and options.band else 0
    single_share = _SINGLE_SHARE * len(group.curves) if several and options.singles else 0
    return 1 + band_share + single_share + (1 if options.smoothing > 0 else 0)


def _draw_panel(
    figure: go.Figure, panel: Panel, row: int, options: Options, points: int, shown: set[str], tally: Tally
) -> None:
    for group in panel.groups:
        curves = tuple(c for c in group.curves if len(c.steps))
        if curves:
            _draw_group(figure, panel, Group(group.label, curves, group.look), row, options, points, shown, tally)
    if panel.healthy is not None:
        low, high = panel.healthy
        figure.add_hrect(y0=low, y1=high, fillcolor=fade("#009E73", 0.14), line_width=0, layer="below", row=row, col=1)
    draw_oddities(figure, panel.groups, panel.y_title, row, tally)
    figure.update_yaxes(title_text=panel.y_title, type="log" if panel.log_y else "linear", row=row, col=1)
    values = [c.values for g in panel.groups for c in g.curves]
    log = bool(panel.log_y)
    shown_range = robust_range(values, log=log, keep=panel.healthy or ()) if panel.cut else None
    if shown_range is not None:
        figure.update_yaxes(range=np.log10(shown_range) if log else shown_range, row=row, col=1)
        draw_beyond(figure, panel.groups, shown_range, log, row, tally)
    elif not log and (flat := flat_range(values)) is not None:
        figure.update_yaxes(range=flat, row=row, col=1)


def _draw_group(
    figure: go.Figure,
    panel: Panel,
    group: Group,
    row: int,
    options: Options,
    points: int,
    shown: set[str],
    tally: Tally,
) -> None:
    style = line_style(group.look)
    several = len(group.curves) > 1
    raw = band((c.steps, c.values) for c in group.curves)
    curves = group.curves
    if options.smoothing > 0:
        curves = tuple(Curve(c.label, c.steps, smooth(c.values, options.smoothing)) for c in curves)
    main = band((c.steps, c.values) for c in curves) if options.smoothing > 0 else raw
    if several and options.band:
        _draw_band(figure, panel, group.label, main, row, options, int(points * _BAND_SHARE), style["color"])
    if several and options.singles:
        for curve in group.curves:
            line = {"color": fade(style["color"], 0.45), "width": 0.8}
            few = int(points * _SINGLE_SHARE)
            _add_line(figure, curve.label, curve.steps, curve.values, row, options, few, line, group.label)
    if options.smoothing > 0:
        line = {"color": fade(style["color"], 0.28), "width": 1}
        _add_line(figure, "raw " + group.label, raw.steps, raw.mean, row, options, points, line, group.label)
    trace = _add_line(
        figure, group.label, main.steps, main.mean, row, options, points, {**style, "width": 2}, group.label
    )
    trace.showlegend = group.label not in shown
    shown.add(group.label)
    if several:
        at = np.searchsorted(main.steps, trace.x)
        trace.customdata = main.n[at].astype(np.int16)
        trace.hovertemplate = f"step %{{x}}<br>%{{y:.5g}}, mean of %{{customdata}}<extra>{group.label}</extra>"
    finite = np.isfinite(raw.mean)
    tally.total += int(finite.sum())
    tally.drawn += int(np.isfinite(trace.y).sum())
    if panel.log_y:
        tally.below_zero += int((raw.mean[finite] <= 0).sum())


def _add_line(
    figure: go.Figure,
    name: str,
    steps: NDArray[np.integer],
    values: NDArray[np.floating],
    row: int,
    options: Options,
    points: int,
    line: dict[str, object],
    legend_group: str,
) -> go.Scatter:
    at = _with_gaps(values, thin(steps, values, max(points, _LEAST), options.x_range))
    trace = go.Scatter(
        x=steps[at].astype(np.int32),
        y=np.where(np.isfinite(values[at]), values[at], np.nan).astype(_kind(values[at])),
        mode="lines+markers" if len(at) == 1 else "lines",
        line=line,
        name=name,
        legendgroup=legend_group,
        showlegend=False,
        hovertemplate=f"step %{{x}}<br>%{{y:.5g}}<extra>{name}</extra>",
    )
    figure.add_trace(trace, row=row, col=1)
    return figure.data[-1]


def _kind(values: NDArray[np.floating]) -> type[np.floating]:
    """float32, unless a finite value would become infinite in it."""
    finite = values[np.isfinite(values)]
    return np.float64 if finite.size and np.abs(finite).max() > np.finfo(np.float32).max else np.float32


def _with_gaps(values: NDArray[np.floating], at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Add the first position of each stretch that is not finite, so that the line breaks there."""
    bad = ~np.isfinite(values)
    starts = np.flatnonzero(bad & np.r_[True, ~bad[:-1]])[:MOST_MARKS]
    return np.sort(np.concatenate([at, starts])) if starts.size else at


def _draw_band(
    figure: go.Figure, panel: Panel, label: str, main: Band, row: int, options: Options, points: int, colour: str
) -> None:
    low = np.where(main.low > 0, main.low, np.nan) if panel.log_y else main.low
    for values, fill in ((low, None), (main.high, "tonexty")):
        at = thin(main.steps, values, max(points, _LEAST), options.x_range)
        figure.add_trace(
            go.Scatter(
                x=main.steps[at].astype(np.int32),
                y=values[at].astype(_kind(values[at])),
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=fade(colour, 0.16),
                hoverinfo="skip",
                showlegend=False,
                legendgroup=label,
                name=f"{label} {'high' if fill else 'low'}",
            ),
            row=row,
            col=1,
        )


def _sentences(panels: Sequence[Panel], options: Options, tally: Tally) -> list[str]:
    several = any(len(g.curves) > 1 for p in panels for g in p.groups)
    sentences = []
    if several:
        shade = "; band: the lowest to the highest of them" if options.band else ""
        sentences.append(f"Line: mean over the seeds that are finite at the step{shade}.")
    if options.smoothing > 0:
        sentences.append(f"Smoothed with weight {options.smoothing:g} over finite values; the faint line is raw.")
    if tally.drawn < tally.total:
        sentences.append(
            f"{tally.total:,} -> {tally.drawn:,} points, the lowest and highest of every stretch kept; zoom refines."
        )
    if tally.nonfinite:
        missing = f" Marks left out: {tally.unmarked:,}." if tally.unmarked else ""
        sentences.append(f"Not finite (x): {number_of(tally.nonfinite, 'value')}.{missing}")
    sentences += tally.beyond_sentence()
    if tally.below_zero:
        sentences.append(f"At or below 0, so not on the log axis: {number_of(tally.below_zero, 'value')}.")
    return sentences
