"""The supervisor: starts a child per run, passes wishes on, sees deaths and buries the dead. It never trains itself."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lossdiag.channel import Channel, ChannelError, Message
from lossdiag.store import Status
from lossdiag.worker.process import Process
from lossdiag.worker.verdict import Ending, ending_of

_TICK = 0.5  # seconds between looks at the deadlines


@dataclass
class Child:
    """A started child: training `run_id`, or (without a channel) writing down how that run ended."""

    run_id: str
    process: Process
    channel: Channel | None
    asked: Status | None = None
    kill_at: float = float("inf")


class Launcher(Protocol):
    """How children are started: `ForkLauncher` or `SpawnLauncher`."""

    def train(self, run_id: str, *, leave: Callable[[], None]) -> tuple[Process, Channel]:
        """Start a child that trains `run_id`; a forked one calls `leave` to let go of the supervisor's descriptors."""

    def bury(self, run_id: str, ending: Ending, *, leave: Callable[[], None]) -> Process | None:
        """Write down how the run of a dead child ended, in a child where this process must stay clean."""

    def close(self) -> None:
        """End what was started ahead of need."""


class Supervisor:
    """One loop over the owner's channel, the children's deaths, and the deadlines of those asked to stop.

    Args:
        owner: channel to the process that submits runs. Its end ends everything: children flush and are marked.
        launcher: starts children.
        workers: children that may train at once.
        grace: seconds that a child has to stop when asked, before it is killed.
    """

    def __init__(self, owner: Channel, launcher: Launcher, *, workers: int, grace: float) -> None:
        self._owner = owner
        self._launcher = launcher
        self._workers = workers
        self._grace = grace
        self._children: list[Child] = []
        self._open = True
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)

    def run(self) -> None:
        """Serve until the owner is gone or says so, and every child has ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler is needed for the wake-up byte to be written
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._owner, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._owner.send("ready", pid=os.getpid())
        while self._open or self._children:
            ready = {key.fileobj for key, _ in self._selector.select(_TICK)}
            if self._wake in ready:
                self._wake.recv(4096)
            if self._owner in ready:
                self._hear_owner()
            self._kill_overdue()
            self._reap()
        self._launcher.close()

    def _hear_owner(self) -> None:
        try:
            for message in self._owner.receive():
                self._obey(message)
        except (EOFError, ChannelError):
            self._shut_down()

    def _obey(self, message: Message) -> None:
        match message["op"], str(message.get("run_id", "")):
            case "run", run_id:
                self._start(run_id)
            case "cancel", run_id:
                for child in self._children:
                    if child.run_id == run_id:
                        self._ask(child, "cancelled")
            case "close", _:
                self._shut_down()

    def _start(self, run_id: str) -> None:
        if sum(child.channel is not None for child in self._children) >= self._workers:
            raise RuntimeError(f"the owner sent run {run_id} though all {self._workers} workers are busy")
        process, channel = self._launcher.train(run_id, leave=self._leave)
        self._children.append(Child(run_id, process, channel))

    def _ask(self, child: Child, status: Status) -> None:
        if child.channel is not None and not child.asked:
            child.asked = status
            child.kill_at = time.monotonic() + self._grace
            child.channel.send("stop", status=status)

    def _shut_down(self) -> None:
        if self._open:
            self._open = False
            self._selector.unregister(self._owner)
            for child in self._children:
                self._ask(child, "interrupted")

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if now >= child.kill_at:
                child.process.kill()

    def _reap(self) -> None:
        for child in list(self._children):
            exit_status = child.process.poll()
            if exit_status is None:
                continue
            self._children.remove(child)
            if child.channel is not None:
                child.channel.close()
            ending = ending_of(exit_status, child.asked, self._grace)
            grave = self._launcher.bury(child.run_id, ending, leave=self._leave) if ending and child.channel else None
            if grave is not None:
                self._children.append(Child(child.run_id, grave, None))
            else:
                self._owner.send("ended", run_id=child.run_id)

    def _leave(self) -> None:
        """Let go, in a forked child, of what belongs to the supervisor."""
        self._selector.close()
        self._owner.abandon()
        self._wake.close()
        self._waker.close()
        for child in self._children:
            if child.channel is not None:
                child.channel.abandon()
