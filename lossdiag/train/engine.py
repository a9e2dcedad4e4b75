"""The loop over all stacks of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lossdiag.data import Prepared, load, prepare
from lossdiag.errors import TrainError
from lossdiag.spec import DataSpec, ExperimentSpec
from lossdiag.store.writer import is_double
from lossdiag.train.events import Event
from lossdiag.train.lane import Lane
from lossdiag.train.outcome import Outcome, RunEnd
from lossdiag.train.pictures import MAX_MEMBERS
from lossdiag.train.plan import plan
from lossdiag.train.recorder import Sink, write_events
from lossdiag.train.stack_run import MAX_CHUNK

# Seconds between two flushes; the bar is half a second, and a step may turn out slower than those before.
_FLUSH = 0.35
# The first round is short, for nobody knows yet how long a step takes; a single one where the stacks together have this
# many parameters, of which eight steps may take a minute.
_FIRST_CHUNK, _LARGE = 8, 500_000

Clock = Callable[[], float]


def never() -> bool:
    """Return False: nobody asks the run to stop."""
    return False


def train(
    spec: ExperimentSpec,
    sink: Sink,
    *,
    uploads: Path | None = None,
    data: Prepared | None = None,
    should_stop: Callable[[], bool] = never,
    clock: Clock = time.monotonic,
) -> Outcome:
    """Train every member of `spec` and record every step of it.

    Small networks train fastest with one thread; the caller decides (``torch.set_num_threads(1)``).

    Args:
        spec: the experiment.
        sink: where the recording goes, such as a `store.RunWriter`.
        uploads: folder of uploaded files, for ``upload:`` sources.
        data: use these rows rather than those that the spec names.
        should_stop: asked at least every half second; True cancels the run.
        clock: seconds, for `stop.max_seconds` and the pace of flushes.

    Raises:
        TrainError: the experiment cannot be trained (a loss that does not fit the task, no such device, no memory).
        DataError: the data cannot be used.
        StoreError: the recording cannot be written.
    """
    try:
        lanes = _lanes(spec, sink, uploads, data)
        sink.describe(**_facts(lanes))
        return _run(spec, sink, lanes, should_stop, clock)
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise TrainError("out of memory: use fewer members, a smaller model or smaller batches") from error


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On the CPU torch has no type of its own for it.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _run(spec: ExperimentSpec, sink: Sink, lanes: list[Lane], should_stop: Callable[[], bool], clock: Clock) -> Outcome:
    begin = clock()
    size = sum(lane.run.stack.weights.numel() for lane in lanes)
    pace = _Pace(clock, _FIRST_CHUNK if size < _LARGE else 1)
    status: RunEnd = "finished"
    detail = ""
    while any(not lane.done for lane in lanes):
        if should_stop():
            status, detail = "cancelled", "cancelled on request"
        elif spec.stop.max_seconds is not None and clock() - begin >= spec.stop.max_seconds:
            status, detail = "stopped", f"stopped after {spec.stop.max_seconds:g} seconds"
        for lane in lanes:
            if status != "finished":
                lane.stop(status, detail)
            elif not lane.done:
                lane.advance(pace.count)
        pace.adapt()
    members = tuple(sorted((o for lane in lanes for o in lane.outcomes()), key=lambda o: o.member))
    if status == "finished" and all(o.reason != "finished" for o in members):
        status, detail = "stopped", "every member ended before the last step"
    if status != "finished":
        last = max(lane.run.position for lane in lanes)
        write_events(sink, [Event(last, -1, "stop", "run", "", math.nan, detail)])
    return Outcome(
        status,
        detail,
        members,
        lanes[0].run.stack.weights.device.type,
        torch.get_num_threads(),
        tuple(len(lane.endings.limit) for lane in lanes),
        clock() - begin,
    )


class _Pace:
    """How many steps a round may take, so that every stack is flushed about every `_FLUSH` seconds."""

    def __init__(self, clock: Clock, first: int) -> None:
        self.count = first
        self._clock, self._then = clock, clock()

    def adapt(self) -> None:
        """Choose the next count from how long the last round took."""
        now = self._clock()
        share = _FLUSH / max(now - self._then, 1e-6)
        self._then = now
        self.count = max(1, min(MAX_CHUNK, int(self.count * min(share, 4.0))))


def _lanes(spec: ExperimentSpec, sink: Sink, uploads: Path | None, data: Prepared | None) -> list[Lane]:
    prepared: dict[DataSpec, Prepared] = {}
    lanes: list[Lane] = []
    pictured = [m.id for m in spec.members() if m.seed == spec.seeds[0]][:MAX_MEMBERS]
    for stack_plan in plan(spec):
        wanted = stack_plan.shared.data
        if wanted not in prepared:
            prepared[wanted] = prepare(load(wanted, uploads), wanted) if data is None else data
        lanes.append(Lane(stack_plan, prepared[wanted], sink, pictured=pictured, double=is_double(spec)))
    return lanes


def _facts(lanes: list[Lane]) -> dict[str, Any]:
    stacks = [lane.facts() for lane in lanes]
    data = [lane.data_facts() for lane in lanes]
    names = [s["layers"] for s in stacks]
    return {
        "device": lanes[0].run.stack.weights.device.type,
        "threads": torch.get_num_threads(),
        # What holds for all stacks stands here once; a stack whose data are others says so itself.
        **data[0],
        "layers": names[0] if all(n == names[0] for n in names) else [],
        "stacks": [s | ({} if d == data[0] else d) for s, d in zip(stacks, data, strict=True)],
    }
