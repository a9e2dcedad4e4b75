"""The frame that every page opens with: title, grouped navigation, and what happens when something goes wrong.

The folder ``pages/`` and ``st.navigation`` do not go together: a deep link to a cold server would run a page without
``app.py``. So each page is a script of its own that opens with `page`, which draws the navigation itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from ui import state
from ui.errors import shown
from ui.live_chart import preload


@dataclass(frozen=True, slots=True)
class Page:
    """One entry of the navigation. The browser's tab has an emoji: any other icon would be fetched from outside."""

    name: str
    script: str
    icon: str
    emoji: str
    about: str


GROUPS: dict[str, tuple[Page, ...]] = {
    "Start": (Page("Start", "app.py", ":material/flag:", "🏁", "a finished race to look at"),),
    "Lab": (Page("Race", "pages/race.py", ":material/speed:", "🏎️", "train losses against each other"),),
    "Inspect": (
        Page("Gradients", "pages/gradients.py", ":material/layers:", "🌡️", "every layer at every step"),
        Page("Runs", "pages/runs.py", ":material/folder_open:", "🗂️", "all runs: compare, rename, delete, download"),
    ),
}
_PAGES = {page.name: page for pages in GROUPS.values() for page in pages}

# Layout only: less empty space above the title, no sideways scrolling of the page on a phone, and a focus ring on the
# navigation, where Streamlit's own looks like the page that is open.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.2rem 2.5rem 4rem; }
[data-testid="stSidebar"] { min-width: 13rem; max-width: 15rem; }
[data-testid="stPageLink-NavLink"]:focus-visible { outline: 2px solid #3f77e8; outline-offset: 1px; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: .8rem; padding-right: .8rem; }
}
</style>"""


@contextmanager
def page(name: str) -> Iterator[None]:
    """Open the page `name`; its content is the body of the ``with`` block.

    Raises:
        KeyError: `name` is not in the navigation.
    """
    own = _PAGES[name]
    st.set_page_config(page_title=f"{name} - lossdiag", page_icon=own.emoji, layout="wide")
    state.enter(name)
    st.html(_STYLE)
    _navigation()
    with st.sidebar:
        preload()
    with shown():
        yield


def _navigation() -> None:
    with st.sidebar:
        st.markdown("### lossdiag")
        for group, pages in GROUPS.items():
            st.caption(group)
            for entry in pages:
                st.page_link(entry.script, label=entry.name, icon=entry.icon, help=entry.about, width="stretch")
