"""Inside a run: gradients of every layer at every step, update ratios, activations, events on the same axis."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from lossdiag.figures import activation_panels, event_rail, gradient_heatmap, step_curves, update_ratio_curves
from lossdiag.store import END_STATUSES, Recording
from ui import reads
from ui.charts import chart, theme, zoom, zoomed_chart
from ui.errors import shown
from ui.standing import say_no_steps, show_alarms, show_events, show_standing
from ui.text import plain

_NORM_HELP = (
    "The length of the loss's gradient for a layer's weights, before clipping. Much smaller in the first layers than "
    "in the last: the gradient vanishes on its way back. Growing step after step: it explodes."
)
_TICK = 2.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose layers are shown: one member; the heatmap may be the mean over its siblings of other seeds instead."""

    config: str
    member: int
    mean: bool


def show_layers(run_id: str) -> None:
    """Draw what happens inside a run; while it trains, every two seconds."""
    live = reads.recording(run_id).status not in END_STATUSES
    st.fragment(_panel, run_every=_TICK if live else None)(run_id, live)


def _panel(run_id: str, was_live: bool) -> None:
    with shown():
        run = reads.recording(run_id)
        if was_live and run.status in END_STATUSES:
            st.rerun()
        show_standing(run)
        show_alarms(run)
        if not run.curves("grad_norm"):
            say_no_steps(run)
            return
        choice = _choose(run)
        _draw(run, choice, f"layers.{run_id}.{choice.member}")
        show_events(run)


def _choose(run: Recording) -> Choice:
    left, right = st.columns(2)
    configs = list(dict.fromkeys(run.members["config"]))
    broken = set(run.events.loc[run.events["kind"] == "nonfinite", "member"])
    config = left.selectbox("configuration", configs, key=f"layers.{run.id}.config")
    own = run.members[run.members["config"] == config]
    titles = {None: "mean over seeds"} | {
        int(member): f"seed {seed}" + (", broke" if member in broken else "")
        for member, seed in zip(own["id"], own["seed"], strict=True)
    }
    member = right.selectbox(
        "member", list(titles), key=f"layers.{run.id}.{config}.member", format_func=titles.__getitem__
    )
    return Choice(config, int(own["id"].iloc[0]) if member is None else member, member is None)


def _draw(run: Recording, choice: Choice, key: str) -> None:
    who = {"config": choice.config} if choice.mean else {"member": choice.member}
    st.markdown("##### Gradient norm of every layer", help=_NORM_HELP)

    def heatmap(steps: tuple[float, float] | None) -> go.Figure:
        return _aligned(gradient_heatmap(run, **who, x_range=steps, theme=theme()))

    chart_key = f"{key}.{choice.mean}.heatmap"
    zoomed_chart(heatmap, chart_key, "Gradient norm by layer and step", link=key)
    siblings = run.members["id"][run.members["config"] == choice.config] if choice.mean else [choice.member]
    events = run.events[run.events["member"].isin([-1, *siblings])]
    if not events.empty:
        rail = event_rail(events, theme=theme())
        rail.update_xaxes(range=zoom(chart_key) or (0, run.spec.train.steps))  # the heatmap's axis
        chart(_aligned(rail), f"{key}.rail", "Events over steps", link=key)
    if choice.mean and len(run.members) > 1:
        label = run.members["label"][run.members["id"] == choice.member].iloc[0]
        st.caption(f"Below: {plain(label)}, as an example; choose a member to see another.")
    tabs = st.tabs(["Update ratio", "Activations", "Whole gradient"], key=f"{key}.tabs", on_change="rerun")
    for tab, draw in zip(tabs, (_ratios, _activations, _gradient), strict=True):
        if tab.open:
            with tab:
                draw(run, choice.member, key)


def _aligned(figure: go.Figure) -> go.Figure:
    """Give the figure the margins that heatmap and event rail share, so that a step is at one place in both."""
    return figure.update_layout(margin={"l": 80, "r": 72, "autoexpand": False})


def _ratios(run: Recording, member: int, key: str) -> None:
    st.caption(
        "|update| / |weights|: in the shaded band a layer learns; far above it jumps, far below it stands still."
    )

    def draw(steps: tuple[float, float] | None) -> go.Figure:
        return update_ratio_curves(run, member=member, x_range=steps, theme=theme())

    zoomed_chart(draw, f"{key}.ratios", "Update ratio by layer over steps", link=key)


def _activations(run: Recording, member: int, key: str) -> None:
    st.caption("After each activation function, on the training batch of the evaluated steps.")
    chart(activation_panels(run, member=member, theme=theme()), f"{key}.activations", "Activation statistics", link=key)


def _gradient(run: Recording, member: int, key: str) -> None:
    def draw(steps: tuple[float, float] | None) -> go.Figure:
        return step_curves(run, "grad_norm", members=[member], by="member", x_range=steps, theme=theme())

    zoomed_chart(draw, f"{key}.norm", "Gradient norm of the whole network over steps", link=key)
