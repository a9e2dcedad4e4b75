"""The decision boundary over time: one panel per label, one scrubber for all, moved in the browser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lossdiag.figures.film import animate, kept, latest, times_of
from lossdiag.figures.style import (
    ALARM,
    NEUTRAL,
    PALETTE,
    POINT_BUDGET,
    Theme,
    base_figure,
    clear_headings,
    colour_bar,
    fade,
    plain,
    sentence_figure,
    set_note,
)

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down")

Output = Literal["probability", "classes", "value"]


@dataclass(frozen=True, slots=True)
class Surface:
    """Predictions on a grid over two features, at several steps.

    Attributes:
        x: first feature of the grid's columns ``[W]``.
        y: second feature of the grid's rows ``[H]``.
        steps: when each picture was taken ``[F]``, ascending.
        values: ``[F, H, W]``: probability of the second class, index of the likeliest class, or predicted value.
    """

    x: NDArray[np.generic]
    y: NDArray[np.generic]
    steps: NDArray[np.integer]
    values: NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Points:
    """The rows behind the picture: two features ``[N]`` and class index or value ``[N]``."""

    x: NDArray[np.generic]
    y: NDArray[np.generic]
    target: NDArray[np.generic]


def decision_boundary(
    surfaces: Mapping[str, Surface],
    points: Points | None = None,
    *,
    output: Output = "probability",
    classes: Sequence[str] = ("0", "1"),
    axes: tuple[str, str] = ("x1", "x2"),
    columns: int = 2,
    theme: Theme = "light",
) -> go.Figure:
    """Draw how each label divides the plane, with a slider and a play button over the recorded steps.

    The slider animates Plotly frames, so scrubbing needs no server. Pictures of different steps are matched by the
    latest one at or before each step of the slider.

    Args:
        surfaces: label -> its predictions over time.
        points: data drawn on top.
        output: what the values are.
        classes: class names, for `output` "probability" (two) and "classes".
        axes: names and units of the two features.
        columns: panels per row; a page that must fit a phone draws one figure per label and links their scrubbers.
        theme: light or dark.
    """
    surfaces = {label: s for label, s in surfaces.items() if len(s.steps)}
    if not surfaces:
        return sentence_figure("No picture of the decision boundary was recorded.", theme)
    columns = min(columns, len(surfaces))
    rows = -(-len(surfaces) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[plain(label) for label in surfaces],
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.05,
        vertical_spacing=min(0.3, 0.12 / rows),
    )
    low, high = _limits(surfaces.values(), output, len(classes))
    # A level is one byte, and base64 makes four of three.
    cells = sum(np.size(s.x) * np.size(s.y) for s in surfaces.values())
    times, recorded = times_of([np.asarray(s.steps) for s in surfaces.values()], cells * 4 // 3)
    for i, surface in enumerate(surfaces.values()):
        figure.add_trace(
            go.Heatmap(
                z=_levels(surface, int(times[-1]), low, high),
                x=np.asarray(surface.x, np.float32),
                y=np.asarray(surface.y, np.float32),
                coloraxis="coloraxis",
                hoverinfo="skip",
            ),
            row=i // columns + 1,
            col=i % columns + 1,
        )
    drawn = _add_points(figure, points, classes, output, len(surfaces), columns) if points is not None else ""
    base_figure(theme, height=110 + 320 * rows, figure=figure)
    figure.update_layout(coloraxis=_colour_axis(output, classes, low, high, _any_odd(surfaces.values())))
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(title_text=plain(axes[0]), row=rows)
    figure.update_yaxes(title_text=plain(axes[1]), col=1)
    clear_headings(figure)

    def at(step: int) -> list[go.Heatmap]:
        return [go.Heatmap(z=_levels(s, step, low, high)) for s in surfaces.values()]

    animate(figure, times, at, range(len(surfaces)))
    set_note(figure, kept(times, recorded), drawn)
    return figure


def _limits(surfaces: Iterable[Surface], output: Output, n_classes: int) -> tuple[float, float]:
    """Return the values drawn as level 0 and level 254."""
    if output == "probability":
        return 0.0, 1.0
    if output == "classes":
        return 0.0, float(max(1, n_classes - 1))
    values = np.concatenate([np.asarray(s.values, np.float64).ravel() for s in surfaces])
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    return float(finite.min()), float(max(finite.max(), np.nextafter(finite.min(), np.inf)))


def _levels(surface: Surface, step: int, low: float, high: float) -> NDArray[np.uint8]:
    """Return the latest picture at or before `step` in 255 levels; level 255 stands for not finite."""
    values = np.asarray(surface.values[latest(np.asarray(surface.steps), step)], np.float64)
    finite = np.isfinite(values)
    scaled = np.clip((np.where(finite, values, low) - low) / (high - low), 0, 1)
    return np.where(finite, np.round(scaled * 254), 255).astype(np.uint8)


def _any_odd(surfaces: Iterable[Surface]) -> bool:
    return any(not np.isfinite(np.asarray(s.values, np.float64)).all() for s in surfaces)


def _colour_axis(output: Output, classes: Sequence[str], low: float, high: float, odd: bool) -> dict[str, object]:
    """Colour levels 0 to 254; the top of the scale is the colour of values that are not finite, if there are any."""
    title = {"classes": "", "value": "prediction", "probability": f"P({plain(classes[-1])})"}[output]
    bar = colour_bar(title)
    top = 254.5 / 255 if odd else 1.0
    alarm = [[top, ALARM], [1.0, ALARM]] if odd else []
    scale: list[list[object]]
    if output == "classes":
        n = max(2, len(classes))
        scale = []
        for i in range(n):
            colour = fade(PALETTE[i % len(PALETTE)], 0.4)
            edges = [max(0.0, (i - 0.5) / (n - 1)), min(1.0, (i + 0.5) / (n - 1))]
            scale += [[e * top, colour] for e in edges]
        ticks = [i / (n - 1) * 254 for i in range(len(classes))]
        bar |= {"tickvals": ticks, "ticktext": [plain(c) for c in classes]}
    elif output == "probability":
        ends = ((0.0, fade(PALETTE[0], 0.6)), (0.5, fade(NEUTRAL, 0.06)), (1.0, fade(PALETTE[1], 0.6)))
        scale = [[p * top, c] for p, c in ends]
        bar |= {"tickvals": [0, 127, 254], "ticktext": ["0", "0.5", "1"]}
    else:
        stops = ["#00224E", "#575D6D", "#A59C74", "#FDEA45"]
        scale = [[i / 3 * top, c] for i, c in enumerate(stops)]
        bar |= {"tickvals": [0, 127, 254], "ticktext": [f"{v:.3g}" for v in (low, (low + high) / 2, high)]}
    return {"colorscale": scale + alarm, "cmin": 0, "cmax": 255 if odd else 254, "colorbar": bar}


def _add_points(
    figure: go.Figure, points: Points, classes: Sequence[str], output: Output, panels: int, columns: int
) -> str:
    """Draw the data over every panel; return the note on a sample, if one was drawn."""
    n = np.size(points.x)
    most = POINT_BUDGET // panels
    keep = np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))
    x, y, target = (np.asarray(a)[keep] for a in (points.x, points.y, points.target))
    groups = [("data", np.full(len(keep), True))] if output == "value" else _by_class(target, classes)
    for panel in range(panels):
        for i, (name, own) in enumerate(groups):
            figure.add_trace(
                go.Scatter(
                    x=x[own].astype(np.float32),
                    y=y[own].astype(np.float32),
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=panel == 0,
                    marker={
                        "color": PALETTE[i % len(PALETTE)] if output != "value" else NEUTRAL,
                        "symbol": _SYMBOLS[i % len(_SYMBOLS)],
                        "size": 6,
                        "line": {"color": "#ffffff", "width": 0.8},
                    },
                    hovertemplate="%{x:.3g}, %{y:.3g}<extra>" + name + "</extra>",
                ),
                row=panel // columns + 1,
                col=panel % columns + 1,
            )
    return f"{len(keep):,} of {n:,} points are drawn." if len(keep) < n else ""


def _by_class(target: NDArray[np.generic], classes: Sequence[str]) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(plain(name), np.asarray(target == i)) for i, name in enumerate(classes)]
