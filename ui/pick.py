"""Choosing a run to look at."""

from __future__ import annotations

import streamlit as st

from ui import reads, state

_MOST = 200


def pick_run() -> str:
    """Draw the picker and return a run's id: the link's first, else the newest, else the recorded sample."""
    runs = reads.store().list(limit=_MOST)
    names = dict(zip(runs["id"], runs["name"], strict=True)) | {reads.SAMPLE_ID: "the recorded sample"}
    linked = state.run_id()
    if linked and linked not in names:
        names = {linked: reads.recording(linked).name} | names
    ids = list(names)
    key = f"pick.{linked}"
    picked: str = st.selectbox(
        "run",
        ids,
        index=ids.index(linked) if linked else 0,
        key=key,
        format_func=lambda run: f"{names[run]} ({run})",
    )
    state.show_run(picked)
    return picked
