"""Plain-data messages between processes over a socket: one JSON object per line, of bounded length, never pickle.

The other side may be a process that ran someone else's code, so whatever does not look like a message is refused
rather than interpreted.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, TypeAlias

Message: TypeAlias = dict[str, str | int]

MAX_BYTES = 65_536


class ChannelError(Exception):
    """The other side sent something that is not a message; the channel cannot be trusted any more."""


class Channel:
    """One end of a socket that carries messages; `send` may be called from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pending = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._sock.fileno()

    def send(self, op: str, **fields: str | int) -> bool:
        """Send a message; return whether the other side was still there to take it."""
        line = json.dumps({"op": op, **fields}).encode() + b"\n"
        if len(line) > MAX_BYTES:
            raise ValueError(f"a message of {len(line)} bytes, at most {MAX_BYTES} are sent")
        with self._sending:
            try:
                self._sock.sendall(line)
            except OSError:
                return False
        return True

    def receive(self) -> list[Message]:
        """Wait for bytes and return the messages that they complete, perhaps none.

        Raises:
            EOFError: the other side is gone.
            ChannelError: what came is no message, or longer than one may be.
        """
        try:
            came = self._sock.recv(MAX_BYTES)
        except OSError:
            came = b""
        if not came:
            raise EOFError
        *lines, self._pending = (self._pending + came).split(b"\n")
        if any(len(line) > MAX_BYTES for line in (*lines, self._pending)):
            raise ChannelError(f"a message longer than {MAX_BYTES} bytes")
        return [_parsed(line) for line in lines]

    def close(self) -> None:
        """Close this end; the other sees the end of the file, and so does a thread that waits in `receive` here."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was gone already
            pass
        self._sock.close()

    def abandon(self) -> None:
        """Close this process's copy of the descriptor only: what a forked child does with its parent's channels."""
        self._sock.close()


def pair() -> tuple[Channel, Channel]:
    """Return both ends of a new channel."""
    here, there = socket.socketpair()
    return Channel(here), Channel(there)


def execute(
    module: str,
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    stderr: IO[bytes] | int | None = None,
) -> tuple[subprocess.Popen[bytes], Channel]:
    """Run ``python -m module arguments... --channel N`` in a session of its own; N is the other end of the channel.

    The child finds its end with `inherited`. Its standard input is empty and its standard output goes where its
    standard error goes. No other descriptor of this process reaches it.
    """
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--channel", str(there.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
            pass_fds=(there.fileno(),),
        )
    return process, Channel(here)


def inherited(number: int) -> Channel:
    """Return the channel whose descriptor the parent passed as `number`."""
    sock = socket.socket(fileno=number)
    sock.set_inheritable(False)
    return Channel(sock)


def _parsed(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ChannelError(f"not JSON: {line[:60]!r}") from None
    if not (
        isinstance(message, dict)
        and isinstance(message.get("op"), str)
        and all(type(value) in (str, int) for value in message.values())
    ):
        raise ChannelError(f"not a message: {line[:60]!r}")
    return message
