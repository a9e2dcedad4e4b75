from streamlit.testing.v1 import AppTest

from lossdiag.spec import ExperimentSpec, patch, to_query

PAGE = """
import streamlit as st
from lossdiag.errors import LossdiagError
from lossdiag.spec import patch
from ui import state
state.enter(st.session_state.get("page", "A"))
try:
    state.draft()
except LossdiagError as error:
    st.error(str(error))
width = st.session_state.get("width")
if width:
    state.edit(patch(state.current(), {"model.width": width}))
st.text(state.current().model.width)
st.text(state.run_id())
st.text(state.key("x"))
"""


def page() -> AppTest:
    return AppTest.from_string(PAGE)


def linked(width: int) -> str:
    return to_query(patch(ExperimentSpec(), {"model.width": width}))


def test_the_link_is_the_draft_and_widgets_are_made_anew() -> None:
    at = page()
    at.query_params["spec"] = linked(5)
    at.run()
    assert [t.value for t in at.text] == ["5", "None", "spec.1.x"]


def test_a_link_that_the_session_has_replaced_does_not_come_back() -> None:
    at = page()
    at.query_params["spec"] = linked(5)
    at.run()
    at.session_state["width"] = 7
    at.run()
    assert at.query_params["spec"] in (linked(7), [linked(7)])
    # The browser was quicker than the server: it still sends the old link.
    at.session_state["width"] = None
    at.query_params["spec"] = linked(5)
    at.run()
    assert at.text[0].value == "7"


def test_the_link_counts_anew_on_another_page() -> None:
    at = page()
    at.query_params["spec"] = linked(5)
    at.run()
    at.session_state["width"] = 7
    at.run()
    at.session_state["width"] = None
    at.session_state["page"] = "B"
    at.query_params["spec"] = linked(5)
    at.run()
    assert at.text[0].value == "5"


def test_a_damaged_link_is_told_once_and_keeps_the_draft() -> None:
    at = page()
    at.query_params["spec"] = "!!!"
    at.run()
    assert len(at.error) == 1
    assert at.text[0].value == "16"
    at.run()
    assert not at.error


def test_what_could_not_be_a_run_is_passed_over() -> None:
    for bad in ("../../x", "a/b", "", " r1", "a" * 200, "-x"):
        at = page()
        at.query_params["run"] = bad
        at.run()
        assert at.text[1].value == "None", bad
