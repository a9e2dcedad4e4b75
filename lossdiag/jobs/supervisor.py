"""This side of the supervisor: start it by exec with a scrubbed environment, talk to it, see it end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import lossdiag
from lossdiag.channel import execute

Method = Literal["fork", "spawn"]

LOG = "supervisor.log"
# What Python, torch and a GPU driver need to start. Nothing else of the server's environment, which may hold secrets.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME")


class SupervisorProcess:
    """A running supervisor and the channel to it."""

    def __init__(self, root: Path, *, workers: int, grace: float, method: Method) -> None:
        """Start ``python -m lossdiag.worker supervise``; it says ``ready`` once it can take runs."""
        self._log = root / LOG
        arguments = ["supervise", "--root", str(root), "--grace", str(grace)]
        arguments += ["--workers", str(workers), "--method", method]
        with self._log.open("wb") as log:
            self._process, self.channel = execute(
                "lossdiag.worker", arguments, environment=scrubbed(os.environ), stderr=log
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, seconds: float) -> str:
        """Wait for its end, which is forced after `seconds`, and return how it ended and its last words."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"{how}: {lines[-1]}" if lines else how


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of `environment` workers get to see, one thread per worker, and where to find this lossdiag."""
    kept = {name: environment[name] for name in _PASSED_ON if name in environment}
    checkout = str(Path(lossdiag.__file__).resolve().parents[1])
    # Threads do not survive a fork, so that the supervisor must have none: neither BLAS's nor Arrow's allocator's.
    threads = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    return kept | threads | {"PYTHONPATH": checkout, "PYTHONUNBUFFERED": "1"}
