import base64
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.figures.style import base_figure
from ui.live_chart.messages import Sent, patch, to_plain


def lines(*ys: Any, note: str = "", names: str = "abc") -> go.Figure:
    figure = go.Figure()
    for name, y in zip(names, ys, strict=False):
        figure.add_scatter(x=np.arange(len(y), dtype=np.int32), y=np.asarray(y, np.float32), name=name)
    base_figure("light", figure=figure)
    figure.layout.meta = {"note": note}
    return figure


def raw(array: Any) -> bytes:
    return base64.b64decode(array["bdata"])


def applied(old: Any, ops: list[Any]) -> Any:
    """The browser's side, written again: operations on arrays of bytes."""
    new = json.loads(json.dumps(old))
    for op in ops:
        if "layout" in op:
            new["layout"] = op["layout"]
            continue
        trace = new["data"][op["trace"]]
        if "drop" in op:
            del trace[op["key"]]
        elif "set" in op:
            trace[op["key"]] = op["set"]
        elif isinstance(op["tail"], list):
            trace[op["key"]] = trace[op["key"]][: op["keep"]] + op["tail"]
        else:
            size = np.dtype(op["tail"]["dtype"]).itemsize
            whole = raw(trace[op["key"]])[: size * op["keep"]] + raw(op["tail"])
            trace[op["key"]] = {"dtype": op["tail"]["dtype"], "bdata": base64.b64encode(whole).decode()}
    return new


VALUES = st.lists(st.sampled_from([0.0, 1.5, float("nan"), float("inf"), -2.0]), max_size=30)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(VALUES, VALUES, VALUES, st.sampled_from(["", "longer"]))
def test_a_patch_turns_the_old_figure_into_the_new(shared: list, before: list, after: list, note: str) -> None:
    ballast = np.random.default_rng(0).random(400)  # so that patches are worth their while
    old = to_plain(lines(shared + before, ballast))
    new = to_plain(lines(shared + after, ballast, note=note))
    ops = patch(old, new)
    assert ops is not None
    assert json.dumps(applied(old, ops), sort_keys=True) == json.dumps(new, sort_keys=True)


def test_a_tick_sends_only_the_new_end() -> None:
    values = np.random.default_rng(0).random((3, 5000))
    sent = Sent()
    first = sent.next_message(lines(*values[:, :4800]))
    tick = sent.next_message(lines(*values[:, :4900]))
    assert tick["base"] == first["version"] != tick["version"]
    assert {op.get("keep") for op in tick["ops"]} == {4800}
    # 3 lines of 100 points of 8 bytes, a third more in base64, and names of keys
    assert len(json.dumps(tick)) < 5_000 < len(json.dumps(first)) / 20


def test_an_unchanged_figure_is_the_same_message() -> None:
    sent = Sent()
    first = sent.next_message(lines([1, 2, 3]))
    assert sent.next_message(lines([1, 2, 3])) is first


def test_another_set_of_traces_or_frames_is_sent_whole() -> None:
    sent = Sent()
    many = np.arange(500.0)
    sent.next_message(lines(many, many))
    assert "figure" in sent.next_message(lines(many, many, many))
    assert "figure" in sent.next_message(lines(many, many, many, names="abd"))
    framed = lines(many, many, many, names="abd")
    framed.frames = [go.Frame(name="0", data=[])]
    assert "figure" in sent.next_message(framed)


def test_a_patch_larger_than_the_figure_is_sent_whole() -> None:
    sent = Sent()
    sent.next_message(lines(np.arange(500.0)))
    other = lines(np.arange(500.0)[::-1] + 7)
    other.data[0].x = np.arange(500, dtype=np.int32) + 7
    assert "figure" in sent.next_message(other)


def test_texts_are_extended_too() -> None:
    def marks(n: int) -> Any:
        figure = lines(np.arange(300.0))
        figure.data[0].text = [f"event {i}" for i in range(n)]
        return to_plain(figure)

    ops = patch(marks(20), marks(22))
    assert ops == [{"trace": 0, "key": "text", "keep": 20, "tail": ["event 20", "event 21"]}]


def test_two_sessions_never_speak_of_the_same_version() -> None:
    one, two = Sent().next_message(lines([1])), Sent().next_message(lines([2]))
    assert one["version"] != two["version"]


def test_the_browser_gets_both_themes_and_chooses() -> None:
    message = Sent().next_message(lines([1]))
    assert set(message["templates"]) == {"light", "dark"}
    assert "template" not in message["figure"]["layout"]
    json.dumps(message, allow_nan=False)
