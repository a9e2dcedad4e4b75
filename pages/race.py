"""Train losses against each other: set up on the left, watch on the right."""

import streamlit as st

from ui import reads, state
from ui.data import choose_data
from ui.diff import differing
from ui.errors import shown
from ui.form import experiment_form, member_count
from ui.frame import page
from ui.preview import show_preview
from ui.run_view import show_run
from ui.share import share
from ui.text import plain

with page("Race"):
    with shown():
        state.draft()
    run_id = state.run_id()
    run = None
    with shown():
        run = reads.recording(run_id) if run_id else None
        if run and not state.has_draft():
            state.replace(run.spec)
    draft = state.current()
    setup, stage = st.columns([2, 5], gap="medium")
    ready = None
    with setup, shown():
        st.markdown("##### Data")
        data, dataset = choose_data(draft.data, st.query_params.get("data"))
        ready = experiment_form(draft.model_copy(update={"data": data}), dataset.task)
        state.edit(ready)
    with stage:
        with st.container(horizontal=True, vertical_alignment="center"), shown():
            live = run is not None and reads.live(run.id)
            if st.button("Run", type="primary", icon=":material/play_arrow:", disabled=ready is None) and ready:
                state.show_run(reads.jobs().submit(ready))
                st.rerun()
            if st.button("Stop", icon=":material/stop:", disabled=not live) and run:
                reads.jobs().cancel(run.id)
                st.toast("Stopping after this step.", icon=":material/stop:")
            if ready:
                st.markdown(member_count(ready), width="content")
                share(ready)
        if run:
            state.show_run(run_id)
            if ready and (changed := differing({"run": run.spec, "set-up": ready})["value"].tolist()):
                st.info(f"Changed since this run: {plain(', '.join(changed))}. Press Run to train it.")
            with shown():
                show_run(run.id)
            if ready:
                box = st.expander("The data of the set-up", icon=":material/table:", key="race.data", on_change="rerun")
                if box.open:
                    with box:
                        show_preview(data, dataset)
        elif ready:
            st.markdown("##### The data")
            st.caption("No run yet: look at the data, then press Run.")
            show_preview(data, dataset)
    with shown():
        reads.warm_soon()
