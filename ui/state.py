"""What a browser session remembers: the experiment being written and which run is on the screen. Ids and specs only.

The link is the experiment: ``?spec=`` holds the draft and ``?run=`` the run, so that a reload, a bookmark and a mail to
a colleague show the same page. Both are a stranger's input and are checked before anything uses them.

A browser that is quicker than the server may send a link that this session has meanwhile replaced. So a value in the
link counts only the first time that this session sees it on a page; what the session wrote itself it has seen.
"""

from __future__ import annotations

import re

import streamlit as st

from lossdiag.spec import ExperimentSpec, from_query, to_query

_DRAFT = "lossdiag.draft"
_GENERATION = "lossdiag.generation"
_RUN = "lossdiag.run"
_PAGE = "lossdiag.page"
_SEEN = "lossdiag.seen"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")


def enter(page: str) -> None:
    """Note that `page` is drawn; on a change of page, its link counts anew."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_SEEN] = set()


def draft() -> ExperimentSpec:
    """Return the experiment being written.

    Raises:
        SpecError: the link holds something that is not an experiment; the draft stays as it was.
    """
    token = _new_in_link("spec")
    if token is not None:
        replace(from_query(token))
    return current()


def current() -> ExperimentSpec:
    """Return the draft as it stands, whatever the link says."""
    stored = st.session_state.get(_DRAFT)
    return stored if isinstance(stored, ExperimentSpec) else ExperimentSpec()


def has_draft() -> bool:
    """Return whether anything was written or linked in this session."""
    return _DRAFT in st.session_state


def edit(spec: ExperimentSpec) -> None:
    """Remember `spec`, made from what the widgets hold now, and write it into the link."""
    st.session_state[_DRAFT] = spec
    _write_link("spec", "" if spec == ExperimentSpec() else to_query(spec))


def replace(spec: ExperimentSpec) -> None:
    """Remember `spec`, made elsewhere: the widgets are made anew, so that they show its values."""
    st.session_state[_DRAFT] = spec
    st.session_state[_GENERATION] = _generation() + 1


def key(path: str) -> str:
    """Return the widget key of the spec's value at the dotted `path`."""
    return f"spec.{_generation()}.{path}"


def run_id() -> str | None:
    """Return the id of the run on the screen; a link's value that could not be a run's id is passed over."""
    name = _new_in_link("run")
    if name is not None and _RUN_ID.fullmatch(name):
        st.session_state[_RUN] = name
    return st.session_state.get(_RUN)


def show_run(run: str | None) -> None:
    """Put `run` on the screen and into the link, or take the one that is there off it."""
    st.session_state[_RUN] = run
    _write_link("run", run or "")


def _new_in_link(name: str) -> str | None:
    value = st.query_params.get(name)
    if not value or (name, value) in _seen():
        return None
    _seen().add((name, value))
    return value


def _write_link(name: str, value: str) -> None:
    if value:
        _seen().add((name, value))
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _seen() -> set[tuple[str, str]]:
    seen: set[tuple[str, str]] = st.session_state.setdefault(_SEEN, set())
    return seen


def _generation() -> int:
    return int(st.session_state.get(_GENERATION, 0))
