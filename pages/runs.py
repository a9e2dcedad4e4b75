"""All runs: find, compare, rename, tag, download, delete."""

import streamlit as st

from ui import reads
from ui.errors import shown
from ui.frame import page
from ui.runs_view import MOST_COMPARED, compare, one_run, remove, run_table

with page("Runs"):
    st.markdown("#### Runs")
    chosen: list[str] = []
    with shown():
        chosen = run_table()
    if chosen:
        with shown():
            if len(chosen) == 1:
                one_run(reads.recording(chosen[0]))
            else:
                compare({run_id: reads.recording(run_id) for run_id in chosen[:MOST_COMPARED]}, len(chosen))
        with shown():
            remove(chosen)
