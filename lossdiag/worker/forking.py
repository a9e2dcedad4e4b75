"""Start children by forking this process, in which torch is warm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from lossdiag.channel import Channel, pair
from lossdiag.errors import LossdiagError
from lossdiag.store import RunStore
from lossdiag.worker.child import live
from lossdiag.worker.process import Forked, Process, fork
from lossdiag.worker.spawning import SpawnLauncher
from lossdiag.worker.verdict import Ending, bury

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class ForkLauncher:
    """Forks this process, which holds a warm torch and has one thread. Runs for a GPU go to a `SpawnLauncher`.

    A forked child cannot use CUDA, and a process that sees a GPU has autograd threads from its first backward on; so
    the forking process must see none, and runs that want one get a fresh process.
    """

    def __init__(self, root: Path, *, grace: float, environment: Mapping[str, str]) -> None:
        self._root = root
        self._grace = grace
        self._fresh = SpawnLauncher(root, grace=grace, environment=environment)
        if _has_gpu():
            self._fresh.prepare()

    def train(self, run_id: str, *, leave: Callable[[], None]) -> tuple[Process, Channel]:
        """Fork a child that trains `run_id`."""
        if wants_gpu(self._root, run_id):
            return self._fresh.train(run_id, leave=leave)
        here, there = pair()

        def work() -> None:
            leave()
            here.abandon()
            live(self._root, run_id, there, self._grace)

        process = fork(work)
        there.abandon()
        return process, here

    def bury(self, run_id: str, ending: Ending, *, leave: Callable[[], None]) -> Forked:
        """Fork a child that writes down how the run ended: compacting tables may start threads, which stay there."""

        def work() -> None:
            leave()
            bury(RunStore(self._root), run_id, ending)

        return fork(work)

    def close(self) -> None:
        """End what was started ahead of need."""
        self._fresh.close()


def wants_gpu(root: Path, run_id: str) -> bool:
    """Return whether a run may end up on a GPU; an unreadable run does not."""
    try:
        device = RunStore(root).open(run_id).spec.train.device
    except LossdiagError:
        return False
    return device == "cuda" or (device == "auto" and _has_gpu())


def _has_gpu() -> bool:
    # Asking CUDA itself would initialise it, after which nothing may be forked. A wrong yes costs a slower start.
    built_for_one = torch.version.cuda is not None or torch.version.hip is not None
    return built_for_one and any(Path(device).exists() for device in _GPU_DEVICES)
