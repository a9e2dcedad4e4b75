"""What came out of a race: confusion, predictions against truth, fitted curves, paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from lossdiag.figures.style import (
    ALARM,
    NEUTRAL,
    POINT_BUDGET,
    Theme,
    base_figure,
    clear_headings,
    colour_bar,
    fade,
    line_style,
    number_of,
    plain,
    sentence_figure,
    set_note,
)

_MAX_CELLS_WITH_TEXT = 12
_REACH = 0.5  # of the true values' range: predictions farther from them are marked at the edge


def confusion_matrices(
    matrices: Mapping[str, NDArray[np.generic]], classes: Sequence[str], *, columns: int = 3, theme: Theme = "light"
) -> go.Figure:
    """Draw one confusion matrix per label, side by side, coloured by row share.

    Args:
        matrices: label -> counts ``[C, C]``, rows are true classes, columns are predicted ones.
        classes: the C class names.
        columns: panels per row. Three fit a wide page; one that must fit a phone draws a figure per label.
        theme: light or dark.
    """
    if not matrices:
        return sentence_figure("No confusion matrix was recorded.", theme)
    columns = min(columns, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[plain(label) for label in matrices],
        horizontal_spacing=0.16 / columns,
        vertical_spacing=0.24 / rows,
    )
    names = _distinct(classes)
    for i, counts in enumerate(matrices.values()):
        _add_confusion(figure, np.asarray(counts), names, i // columns + 1, i % columns + 1)
    figure.update_xaxes(title_text="predicted", type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    figure.update_yaxes(title_text="true", col=1)
    for column in range(2, columns + 1):
        figure.update_yaxes(showticklabels=False, col=column)
    base_figure(theme, height=60 + 300 * rows, figure=figure)
    figure.update_layout(
        coloraxis={
            "colorscale": "Blues",
            "cmin": 0,
            "cmax": 1,
            "colorbar": {**colour_bar("row share"), "tickformat": ".0%"},
            "showscale": len(names) > _MAX_CELLS_WITH_TEXT,  # where numbers are drawn, a phone needs the width for them
        }
    )
    clear_headings(figure)
    set_note(figure, "Colour: share of the true class (rows add up to 1). Numbers: rows of the validation set.")
    return figure


def _add_confusion(figure: go.Figure, counts: NDArray[np.generic], names: list[str], row: int, column: int) -> None:
    counts = counts.astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    small = len(names) <= _MAX_CELLS_WITH_TEXT
    figure.add_trace(
        go.Heatmap(
            z=shares.astype(np.float32),
            x=names,
            y=names,
            text=[[f"{int(n):,}" for n in line] for line in counts],
            coloraxis="coloraxis",
            texttemplate="%{text}" if small else None,
            hovertemplate="true %{y}<br>predicted %{x}<br>%{text} rows, %{z:.1%} of the class<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        row=row,
        col=column,
    )


def predicted_vs_true(
    true: NDArray[np.generic],
    predicted: Mapping[str, NDArray[np.generic]],
    *,
    unit: str = "",
    looks: Mapping[str, int] | None = None,
    theme: Theme = "light",
    seed: int = 0,
) -> go.Figure:
    """Scatter predictions against true values, one colour per label, with the line of a perfect prediction.

    Args:
        true: true values ``[N]``, in the target's own units.
        predicted: label -> predictions ``[N]``; those that are not finite are marked at the foot.
        unit: the target's name or unit, for the axis titles.
        looks: label -> index of its colour (`style.line_style`); by order otherwise.
        theme: light or dark.
        seed: of the sample that is drawn when the points are too many.
    """
    actual = np.asarray(true, dtype=np.float64)
    if not predicted or actual.size == 0:
        return sentence_figure("No predictions were recorded.", theme)
    figure = go.Figure()
    keep = _sample(len(actual), POINT_BUDGET // len(predicted), seed)
    shown = _shown(actual, list(predicted.values()))
    if shown is None:
        return sentence_figure("Every prediction and every true value is not finite.", theme)
    low, high = shown
    known = actual[np.isfinite(actual)]
    ends = [float(known.min()), float(known.max())] if known.size else [low, high]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1},
        name="perfect",
        hoverinfo="skip",
    )
    broken = 0
    beyond = {}
    for i, (name, given) in enumerate(predicted.items()):
        label, look = plain(name), looks[name] if looks else i
        values = np.asarray(given, dtype=np.float64)
        ok = (values[keep] >= low) & (values[keep] <= high)
        figure.add_scatter(
            x=actual[keep][ok].astype(np.float32),
            y=values[keep][ok].astype(np.float32),
            mode="markers",
            name=label,
            legendgroup=label,
            marker={"color": fade(line_style(look)["color"], 0.6), "size": 6},
            hovertemplate="true %{x:.4g}<br>predicted %{y:.4g}<extra>" + label + "</extra>",
        )
        beyond[label] = _add_beyond(figure, actual, values, shown, label, look)
        bad = ~np.isfinite(values)
        broken += int(bad.sum())
        if bad.any():
            x = true[bad][:500].astype(np.float32)
            figure.add_scatter(
                x=x,
                y=np.full(len(x), low, np.float32),
                mode="markers",
                name=f"{label}: not finite",
                marker={"color": ALARM, "symbol": "x", "size": 8},
                hovertemplate="true %{x:.4g}<br>prediction is not finite<extra>" + label + "</extra>",
            )
    suffix = f" ({plain(unit)})" if unit else ""
    figure.update_layout(xaxis_title=f"true{suffix}", yaxis_title=f"predicted{suffix}")
    base_figure(theme, height=380, figure=figure)
    set_note(
        figure,
        _sampled(len(keep), len(actual)),
        *(
            f"{label}: {number_of(count, 'prediction')} far beyond the true values, at the edge."
            for label, count in beyond.items()
            if count
        ),
        f"Not finite: {number_of(broken, 'prediction')}." if broken else "",
    )
    return figure


def _shown(true: NDArray[np.float64], predicted: Sequence[NDArray[np.generic]]) -> tuple[float, float] | None:
    """Return the range of the axes: of all values, but no farther than half the true ones' range beside them."""
    known = true[np.isfinite(true)]
    values = np.concatenate([known, *(np.asarray(p, np.float64).ravel() for p in predicted)])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = float(values.min()), float(values.max())
    if known.size == 0 or np.ptp(known) == 0:
        return low, high
    reach = _REACH * float(np.ptp(known))
    return max(low, float(known.min()) - reach), min(high, float(known.max()) + reach)


