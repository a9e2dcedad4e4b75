"""A run on the screen, live or ended: standing, curves, yardsticks, events; charts draw what their switches say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go
import streamlit as st

from lossdiag.figures import loss_curves, yardstick_curves
from lossdiag.registry import YARDSTICKS
from lossdiag.store import Recording
from ui import reads
from ui.charts import chart, theme, zoomed_chart
from ui.errors import shown
from ui.pictures import show_pictures
from ui.results import show_results, title_of
from ui.standing import say_no_steps, show_alarms, show_events, show_standing
from ui.text import plain
from ui.words import MEMBER, SEED, YARDSTICK

_SMOOTHING = (0.0, 0.6, 0.9, 0.97, 0.99)
_SMOOTH_HELP = "Weight of the past in a running mean; 0 is none. The raw curve stays in sight."
_TICK = 1.0
_LOG_HELP = "For all panels. Off, only a loss that spans more than four powers of ten is drawn on a logarithmic axis."


@dataclass(frozen=True, slots=True)
class Look:
    """How the person wants the curves."""

    log: bool
    smoothing: float
    members: tuple[int, ...] | None
    by: Literal["config", "member"]


def show_run(run_id: str) -> None:
    """Draw the run; while it trains, once a second, and only its own part of the page."""
    live = reads.live(run_id)
    st.fragment(_panel, run_every=_TICK if live else None)(run_id, live)
    if not live:
        with shown():
            show_results(reads.recording(run_id), f"run.{run_id}")
        with shown():
            show_pictures(reads.recording(run_id), f"run.{run_id}")


def _panel(run_id: str, was_live: bool) -> None:
    with shown():
        run = reads.recording(run_id)
        if was_live and not reads.live(run_id):
            st.rerun()
        show_standing(run)
        show_alarms(run)
        show_curves(run, f"run.{run_id}")
        show_events(run)


def show_curves(run: Recording, key: str) -> None:
    """Draw the switches, the loss curves with their events, and one shared yardstick."""
    if not run.curves("loss"):
        say_no_steps(run)
        return
    look = _switches(run, key)

    def losses(steps: tuple[float, float] | None) -> go.Figure:
        return loss_curves(
            run,
            members=look.members,
            by=look.by,
            log_y=True if look.log else None,
            smoothing=look.smoothing,
            x_range=steps,
            theme=theme(),
        )

    zoomed_chart(losses, f"{key}.losses", "Training loss over steps, with events", link=key)
    yardsticks = [y for y in YARDSTICKS if y in set(run.evals["metric"])]
    if yardsticks:
        metric = st.segmented_control(
            "yardstick",
            yardsticks,
            default=yardsticks[0],
            key=f"{key}.yardstick",
            format_func=title_of,
            required=True,
            help=f"{YARDSTICK}\n\n"
            + "\n".join(f"- **{YARDSTICKS[y].title}**: {plain(YARDSTICKS[y].help)}" for y in yardsticks),
        )
        log = look.log and _falls_to_zero(metric or yardsticks[0])
        figure = yardstick_curves(
            run, metric or yardsticks[0], members=look.members, by=look.by, log_y=log, theme=theme()
        )
        chart(figure, f"{key}.yardsticks", "Yardstick on validation rows over steps", link=key)


def _switches(run: Recording, key: str) -> Look:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        log = st.toggle("log axis", key=f"{key}.log", help=_LOG_HELP)
        smoothing = st.select_slider("smoothing", _SMOOTHING, key=f"{key}.smoothing", width=180, help=_SMOOTH_HELP)
        labels = dict(zip(run.members["id"], run.members["label"], strict=True))
        members = st.multiselect(
            "single members",
            list(labels),
            key=f"{key}.members",
            format_func=labels.__getitem__,
            placeholder="mean and band over seeds",
            max_selections=12,
            help=f"{MEMBER} {SEED}",
        )
    return Look(log, float(smoothing), tuple(members) or None, "member" if members else "config")


def _falls_to_zero(metric: str) -> bool:
    """Return whether a log axis shows more of a yardstick: not of a share whose news is near 1, nor of negatives."""
    return YARDSTICKS[metric].low == 0 and YARDSTICKS[metric].better == "low"
