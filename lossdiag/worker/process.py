"""A child of the supervisor, forked or executed: how to start one, see its end, and kill it with all its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol


class Process(Protocol):
    """A started child."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""

    def kill(self) -> None:
        """End it and whatever it started, without asking."""


class Forked:
    """A child made by `os.fork`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        if self._status is None:
            _sweep(self.pid)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def kill(self) -> None:
        """End it and whatever it started, without asking."""
        if self._status is None:
            _kill_group(self.pid)
            os.kill(
                self.pid, signal.SIGKILL
            )  # it may not have made its group yet; unreaped, so the id is still its own


class Executed:
    """A child made by executing Python anew."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        if self._process.returncode is None:
            _sweep(self.pid)
        return self._process.poll()

    def kill(self) -> None:
        """End it and whatever it started, without asking."""
        if self._process.poll() is None:
            _kill_group(self.pid)
            self._process.kill()


def fork(work: Callable[[], None]) -> Forked:
    """Run `work` in a forked child, in a process group of its own, and return to the parent at once.

    Raises:
        RuntimeError: this process has more than one thread; the child could inherit a lock that nobody will release.
    """
    if (count := thread_count()) != 1:
        raise RuntimeError(f"the supervisor has {count} threads and may not fork; one is allowed")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Forked(pid)
    _live_apart(work)


def _live_apart(work: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never return into its parent's code, whatever happened
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def thread_count() -> int:
    """Return how many threads this process has, counting those that Python does not know of."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def _sweep(pid: int) -> None:
    """Kill what an ended child left behind, while the child is unreaped and its group's number thus its own."""
    if hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        _kill_group(pid)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # no group yet, or (macOS) only a zombie is left of it
        pass
