"""All runs: find, compare, rename, tag, download, delete."""

import streamlit as st

from ui import reads
from ui.errors import shown
from ui.frame import page
from ui.runs_view import compare, one_run, remove, run_table

with page("Runs"):
    st.markdown("#### Runs")
    chosen: list[str] = []
    with shown():
        chosen = run_table()
    if chosen:
        with shown():
            opened = {run_id: reads.recording(run_id) for run_id in chosen}
            if len(chosen) == 1:
                one_run(opened[chosen[0]])
            else:
                compare(opened)
        with shown():
            remove(chosen)
