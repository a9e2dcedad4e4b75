"""The first screen: a finished race to look at, and three ways to go on."""

import streamlit as st

from lossdiag.spec import ExperimentSpec
from ui import reads
from ui.errors import shown
from ui.frame import page
from ui.start import show_recorded, ways_on

with page("Start"):
    st.markdown("#### Which loss wins, and why?")
    st.markdown(
        "lossdiag trains small networks side by side that differ in their loss only, over several seeds, and records "
        "every step: see which loss does best on your data, by how much, and what went wrong where training broke."
    )
    sample = None
    with shown():
        sample = reads.sample_run()
    with shown():
        ways_on(sample.spec if sample else ExperimentSpec())
    if sample:
        with shown():
            show_recorded(sample)
    with shown():
        reads.warm_soon()
