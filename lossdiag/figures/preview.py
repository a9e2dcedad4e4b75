"""A first look at data: histograms, class balance, two features against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.figures.style import (
    PALETTE,
    POINT_BUDGET,
    Theme,
    base_figure,
    colour_bar,
    fade,
    number_of,
    plain,
    sentence_figure,
    set_note,
)


def histogram(values: NDArray[np.generic], *, name: str, bins: int = 40, theme: Theme = "light") -> go.Figure:
    """Draw the distribution of one numeric column; counted here, so that only the bars travel.

    Args:
        values: the column ``[N]``; values that are not finite are counted in the note, not drawn.
        name: the column's name, for the axis.
        bins: number of bars.
        theme: light or dark.
    """
    numbers = np.asarray(values, np.float64)
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0:
        return sentence_figure(f"{plain(name)}: none of the {numbers.size} values is a finite number.", theme)
    counts, edges = _histogram(finite, bins)
    figure = go.Figure()
    figure.add_bar(
        x=edges[:-1] / 2 + edges[1:] / 2,
        y=counts.astype(np.int32),
        width=np.diff(np.clip(edges, -8e307, 8e307)),
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        marker={"color": PALETTE[0]},
        hovertemplate="%{customdata[0]:.4g} to %{customdata[1]:.4g}<br>%{y} rows<extra></extra>",
    )
    figure.update_layout(xaxis_title=plain(name), yaxis_title="rows", bargap=0.02, showlegend=False)
    base_figure(theme, height=240, figure=figure)
    missing = numbers.size - finite.size
    set_note(figure, f"{missing:,} of {numbers.size:,} values are missing or not finite." if missing else "")
    return figure


def _histogram(finite: NDArray[np.float64], bins: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Count into equal bins; a range too narrow or too wide for them in float64 becomes one bar."""
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return np.array([finite.size]), np.array([low - 0.5, high + 0.5])
    largest = max(abs(low), abs(high))
    if largest > 1e307 or (high - low) / bins <= 4 * np.spacing(largest):
        return np.array([finite.size]), np.array([low, high])
    return np.histogram(finite, bins=bins)


def class_balance(counts: Mapping[str, Mapping[str, int]], *, theme: Theme = "light") -> go.Figure:
    """Draw the rows of each class, grouped by split.

    Args:
        counts: split ("train", "validation") -> class -> number of rows.
        theme: light or dark.
    """
    if not any(counts.values()):
        return sentence_figure("There are no classes to count.", theme)
    figure = go.Figure()
    classes = list(dict.fromkeys(c for by_class in counts.values() for c in by_class))
    for i, (split, by_class) in enumerate(counts.items()):
        rows = np.array([by_class.get(c, 0) for c in classes], np.int32)
        total = max(1, int(rows.sum()))
        figure.add_bar(
            y=[plain(c) for c in classes],
            x=rows,
            orientation="h",
            name=plain(split),
            marker={"color": PALETTE[i % len(PALETTE)]},
            customdata=(rows / total).astype(np.float32),
            hovertemplate="%{y}<br>%{x} rows, %{customdata:.1%}<extra>" + plain(split) + "</extra>",
        )
    figure.update_layout(xaxis_title="rows", barmode="group")
    figure.update_yaxes(type="category", autorange="reversed", title_text="class")
    base_figure(theme, height=110 + 22 * len(classes) * len(counts), figure=figure)
    return figure


def scatter2d(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    *,
    x_name: str,
    y_name: str,
    colour: Sequence[str] | NDArray[np.generic] | None = None,
    colour_name: str = "",
    theme: Theme = "light",
    seed: int = 0,
) -> go.Figure:
    """Scatter two columns, coloured by class (strings) or by value (numbers).

    Args:
        x: the first column ``[N]``.
        y: the second column ``[N]``.
        x_name: its name.
        y_name: the other's name.
        colour: class or value of each row.
        colour_name: what the colour shows.
        theme: light or dark.
        seed: of the sample that is drawn when there are more rows than a chart takes.
    """
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    usable = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if usable.size == 0:
        return sentence_figure(f"No row has both a finite {plain(x_name)} and a finite {plain(y_name)}.", theme)
    kept = usable
    if usable.size > POINT_BUDGET:
        kept = np.sort(np.random.default_rng(seed).choice(usable, POINT_BUDGET, replace=False))
    figure = go.Figure()
    x_name, y_name, colour_name = plain(x_name), plain(y_name), plain(colour_name)
    groups = np.asarray(colour)[kept] if colour is not None else None
    hover = f"{x_name} %{{x:.4g}}<br>{y_name} %{{y:.4g}}"
    if groups is None or groups.dtype.kind not in "fiu":
        labels = np.full(kept.size, "rows") if groups is None else groups.astype(str)
        for i, label in enumerate(dict.fromkeys(labels.tolist())):
            name = plain(label)
            own = kept[labels == label]
            figure.add_scatter(
                x=first[own].astype(np.float32),
                y=second[own].astype(np.float32),
                mode="markers",
                name=name,
                marker={"color": fade(PALETTE[i % len(PALETTE)], 0.65), "size": 6, "symbol": i % 8 if i > 9 else 0},
                hovertemplate=hover + f"<extra>{name}</extra>",
            )
    else:
        figure.add_scatter(
            x=first[kept].astype(np.float32),
            y=second[kept].astype(np.float32),
            mode="markers",
            marker={
                "color": groups.astype(np.float32),
                "colorscale": "Cividis",
                "size": 6,
                "opacity": 0.8,
                "colorbar": colour_bar(colour_name),
            },
            hovertemplate=hover + f"<br>{colour_name} %{{marker.color:.4g}}<extra></extra>",
        )
    figure.update_layout(xaxis_title=x_name, yaxis_title=y_name, showlegend=len(figure.data) > 1)
    base_figure(theme, height=340, figure=figure)
    dropped = first.size - usable.size
    set_note(
        figure,
        f"{kept.size:,} of {first.size:,} rows are drawn." if kept.size < usable.size else "",
        f"Left out, without two finite values: {number_of(dropped, 'row')}." if dropped else "",
    )
    return figure
