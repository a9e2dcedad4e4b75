"""What only the first screen has: where its race comes from, and the ways on from it."""

from __future__ import annotations

import streamlit as st

from lossdiag.spec import ExperimentSpec, patch, to_query
from lossdiag.store import Recording
from ui import reads
from ui.form import member_count
from ui.pictures import show_pictures
from ui.results import show_results
from ui.run_view import show_curves
from ui.standing import show_alarms, show_events
from ui.text import plain

RACE = "pages/race.py"
BREAK_FACTOR = 100


def ways_on(spec: ExperimentSpec) -> None:
    """Draw the buttons that start from the recorded race: again, broken, or with other data."""
    with st.container(horizontal=True):
        if st.button("Re-run it live", type="primary", icon=":material/replay:"):
            _race(spec)
        if st.button(
            f"Break it (learning rate ×{BREAK_FACTOR})",
            icon=":material/bolt:",
            help="The same race with a far too large learning rate: watch which losses survive.",
        ):
            _race(patch(spec, {"optimizer.lr": spec.optimizer.lr * BREAK_FACTOR}))
        if st.button("Use my data", icon=":material/upload_file:"):
            st.switch_page(RACE, query_params={"data": "upload"})
        if st.button("See every layer", icon=":material/layers:"):
            st.switch_page("pages/gradients.py", query_params={"run": reads.SAMPLE_ID})


def _race(spec: ExperimentSpec) -> None:
    run_id = reads.jobs().submit(spec)
    st.switch_page(RACE, query_params={"run": run_id, "spec": to_query(spec)})


def show_recorded(run: Recording) -> None:
    """Draw the recorded race: where it comes from, what broke, curves, events and results."""
    _origin(run)
    show_alarms(run)
    show_curves(run, "sample")
    show_events(run)
    show_results(run, "sample")
    show_pictures(run, "sample")


def _origin(run: Recording) -> None:
    """Say that the race is a recording, when and how it was made."""
    device = plain(run.facts.get("device", ""))
    st.markdown(
        f"**{plain(run.name)}**: {member_count(run.spec)}, {run.spec.train.steps:,} steps each. "
        "All members have the same model and data; those of one seed also start alike and see the same batches."
    )
    st.caption(
        f"This is a recording, made on {run.created:%d %B %Y}{f' on {device}' if device else ''} "
        "by the same engine that the Race page uses; nothing trains now. "
        "Every step is in it: zoom in, or point at a curve."
    )
