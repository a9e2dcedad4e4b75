"""What happens inside a run: every layer at every step."""

import streamlit as st

from ui.errors import shown
from ui.frame import page
from ui.layers_view import show_layers
from ui.pick import pick_run

with page("Gradients"):
    st.markdown("#### Gradients")
    run_id = None
    with shown():
        run_id = pick_run()
    if run_id:
        with shown():
            show_layers(run_id)
