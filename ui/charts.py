"""Showing a figure: in the theme that the person sees, drawn anew from the store where they zoom in."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from lossdiag.figures.style import Theme
from ui.live_chart import live_chart


def theme() -> Theme:
    """Return the theme that the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(figure: go.Figure, key: str, label: str, *, link: str = "") -> None:
    """Show `figure` and its note; `label` is what a screen reader announces."""
    live_chart(figure, key=key, label=label, link=link)


def zoomed_chart(
    draw: Callable[[tuple[float, float] | None], go.Figure], key: str, label: str, *, link: str = ""
) -> None:
    """Show what `draw` makes of the steps on show: a zoom draws them anew, at their full resolution.

    Args:
        draw: gets the steps on show, or None for all.
        key: names the chart within the session.
        label: what a screen reader announces.
        link: charts of one link share a scrubber.
    """
    live_chart(draw(zoom(key)), key=key, label=label, link=link)


def zoom(key: str) -> tuple[float, float] | None:
    """Return the steps on show in the chart `key`, or None if the person sees them all."""
    held = st.session_state.get(key)
    chosen = held.get("range") if held else None
    return (float(chosen[0]), float(chosen[1])) if chosen else None
