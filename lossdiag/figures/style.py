"""How every figure looks: two templates, one palette that both share, and the sentence shown where data is missing.

Trace colours are the same in both themes, so a chart that is open can change theme by changing its template alone.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Literal, TypeAlias

import plotly.graph_objects as go

Theme: TypeAlias = Literal["light", "dark"]

BACKGROUND: dict[Theme, str] = {"light": "#ffffff", "dark": "#0e1117"}
_INK: dict[Theme, str] = {"light": "#31333f", "dark": "#e6e8ee"}
_GRID: dict[Theme, str] = {"light": "#e6e8ee", "dark": "#2a2f3a"}
_FONT = '"Source Sans", "Source Sans 3", "Segoe UI", system-ui, sans-serif'

# Okabe and Ito's hues, moved in lightness until each has a contrast of 3:1 on both backgrounds and any two of the same
# dash stay apart under simulated deuteranopia and protanopia (tests/figures/test_style.py holds the bounds).
PALETTE = (
    "#0059D5",
    "#C97700",
    "#009E73",
    "#A44085",
    "#3D9ADB",
    "#9C4800",
    "#7E6BD6",
    "#6F7451",
    "#6F8888",
    "#AE914C",
)
_DASHES = ("solid", "dash", "dot", "dashdot")

ALARM = "#E5004F"
"""Reserved for values that are not finite; no palette colour comes near it."""
NEUTRAL = "#7F8A93"
SEQUENTIAL = "Cividis"

POINT_BUDGET = 4000
"""Most points of one chart: SVG lines of more draw slowly."""

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": False,
    "modeBarButtons": [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
}
"""Plotly's client options: four buttons, none of which sends anything anywhere."""


def line_style(index: int) -> dict[str, str]:
    """Return colour and dash of the `index`-th of several lines; forty of them differ in one or the other."""
    half = len(PALETTE) // 2
    return {"color": PALETTE[index % len(PALETTE)], "dash": _DASHES[(index // half) % len(_DASHES)]}


STEP_AXIS: dict[str, Any] = {"title": {"text": "step"}, "exponentformat": "SI"}
"""An axis of steps: 20k and 1.5M rather than powers of ten."""


def fade(colour: str, opacity: float) -> str:
    """Return ``#RRGGBB`` as an ``rgba()`` of the given opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def number_of(count: int, noun: str) -> str:
    """Return ``1 value``, ``2,000 values``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(value: float) -> str:
    """Return a number in two digits: ``2.2e23``, ``-0.15``."""
    return re.sub(r"e\+?(-?)0*(\d)", r"e\1\2", f"{value:.2g}")


def plain(text: object) -> str:
    """Return text that Plotly shows as it is: it would read tags, entities and ``%{...}`` in names, which are data."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "%&#123;")


@functools.cache
def template(theme: Theme) -> go.layout.Template:
    """Return the template that every figure sets explicitly, whatever the process's default may be."""
    axis = {
        "automargin": True,
        "gridcolor": _GRID[theme],
        "linecolor": _GRID[theme],
        "zerolinecolor": _GRID[theme],
        "zerolinewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": _GRID[theme],
        "tickfont": {"size": 11},
        "title": {"font": {"size": 12}, "standoff": 6},
        "exponentformat": "power",
        "showexponent": "all",
    }
    layout = go.Layout(
        autosize=True,
        paper_bgcolor=BACKGROUND[theme],
        plot_bgcolor=BACKGROUND[theme],
        font={"family": _FONT, "size": 12, "color": _INK[theme]},
        title={"font": {"size": 14}, "x": 0, "xanchor": "left"},
        colorway=list(PALETTE),
        margin={"l": 48, "r": 12, "t": 28, "b": 40},
        hovermode="closest",
        hoverlabel={"bgcolor": BACKGROUND[theme], "bordercolor": NEUTRAL, "font": {"color": _INK[theme], "size": 12}},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 11},
            "maxheight": 0.25,  # many entries scroll rather than squeeze the curves
        },
        xaxis=axis,
        yaxis=axis,
        annotationdefaults={"font": {"size": 12, "color": _INK[theme]}},
        colorscale={"sequential": SEQUENTIAL},
        dragmode="zoom",
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": _INK[theme]},
    )
    return go.layout.Template(layout=layout)


def base_figure(theme: Theme, *, height: int = 280, figure: go.Figure | None = None) -> go.Figure:
    """Return `figure` (or an empty one) with our template, height, and zoom that survives new data."""
    figure = go.Figure() if figure is None else figure
    figure.update_layout(template=template(theme), height=height, uirevision="keep", meta={"note": ""})
    return figure


def colour_bar(title: str) -> dict[str, Any]:
    """Return a slim colour bar."""
    text = {"text": title, "side": "right", "font": {"size": 11}}
    return {"thickness": 8, "outlinewidth": 0, "tickfont": {"size": 10}, "title": text}


def clear_headings(figure: go.Figure) -> None:
    """Make the headings of subplots small, and lift the legend above them."""
    figure.update_annotations(font_size=12)
    if any(a.text for a in figure.layout.annotations):
        figure.update_layout(legend_y=1 + 24 / (figure.layout.height - 70), margin_t=46)


def sentence_figure(sentence: str, theme: Theme, *, height: int = 160) -> go.Figure:
    """Return a figure that says in one sentence why there is nothing to draw."""
    figure = base_figure(theme, height=height)
    figure.update_layout(xaxis_visible=False, yaxis_visible=False, meta={"note": sentence})
    figure.add_annotation(text=sentence, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure


def note(figure: go.Figure) -> str:
    """Return what the figure leaves out or takes for granted, as sentences to be shown under it; may be empty."""
    meta = figure.layout.meta
    return str(meta["note"]) if meta else ""


def set_note(figure: go.Figure, *sentences: str) -> None:
    """Store the sentences that `note` gives back; empty ones are left out."""
    figure.layout.meta = {"note": " ".join(s for s in sentences if s)}
