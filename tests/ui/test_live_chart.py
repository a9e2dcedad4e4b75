import json
from importlib import resources
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.live_chart.plotly_js import ensure_static, plotly_url

SCRIPT = """
import numpy as np
import streamlit as st
import plotly.graph_objects as go
from lossdiag.figures.style import base_figure, set_note
from ui.live_chart import live_chart

n = st.number_input("n", value=400)
figure = base_figure("light", figure=go.Figure(go.Scatter(x=np.arange(n), y=np.arange(n, dtype=np.float32))))
set_note(figure, "All of it.")
state = live_chart(figure, key="c", label="A line")
st.write(f"range {state.range}, point {state.point}")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def message(app: AppTest) -> dict:
    (chart,) = app.get("bidi_component")
    return json.loads(chart.proto.json)


def test_the_first_message_is_whole_and_the_next_is_a_patch(script: Path) -> None:
    app = AppTest.from_file(str(script)).run()
    assert not app.exception
    first = message(app)
    assert first["label"] == "A line"
    assert first["figure"]["layout"]["meta"] == {"note": "All of it."}
    assert first["plotly"].startswith("/app/static/plotly.min.js?v=")
    app.number_input[0].set_value(410).run()
    second = message(app)
    assert second["base"] == first["version"]
    assert [op["keep"] for op in second["ops"]] == [400, 400]
    assert app.markdown[0].value == "range None, point None"


def test_without_a_static_folder_the_chart_is_still_drawn_and_says_so(script: Path) -> None:
    (script.parent / "static").write_text("in the way")
    app = AppTest.from_file(str(script)).run()
    assert not app.exception
    assert not app.get("bidi_component")
    assert len(app.get("plotly_chart")) == 1
    assert "All of it. Live updates redraw this chart whole" in app.caption[0].value


def test_plotly_js_is_copied_once_and_whole(tmp_path: Path) -> None:
    assert ensure_static(tmp_path)
    copy = tmp_path / "static" / "plotly.min.js"
    assert copy.read_bytes() == resources.files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    written = copy.stat().st_mtime_ns
    ensure_static.cache_clear()
    assert ensure_static(tmp_path)
    assert copy.stat().st_mtime_ns == written
    copy.write_bytes(b"half")
    ensure_static.cache_clear()
    assert ensure_static(tmp_path)
    assert copy.stat().st_size > 1_000_000
    assert [p.name for p in copy.parent.iterdir()] == ["plotly.min.js"]


def test_a_folder_that_cannot_be_written_is_no_crash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "static").write_text("a file")
    assert not ensure_static(tmp_path)
    assert "charts are redrawn whole" in caplog.text


def test_the_url_follows_the_base_path() -> None:
    assert plotly_url("").startswith("/app/static/")
    assert plotly_url("/lab/").startswith("/lab/app/static/")
