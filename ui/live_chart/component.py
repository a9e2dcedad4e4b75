"""The Streamlit component: Python's side."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from lossdiag.figures.style import CONFIG, note
from ui.live_chart.messages import Sent
from ui.live_chart.plotly_js import ensure_static, plotly_url


@dataclass(frozen=True, slots=True)
class LiveChartState:
    """What the person did to the chart.

    Attributes:
        range: steps on show if they zoomed or panned the first x axis, else None.
        point: the point they clicked last: ``trace`` (name), ``x``, ``y``, ``index``; else None.
    """

    range: tuple[float, float] | None = None
    point: dict[str, Any] | None = None


def _ignore() -> None:
    """Stand in for a callback: Streamlit knows a component's state by its callbacks."""


def live_chart(
    figure: go.Figure,
    *,
    key: str,
    label: str,
    link: str = "",
    on_range_change: Callable[[], None] = _ignore,
    on_point_change: Callable[[], None] = _ignore,
) -> LiveChartState:
    """Show `figure`, or bring the chart of this `key` that is on the screen up to date without rebuilding it.

    The chart keeps zoom and pan, follows the theme while it is open, grows and shrinks with the page, and shows the
    figure's note under it. Keyboard: arrows pan, + and - zoom, 0 shows everything.

    Args:
        figure: made by `lossdiag.figures`; its template is replaced by the browser's theme, its height is kept.
        key: names the chart within the session.
        label: what a screen reader announces, such as "Training loss over steps".
        link: charts of the same non-empty link share a scrubber: where one is moved to a step, the others mark it.
        on_range_change: called before the rerun that a zoom causes.
        on_point_change: called before the rerun that a click on a point causes.

    Returns:
        Zoomed range and clicked point. Where plotly.js cannot be served (a read-only installation, static serving
        switched off) the figure is shown by ``st.plotly_chart``, which says so and returns neither.
    """
    if not _served():
        return _plain_chart(figure, key)
    slot = f"live_chart/{key}"
    sent: Sent = st.session_state.setdefault(slot, Sent())
    message = {
        **sent.next_message(figure),
        "label": label,
        "link": link,
        "config": CONFIG,
        "plotly": _plotly(),
    }
    result = _component()(
        key=key,
        data=message,
        on_range_change=on_range_change,
        on_point_change=on_point_change,
        on_resync_change=functools.partial(st.session_state.pop, slot, None),
    )
    chosen = result.get("range")
    return LiveChartState((float(chosen[0]), float(chosen[1])) if chosen else None, result.get("point"))


def preload() -> None:
    """Let the browser fetch plotly.js while the page's script is still running; shows nothing itself."""
    if _served():
        _component()(key="live_chart.preload", data={"preload": True, "plotly": _plotly()})


def _served() -> bool:
    return bool(st.get_option("server.enableStaticServing")) and ensure_static(_app_root())


def _plotly() -> str:
    return plotly_url(st.get_option("server.baseUrlPath") or "")


def _plain_chart(figure: go.Figure, key: str) -> LiveChartState:
    st.plotly_chart(figure, key=key, theme=None, config=CONFIG)
    missing = "Live updates redraw this chart whole, because plotly.js could not be put into the static folder."
    st.caption(" ".join(s for s in (note(figure), missing) if s), unsafe_allow_html=False)
    return LiveChartState()


def _app_root() -> Path:
    """Return the folder of the main script, beside which Streamlit looks for ``static``."""
    context = get_script_run_ctx()
    return Path(context.main_script_path).resolve().parent if context else Path.cwd()


@functools.cache
def _component() -> Callable[..., Any]:
    here = resources.files(__package__)
    return st.components.v2.component(
        "lossdiag_live_chart",
        js=here.joinpath("live_chart.js").read_text(encoding="utf-8"),
        css=here.joinpath("live_chart.css").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
