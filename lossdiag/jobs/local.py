"""Runs as jobs on this machine: a queue here, a supervisor process that trains them, all results in the store."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from lossdiag.channel import ChannelError, Message
from lossdiag.data import upload_info
from lossdiag.errors import JobError, StoreError
from lossdiag.jobs.claim import claim
from lossdiag.jobs.supervisor import LOG, Method, SupervisorProcess
from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, Status


@dataclass(frozen=True, slots=True)
class JobState:
    """How a run stands.

    Attributes:
        status: as the store has it.
        position: runs before it in the queue, plus one; 0 when it is not queued here.
        detail: why it ended as it did.
    """

    status: Status
    position: int
    detail: str


class LocalJobs:
    """Trains submitted runs in child processes, `workers` at a time; every method may be called from any thread.

    The supervisor that starts these processes is itself started by the first `warm` or `submit`, and again should it
    die; runs that still wait then go on. When the process that holds this object ends, however it does, running
    runs flush what they recorded and end as ``interrupted``.
    """

    def __init__(
        self, root: Path, *, workers: int | None = None, grace: float = 5.0, method: Method | None = None
    ) -> None:
        """Take charge of the runs in `root`, and mark those as interrupted whose process is gone.

        Args:
            root: folder of the runs, made if need be.
            workers: runs that train at once; None means as many as this process may use cores.
            grace: seconds that a run has to stop when asked, before its process is killed.
            method: how processes are started; None means by fork where that is safe (Linux).
        """
        if workers is not None and workers < 1:
            raise JobError(f"workers: got {workers}, expected at least 1")
        self._root = root.resolve()
        self._store = RunStore(self._root)
        self._claim = claim(self._store)
        self._workers = workers or _cores()
        self._grace = grace
        self.method: Method = method or ("fork" if sys.platform == "linux" else "spawn")
        self._lock = threading.RLock()
        self._queue: list[str] = []
        self._running: list[str] = []
        self._supervisor: SupervisorProcess | None = None
        self._ready = False
        self._closed = False

    @property
    def root(self) -> Path:
        """The folder of the runs."""
        return self._root

    def warm(self) -> None:
        """Start the supervisor, in the background, unless it runs: the first run then begins without delay."""
        with self._lock:
            self._check_open()
            if self._supervisor is None:
                self._supervisor = SupervisorProcess(
                    self._root, workers=self._workers, grace=self._grace, method=self.method
                )
                threading.Thread(target=self._listen, args=(self._supervisor,), name="jobs", daemon=True).start()

    def submit(self, spec: ExperimentSpec, *, name: str = "") -> str:
        """Queue a run and return its id at once.

        Args:
            spec: what to train.
            name: what to call the run; empty means made from its data and losses.

        Raises:
            DataError: the upload that it is to learn from is not there.
            StoreError: the disk refuses.
            JobError: this has been closed.
        """
        if spec.data.source.startswith("upload:"):
            name = name or spec.titled(upload_info(spec.data.source, self._store.uploads).filename)
        with self._lock:
            self._check_open()
            run_id = self._store.create(spec, name=name)
            self._queue.append(run_id)
            self.warm()
            self._dispatch()
        return run_id

    def state(self, run_id: str) -> JobState:
        """Return how a run stands, whoever trains it.

        Raises:
            StoreError: there is no such run.
        """
        with self._lock:
            position = self._queue.index(run_id) + 1 if run_id in self._queue else 0
            trains_here = run_id in self._running
        recording = self._store.open(run_id)
        status = recording.status
        if trains_here and status == "interrupted":
            # Its process is gone, and the supervisor is about to write down how it ended: that may be otherwise.
            status = "running"
        return JobState(status, position, recording.detail)

    def running(self) -> tuple[str, ...]:
        """Return the ids of the runs that train now."""
        with self._lock:
            return tuple(self._running)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run: at once when it is queued, within about a step when it trains; False if it had ended already.

        Raises:
            StoreError: there is no such run.
            JobError: another process trains it.
        """
        with self._lock:
            if run_id in self._queue:
                self._queue.remove(run_id)
                self._end(run_id, "cancelled", "cancelled before it began")
                return True
            if self._store.open(run_id).status not in ("queued", "running"):
                return False
            if run_id not in self._running or self._supervisor is None:
                raise JobError(f"run {run_id} was started by another process: stop it there")
            self._supervisor.channel.send("cancel", run_id=run_id)
        return True

    def close(self) -> None:
        """End all runs as ``interrupted``, and the supervisor; harmless to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            supervisor, self._supervisor = self._supervisor, None
            waiting, self._queue = self._queue, []
        for run_id in waiting:
            self._end(run_id, "interrupted", "the server ended before this run began")
        if supervisor is not None:
            supervisor.channel.send("close")
            supervisor.wait(2 * self._grace)
            supervisor.channel.close()
        os.close(self._claim)

    def __enter__(self) -> LocalJobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _dispatch(self) -> None:
        while self._ready and self._supervisor and self._queue and len(self._running) < self._workers:
            run_id = self._queue.pop(0)
            self._running.append(run_id)
            self._supervisor.channel.send("run", run_id=run_id)

    def _listen(self, supervisor: SupervisorProcess) -> None:
        try:
            while True:
                for message in supervisor.channel.receive():
                    self._heed(message)
        except (EOFError, ChannelError):
            self._lost(supervisor)

    def _heed(self, message: Message) -> None:
        with self._lock:
            if message["op"] == "ready":
                self._ready = True
            elif message["op"] == "ended" and message["run_id"] in self._running:
                self._running.remove(str(message["run_id"]))
            self._dispatch()

    def _lost(self, supervisor: SupervisorProcess) -> None:
        """Go on after the end of the supervisor: with a new one if it had worked, else fail what waits for it."""
        with self._lock:
            if self._supervisor is not supervisor:  # closed on purpose
                return
            supervisor.channel.close()
            words = supervisor.wait(self._grace)
            was_ready, self._ready, self._supervisor = self._ready, False, None
            detail = f"the supervisor of training ended ({words}); see {self._root / LOG}"
            # Processes that train saw it too, and mark their runs. What had not begun yet is left to mark here.
            lost, self._running = self._running, []
            for run_id in lost:
                self._end(run_id, "interrupted", detail)
            if was_ready and self._queue:
                self.warm()
            elif not was_ready:
                lost, self._queue = self._queue, []
                for run_id in lost:
                    self._end(run_id, "failed", detail)

    def _end(self, run_id: str, status: Status, detail: str) -> None:
        # A queued run may have begun, or been deleted, meanwhile: then there is nothing to mark here.
        with contextlib.suppress(StoreError):
            self._store.end_queued(run_id, status, detail)

    def _check_open(self) -> None:
        if self._closed:
            raise JobError("the server is shutting down and takes no more runs")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
