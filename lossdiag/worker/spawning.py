"""Start children by executing Python anew: where a warm torch may not be forked, and for runs on a GPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from lossdiag.channel import Channel, execute
from lossdiag.errors import LossdiagError
from lossdiag.store import RunStore
from lossdiag.worker.process import Executed, Process
from lossdiag.worker.verdict import Ending, bury


class SpawnLauncher:
    """Executes a fresh process per run. One waits ahead of need with torch warm, and is used once.

    Args:
        root: folder of the runs.
        grace: seconds that a child whose supervisor vanished has to end its run.
        environment: of the children; None means that of this process.
    """

    def __init__(self, root: Path, *, grace: float, environment: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._grace = grace
        self._environment = environment
        self._spare: tuple[subprocess.Popen[bytes], Channel] | None = None

    def prepare(self) -> None:
        """Start the process that waits ahead of need, unless it does already."""
        if self._spare is None or self._spare[0].poll() is not None:
            arguments = ["train", "--root", str(self._root), "--grace", str(self._grace)]
            self._spare = execute("lossdiag.worker", arguments, environment=self._environment)

    def train(self, run_id: str, *, leave: Callable[[], None]) -> tuple[Process, Channel]:
        """Hand `run_id` to the process that waits, and start the next one."""
        self.prepare()
        assert self._spare is not None
        process, channel = self._spare
        channel.send("run", run_id=run_id)
        self._spare = None
        self.prepare()
        return Executed(process), channel

    def bury(self, run_id: str, ending: Ending, *, leave: Callable[[], None]) -> None:
        """Write down how the run of a dead child ended."""
        try:
            bury(RunStore(self._root), run_id, ending)
        except LossdiagError as error:  # the supervisor goes on; its log and the next RunStore.recover have the rest
            sys.stderr.write(f"run {run_id}: {error}\n")

    def close(self) -> None:
        """End the process that waits."""
        if self._spare is not None:
            process, channel = self._spare
            channel.close()
            process.kill()
            process.wait()
            self._spare = None