def _add_beyond(
    figure: go.Figure,
    true: NDArray[np.float64],
    values: NDArray[np.float64],
    shown: tuple[float, float],
    label: str,
    look: int,
) -> int:
    """Mark predictions beyond the axis at its edge; return how many there are."""
    at = np.flatnonzero(np.isfinite(values) & ((values < shown[0]) | (values > shown[1])))
    above = values[at] > shown[1]
    marked = slice(0, 500)
    if at.size:
        figure.add_scatter(
            x=true[at][marked].astype(np.float32),
            y=np.where(above, shown[1], shown[0])[marked].astype(np.float32),
            mode="markers",
            name=f"{label}: beyond",
            legendgroup=label,
            showlegend=at.size == values.size,  # none stands inside, so it has no other entry
            marker={
                "color": line_style(look)["color"],
                "symbol": np.where(above, "triangle-up", "triangle-down")[marked].tolist(),
                "size": 8,
            },
            customdata=values[at][marked],
            hovertemplate="true %{x:.4g}<br>predicted %{customdata:.4g}, beyond the axis<extra>" + label + "</extra>",
        )
    return at.size


def paired_differences(table: pd.DataFrame, *, metric: str, theme: Theme = "light") -> go.Figure:
    """Draw a forest plot: mean difference over shared seeds with its confidence interval, and a line at 0.

    Args:
        table: columns ``label`` (such as "focal_binary - bce_with_logits"), ``mean``, ``low``, ``high`` (the interval)
            and ``n`` (shared seeds); ``low`` and ``high`` are NaN where an interval cannot be given.
        metric: what is compared, for the axis title.
        theme: light or dark.
    """
    shown = table[np.isfinite(table["mean"].to_numpy(np.float64))]
    if shown.empty:
        return sentence_figure(f"No pair has a finite {metric} in a shared seed.", theme)
    mean = shown["mean"].to_numpy(np.float64)
    low, high = (shown[c].to_numpy(np.float64) for c in ("low", "high"))
    clear = (low > 0) | (high < 0)
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    for name, chosen, colour in (
        ("interval excludes 0", clear, line_style(0)["color"]),
        ("cannot tell", ~clear, NEUTRAL),
    ):
        if not chosen.any():
            continue
        figure.add_scatter(
            x=mean[chosen].astype(np.float32),
            y=shown["label"][chosen].tolist(),
            mode="markers",
            name=name,
            marker={"color": colour, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.nan_to_num(high - mean)[chosen].astype(np.float32),
                "arrayminus": np.nan_to_num(mean - low)[chosen].astype(np.float32),
                "color": colour,
                "thickness": 2,
                "width": 5,
            },
            customdata=np.stack([low[chosen], high[chosen], shown["n"].to_numpy(np.float64)[chosen]], axis=1),
            hovertemplate="%{y}<br>%{x:.4g} [%{customdata[0]:.4g}, %{customdata[1]:.4g}]"
            "<br>%{customdata[2]} shared seeds<extra></extra>",
        )
    figure.update_layout(xaxis_title=f"difference in {metric}")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=shown["label"].tolist()[::-1])
    base_figure(theme, height=110 + 34 * len(shown), figure=figure)
    dropped = len(table) - len(shown)
    single = int(np.sum(~np.isfinite(low)))
    set_note(
        figure,
        f"Left out, without a finite difference: {number_of(dropped, 'pair')}." if dropped else "",
        f"Too few shared seeds for an interval: {number_of(single, 'pair')}." if single else "",
    )
    return figure


def _sample(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return the indexes of at most `most` of `n` rows, in order, drawn without replacement."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _sampled(shown: int, total: int) -> str:
    return f"{shown:,} of {total:,} points are drawn." if shown < total else ""


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names as text; those that occur twice get their position, for a category axis merges equal names."""
    texts = [plain(n) for n in names]
    return [t if texts.count(t) == 1 else f"{t} #{i}" for i, t in enumerate(texts)]
