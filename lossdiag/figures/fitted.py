"""The curves that members fit to data with one feature, at one moment or step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.figures.film import animate, kept, latest, times_of
from lossdiag.figures.style import (
    NEUTRAL,
    POINT_BUDGET,
    Theme,
    base_figure,
    fade,
    line_style,
    plain,
    sentence_figure,
    set_note,
)

_MARGIN = 0.15  # of the data's range, above and below
_TRACE_BYTES = 120  # of a trace in a frame, without its values


@dataclass(frozen=True, slots=True)
class SeedFit:
    """What one member fitted over time.

    Attributes:
        label: the member.
        steps: when its curve was pictured ``[F]``, ascending.
        values: the curve at each of those steps ``[F, G]``.
        broke: the step at which its loss was not finite any more; None if that never happened.
    """

    label: str
    steps: NDArray[np.integer]
    values: NDArray[np.floating]
    broke: int | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """What one configuration fitted over time: its seeds, and the look that it has in every chart of the run."""

    seeds: tuple[SeedFit, ...]
    look: int = 0

    def at(self, step: int) -> NDArray[np.float64]:
        """Return mean, lowest and highest curve at `step` ``[3, G]`` over the seeds that have not broken by then.

        Where all have, over all, as they were last pictured.
        """
        alive = [s for s in self.seeds if s.broke is None or step < s.broke] or list(self.seeds)
        curves = np.stack([np.asarray(s.values[latest(s.steps, step)], np.float64) for s in alive])
        finite = np.isfinite(curves)
        count = finite.sum(axis=0)
        with np.errstate(over="ignore"):
            mean = np.where(count, np.where(finite, curves, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
        low = np.where(count, np.where(finite, curves, np.inf).min(axis=0), np.nan)
        high = np.where(count, np.where(finite, curves, -np.inf).max(axis=0), np.nan)
        return np.stack([mean, low, high])


def fit_curve(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    grid: NDArray[np.generic],
    fits: Mapping[str, NDArray[np.generic]],
    *,
    x_title: str = "x",
    y_title: str = "y",
    theme: Theme = "light",
) -> go.Figure:
    """Draw data with one feature and the curve that each label fitted to it; as `fit_film`, of one moment.

    Args:
        x: the feature ``[N]``.
        y: the target ``[N]``.
        grid: where the fits were evaluated ``[G]``, ascending.
        fits: label -> fitted values ``[G]``, or ``[S, G]`` for S seeds (drawn as mean and range over the seeds).
        x_title: name and unit of the feature.
        y_title: name and unit of the target.
        theme: light or dark.
    """
    once = np.zeros(1, np.int32)
    still = {
        label: Fit(tuple(SeedFit(label, once, v[None]) for v in np.atleast_2d(np.asarray(values, np.float64))), i)
        for i, (label, values) in enumerate(fits.items())
    }
    return fit_film(x, y, grid, still, x_title=x_title, y_title=y_title, theme=theme)


def fit_film(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    grid: NDArray[np.generic],
    fits: Mapping[str, Fit],
    *,
    x_title: str = "x",
    y_title: str = "y",
    theme: Theme = "light",
) -> go.Figure:
    """Draw data with one feature and how each configuration's curve bends towards it, with a scrubber over the steps.

    The axis keeps to the data: a curve may leave the picture, and the note says whose does at the end. Of several seeds
    the mean and range are drawn, over those that have not broken.

    Args:
        x: the feature ``[N]``; may be empty.
        y: the target ``[N]``.
        grid: where the fits were evaluated ``[G]``, ascending.
        fits: label -> curves over time.
        x_title: name and unit of the feature.
        y_title: name and unit of the target.
        theme: light or dark.
    """
    if np.size(x) == 0 and not fits:
        return sentence_figure("No data and no fit to draw.", theme)
    figure = go.Figure()
    x_title, y_title = plain(x_title), plain(y_title)
    sampled = _add_data(figure, np.asarray(x), np.asarray(y), x_title, y_title)
    several = any(len(fit.seeds) > 1 for fit in fits.values())
    lines = sum(3 if len(fit.seeds) > 1 else 1 for fit in fits.values())
    steps = [seed.steps for fit in fits.values() for seed in fit.seeds] or [np.zeros(1, np.int32)]
    each = lines * (np.size(grid) * 16 // 3 + _TRACE_BYTES)
    times, recorded = times_of(steps, each, still=2 * each)  # the picture has a grid too
    end = int(times[-1])
    for label, fit in fits.items():
        _add_fit(figure, np.asarray(grid, np.float32), plain(label), fit, end, x_title)
    figure.update_layout(xaxis_title=x_title, yaxis_title=y_title)
    base_figure(theme, height=360, figure=figure)
    shown = _range(np.asarray(y, np.float64), fits, end)
    if shown is not None:
        figure.update_yaxes(range=shown)
    first = 1 if np.size(x) else 0

    def frame(step: int) -> list[go.Scatter]:
        return [go.Scatter(y=y) for fit in fits.values() for y in _lines(fit, step)]

    animate(figure, times, frame, range(first, first + lines))
    set_note(
        figure,
        kept(times, recorded),
        sampled,
        "Line: mean over seeds; band: their range." if several else "",
        *(_standing(label, fit, end, shown) for label, fit in fits.items()),
    )
    return figure


def _add_data(figure: go.Figure, x: NDArray[np.generic], y: NDArray[np.generic], x_title: str, y_title: str) -> str:
    if x.size == 0:
        return ""
    most = POINT_BUDGET // 2
    keep = np.arange(x.size) if x.size <= most else np.sort(np.random.default_rng(0).choice(x.size, most, False))
    figure.add_scatter(
        x=np.asarray(x, np.float32)[keep],
        y=np.asarray(y, np.float32)[keep],
        mode="markers",
        name="data",
        marker={"color": fade(NEUTRAL, 0.6), "size": 5},
        hovertemplate=f"{x_title} %{{x:.4g}}<br>{y_title} %{{y:.4g}}<extra>data</extra>",
    )
    return f"{len(keep):,} of {x.size:,} points are drawn." if len(keep) < x.size else ""


def _lines(fit: Fit, step: int) -> list[NDArray[np.float32]]:
    """Return the lines of a fit at a step: low, high and mean, or the mean of a single seed."""
    most = float(np.finfo(np.float32).max)
    mean, low, high = np.clip(fit.at(step), -most, most).astype(np.float32)
    return [low, high, mean] if len(fit.seeds) > 1 else [mean]


def _add_fit(figure: go.Figure, grid: NDArray[np.float32], label: str, fit: Fit, step: int, x_title: str) -> None:
    style = line_style(fit.look)
    *edges, mean = _lines(fit, step)
    for i, edge in enumerate(edges):
        figure.add_scatter(
            x=grid,
            y=edge,
            mode="lines",
            line={"width": 0},
            fill="tonexty" if i else None,
            fillcolor=fade(style["color"], 0.18),
            hoverinfo="skip",
            showlegend=False,
            legendgroup=label,
            name=f"{label} {'high' if i else 'low'}",
        )
    figure.add_scatter(
        x=grid,
        y=mean,
        mode="lines",
        name=label,
        legendgroup=label,
        line={**style, "width": 2},
        hovertemplate=f"{x_title} %{{x:.4g}}<br>fit %{{y:.4g}}<extra>{label}</extra>",
    )


def _range(y: NDArray[np.float64], fits: Mapping[str, Fit], end: int) -> tuple[float, float] | None:
    """Return the range of the data with a margin; without data, that of the curves of seeds that did not break."""
    if not np.isfinite(y).any():
        whole = [fit for fit in fits.values() if any(s.broke is None for s in fit.seeds)]
        return _padded(np.concatenate([fit.at(end).ravel() for fit in whole])) if whole else None
    return _padded(y)


def _padded(values: NDArray[np.float64]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    low, high = float(finite.min()), float(finite.max())
    margin = _MARGIN * (high - low) or max(abs(low), 1.0)
    return low - margin, high + margin


def _standing(label: str, fit: Fit, end: int, shown: tuple[float, float] | None) -> str:
    """Say which seeds broke, and whether the curve lies outside the picture at the end."""
    mean = fit.at(end)[0]
    low, high = shown if shown is not None else (-np.inf, np.inf)
    outside = not np.any((mean >= low) & (mean <= high))
    broken = [f"{plain(s.label)} broke at step {s.broke:,}" for s in fit.seeds if s.broke is not None]
    if len(broken) == len(fit.seeds):
        where = "lies outside the picture" if outside else "is drawn as it was last pictured"
        return f"{', '.join(broken)}: its curve {where}." if len(broken) == 1 else f"{', '.join(broken)}; {where}."
    left_out = f"{', '.join(broken)}: left out from there on." if broken else ""
    return left_out + (f" {plain(label)}: its curve lies outside the picture." if outside else "")
