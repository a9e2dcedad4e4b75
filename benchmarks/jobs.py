"""From pressing Run to the first recorded step: submit -> first row of `steps` visible in the store, torch warm."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from lossdiag.jobs import LocalJobs
from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore

BAR = 0.5
ROUNDS = 10


def main() -> None:
    """Print the median and the range of the delays for each way to start a process."""
    print(f"submit -> first step in the store, seconds, {ROUNDS} runs (bar {BAR} s)")
    for method in ("fork", "spawn") if sys.platform == "linux" else ("spawn",):
        with tempfile.TemporaryDirectory() as folder, LocalJobs(Path(folder), workers=1, method=method) as jobs:
            _delay(jobs)
            delays = [_delay(jobs) for _ in range(ROUNDS)]
        low, middle, high = min(delays), statistics.median(delays), max(delays)
        print(f"  {method:6} median {middle:.3f}  range {low:.3f} to {high:.3f}")


def _delay(jobs: LocalJobs) -> float:
    """Return seconds from `submit` to the first visible step of the default experiment, and wait for its end."""
    store = RunStore(jobs.root)
    begin = time.perf_counter()
    run_id = jobs.submit(ExperimentSpec())
    while not store.open(run_id).table("steps", ["step"]).num_rows:
        time.sleep(0.002)
    delay = time.perf_counter() - begin
    while jobs.running():
        time.sleep(0.01)
    if jobs.method == "spawn":
        time.sleep(4)  # until the next process is warm: a person does not press Run ten times a second either
    return delay


if __name__ == "__main__":
    main()
