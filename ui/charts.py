"""Showing a figure: in the theme that the person sees, with the sentence on what it leaves out."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from lossdiag.figures.style import Theme, note
from ui.text import plain


def theme() -> Theme:
    """Return the theme that the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(figure: go.Figure, key: str) -> None:
    """Show `figure` and its note."""
    st.plotly_chart(figure, key=key, theme=None)
    if sentence := note(figure):
        st.caption(plain(sentence))
