"""Messages between processes: whole ones get through, anything else is refused."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.channel import MAX_BYTES, Channel, ChannelError, pair


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    messages=st.lists(
        st.dictionaries(st.text(max_size=8), st.text(max_size=30) | st.integers()), min_size=1, max_size=6
    ),
    cut=st.integers(1, 40),
)
def test_messages_arrive_whole_and_in_order_however_the_bytes_are_cut(
    messages: list[dict[str, str | int]], cut: int
) -> None:
    sent = [{**message, "op": "x"} for message in messages]
    raw = b"".join(json.dumps(message).encode() + b"\n" for message in sent)
    here, there = socket.socketpair()
    channel = Channel(there)
    received = []
    for start in range(0, len(raw), cut):
        here.sendall(raw[start : start + cut])
        received += channel.receive()
    assert received == sent
    here.close()
    with pytest.raises(EOFError):
        channel.receive()
    channel.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\n",
        b"[]\n",
        b'{"op": 3}\n',
        b'{"op": "x", "a": [1]}\n',
        b'{"op": "x", "a": true}\n',
        b"[" * 60_000 + b"\n",
        b"\x80\x04\x95\n",
        b"a" * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    here, there = socket.socketpair()
    channel = Channel(there)
    here.sendall(raw)
    if len(raw) > MAX_BYTES:  # is refused once one byte too many has come
        assert channel.receive() == []
    with pytest.raises(ChannelError):
        channel.receive()
    here.close()
    channel.close()


def test_sending_to_nobody_says_so_and_too_much_is_refused() -> None:
    here, there = pair()
    assert here.send("hello", number=1)
    with pytest.raises(ValueError, match="at most"):
        here.send("hello", text="a" * MAX_BYTES)
    there.close()
    assert not here.send("hello")
    here.close()
