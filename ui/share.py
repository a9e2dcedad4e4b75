"""The experiment as a link and as YAML: out, and in again."""

from __future__ import annotations

import streamlit as st

from lossdiag.errors import SpecError
from lossdiag.spec import ExperimentSpec, from_yaml, to_query, to_yaml
from ui import state
from ui.text import plain


def share(spec: ExperimentSpec) -> None:
    """Draw the button that shows the link and the YAML of `spec`, and takes YAML."""
    with st.popover("Share or load", icon=":material/link:"):
        st.caption("This link opens the same experiment; so does the address bar.")
        st.code(link(spec), language=None, wrap_lines=True)
        st.download_button(
            "Download YAML", to_yaml(spec), "experiment.yaml", icon=":material/download:", on_click="ignore"
        )
        text = st.text_area("or paste YAML", key=state.key("yaml"), placeholder="losses: [mse, huber]\nseeds: 5")
        if st.button("Load it", disabled=not text.strip()):
            _load(text)


def link(spec: ExperimentSpec) -> str:
    """Return the address of the Race page with `spec` in it."""
    base = (st.context.url or "").rstrip("/")
    base = base if base.endswith("/race") else f"{base}/race"
    return f"{base}?spec={to_query(spec)}"


def _load(text: str) -> None:
    try:
        state.replace(from_yaml(text))
    except SpecError as error:
        st.error(plain(error), icon=":material/block:")
    else:
        st.rerun()
