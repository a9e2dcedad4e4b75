"""The table of runs, and what can be done with those that are chosen in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from lossdiag.data import list_uploads
from lossdiag.figures import overlay_runs
from lossdiag.registry import YARDSTICKS
from lossdiag.spec import to_query
from lossdiag.store import STATUSES, Recording
from ui import reads
from ui.charts import chart, theme
from ui.diff import differing
from ui.download import download_buttons
from ui.results import title_of
from ui.standing import show_standing
from ui.start import RACE
from ui.text import counted, plain, size

MOST_COMPARED = 12
"""Runs that are compared at once: more lines than these cannot be told apart."""
_PER_PAGE = 100
_FREED = "lossdiag.freed"
_COLUMNS = ["name", "status", "created", "data", "losses", "members", "steps", "tags", "note", "id"]
_LOOK = {
    "name": st.column_config.TextColumn(width="medium"),
    "created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help="in UTC"),
    "losses": st.column_config.TextColumn(width="medium"),
}


def run_table() -> list[str]:
    """Draw search, filters and table; return the ids of the chosen runs."""
    if freed := st.session_state.pop(_FREED, None):
        st.success(plain(freed), icon=":material/delete:")
    store = reads.store()
    left, middle, right = st.columns([2, 1, 1])
    search = left.text_input("search", placeholder="name, data, loss, tag, note, id", key="runs.search")
    known = store.list()
    tags = middle.multiselect("tags", sorted({t for own in known["tags"] for t in own}), key="runs.tags")
    status = right.multiselect("status", STATUSES, key="runs.status")
    if known.empty:
        st.info("No run yet. Start one on the Race page; it will be listed here.", icon=":material/info:")
        st.page_link(RACE, label="To the Race page", icon=":material/speed:")
        return []
    total = int(store.list(search, tags, status, limit=1).attrs["total"])
    if total == 0:
        st.info("No run matches; use fewer words or filters.", icon=":material/search_off:")
        return []
    pages = -(-total // _PER_PAGE)
    page = st.pagination(pages, key=f"runs.page.{pages}") if pages > 1 else 1
    runs = store.list(search, tags, status, limit=_PER_PAGE, offset=(page - 1) * _PER_PAGE)
    # The selection counts rows, so it must not outlive the list that it was made in.
    picked: Any = st.dataframe(
        _view(runs),
        hide_index=True,
        column_config=_LOOK,
        on_select="rerun",
        key=f"runs.table.{hash(tuple(runs['id']))}",
        height="content",
    )
    st.caption(f"{counted(total, 'run')}. Tick one to see, name or download it; several to compare them.")
    return [str(runs["id"].iloc[row]) for row in picked["selection"]["rows"]]


def one_run(run: Recording) -> None:
    """Draw what can be done with one run."""
    show_standing(run)
    with st.container(horizontal=True):
        if st.button("Open in Race", icon=":material/speed:"):
            st.switch_page(RACE, query_params={"run": run.id, "spec": to_query(run.spec)})
        if st.button("See every layer", icon=":material/layers:"):
            st.switch_page("pages/gradients.py", query_params={"run": run.id})
        download_buttons(run)
    with st.form(f"runs.edit.{run.id}", border=False):
        left, right = st.columns(2)
        name = left.text_input("name", run.name, max_chars=120)
        tags = right.text_input("tags", ", ".join(run.tags), help="Separated by commas.")
        note = st.text_input("note", run.note, max_chars=500)
        if st.form_submit_button("Save", icon=":material/save:"):
            store = reads.store()
            store.rename(run.id, name.strip() or run.spec.title)
            store.tag(run.id, tags.split(","))
            store.annotate(run.id, note)
            st.rerun()


def compare(runs: Mapping[str, Recording], chosen: int) -> None:
    """Draw in what several runs differ, and one yardstick of all; `chosen` is how many the person ticked."""
    if chosen > len(runs):
        st.info(f"The first {len(runs)} of {chosen} ticked runs are compared; tick fewer to see others.")
    names = {run_id: _short(run, runs) for run_id, run in runs.items()}
    st.markdown("##### What differs")
    table = differing({names[run_id]: run.spec for run_id, run in runs.items()})
    if table.empty:
        st.caption("Nothing: these runs have the same experiment.")
    else:
        st.dataframe(table, hide_index=True)
    st.markdown("##### Together")
    if len({run.spec.data for run in runs.values()}) > 1:
        st.caption("Not all of these runs learn from the same data, so their yardsticks do not measure the same thing.")
    metrics = [y for y in YARDSTICKS if any((run.evals["metric"] == y).any() for run in runs.values())]
    if not metrics:
        st.caption("None of these runs has been evaluated.")
        return
    metric = st.segmented_control(
        "yardstick", metrics, default=metrics[0], key="runs.yardstick", format_func=title_of, required=True
    )
    recordings = {names[run_id]: run for run_id, run in runs.items()}
    figure = overlay_runs(recordings, metric or metrics[0], theme=theme())
    chart(figure, "runs.overlay", "One yardstick of several runs over steps")


def remove(run_ids: list[str]) -> None:
    """Draw the button that deletes runs, after a second press, and say what that freed."""
    store = reads.store()
    what = counted(len(run_ids), "run")
    with st.popover(f"Delete {what}", icon=":material/delete:"):
        taken = sum(store.size(run_id) for run_id in run_ids)
        st.markdown(f"This deletes {what} with all that was recorded, {size(taken)}. It cannot be undone.")
        if st.button("Delete for good", type="primary", key=f"runs.delete.{'.'.join(run_ids)}"):
            deleted = store.delete(run_ids)
            st.session_state[_FREED] = f"Deleted {counted(deleted.runs, 'run')}; freed {size(deleted.bytes)}."
            st.rerun()


def _view(runs: pd.DataFrame) -> pd.DataFrame:
    shown = runs[_COLUMNS].copy()
    shown["tags"] = [", ".join(tags) for tags in runs["tags"]]
    files = {info.source: info.filename for info in list_uploads(reads.store().uploads)}
    shown["data"] = [files.get(source, source) for source in runs["data"]]
    return shown


def _short(run: Recording, runs: Mapping[str, Recording]) -> str:
    """Return the run's name, with its id where another one is called the same."""
    same = [other for other in runs.values() if other.name == run.name]
    return f"{run.name} ({run.id})" if len(same) > 1 else run.name
