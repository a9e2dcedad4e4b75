"""worker.log: what a run's process printed, kept beside the run and bounded."""

from __future__ import annotations

import faulthandler
import io
import os
import sys
from pathlib import Path

FILE = "worker.log"
MAX_CHARS = 1_000_000


class Capped(io.TextIOBase):
    """A text stream that passes on the first `limit` characters, says that it stops, and drops the rest."""

    def __init__(self, stream: io.TextIOBase, limit: int = MAX_CHARS) -> None:
        self._stream = stream
        self._left = limit

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the stream behind."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Pass on what fits, and pretend that the rest did."""
        if self._left > 0:
            self._stream.write(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._stream.write("\n[the log is full; what was printed later is not kept]\n")
            self._stream.flush()
        return len(text)


def redirect_output(path: Path) -> None:
    """Send this process's standard output and error, C code's and a crash's stack included, to the end of `path`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    capped = Capped(io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace"))
    sys.stdout = sys.stderr = capped
    faulthandler.enable(2)
