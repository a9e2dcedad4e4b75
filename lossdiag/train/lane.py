"""One stack from its making to its end: training, watching, recording."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from lossdiag.data import Prepared
from lossdiag.errors import TrainError
from lossdiag.nn import StackedMLP
from lossdiag.train.device import arithmetic
from lossdiag.train.endings import Endings
from lossdiag.train.evaluate import Evaluator
from lossdiag.train.events import Event, Watch
from lossdiag.train.objective import check_fit, make_objective
from lossdiag.train.outcome import MemberEnd, MemberOutcome
from lossdiag.train.overflow import Recheck
from lossdiag.train.patience import Patience
from lossdiag.train.pictures import Painter
from lossdiag.train.plan import StackPlan
from lossdiag.train.recorder import Recorder, Sink
from lossdiag.train.stack import Stack
from lossdiag.train.stack_run import Chunk, StackRun, validation_loss
from lossdiag.train.tensors import evaluation_feeds, training_feed

# Confusion matrices of all members are kept up to this many counts per evaluation.
_MAX_COUNTS = 20_000


class Lane:
    """A stack with all that goes with it.

    Attributes:
        run: the stack in training.
        endings: who has ended.
    """

    def __init__(
        self, plan: StackPlan, data: Prepared, sink: Sink, *, pictured: Collection[int] = (), double: bool = False
    ) -> None:
        """Build the stack.

        Args:
            plan: its members.
            data: what they are trained on.
            sink: where the recording goes.
            pictured: ids of the members that pictures are kept of.
            double: whether the run stores measured values as float64.

        Raises:
            TrainError: a loss does not fit the task, or the device or the batch does not fit the model.
        """
        self._plan, self._data = plan, data
        ids = [m.id for m in plan.members]
        self.run, self._painter = _make_run(plan, data, [k for k, i in enumerate(ids) if i in pictured])
        self.endings, self._recheck = Endings(self.run), Recheck(self.run)
        self._recorder = Recorder(sink, ids, double=double)
        layers = [layer.name for layer in self.run.stack.net.layout.layers]
        self._watch = Watch(ids, layers, sudden_rates=[s.schedule.name in ("step", "plateau") for s in plan.specs])
        patience = plan.shared.stop.patience
        self._patience = None if patience is None else Patience(patience, len(ids))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.endings.all_ended

    def advance(self, count: int) -> None:
        """Take up to `count` steps and record them; evaluate once more after the last."""
        run, limit, seen = self.run, self.endings.limit, self.endings.seen
        chunk = run.advance(run.room(count))
        # An evaluation comes before the steps of its chunk, so whoever it stops cannot fail in them.
        self._lose_patience(chunk)
        chunk = self._recheck(chunk, limit)
        self.endings.judge(chunk)
        self._recorder.chunk(chunk, limit)
        self._recorder.evaluations(chunk.evaluations, seen)
        self._recorder.activations(chunk.activations, limit)
        self._recorder.pictures(chunk.pictures, chunk.evaluations, seen)
        self._recorder.events(self._watch.look(chunk, limit))
        if self.done:
            self._recorder.events(self._watch.clip_shares())
        elif run.position == self._plan.shared.train.steps:
            self.stop("finished", "")

    def stop(self, reason: MemberEnd, detail: str) -> None:
        """Evaluate and end everybody who is left."""
        if self.done:
            return
        run, seen = self.run, self.endings.seen
        last = [run.evaluate()]
        self._recorder.evaluations(last, seen)
        self._recorder.pictures(run.paint(run.position), last, seen)
        self.endings.stop_all(run.position, reason, detail)
        self._recorder.events(self._watch.clip_shares())

    def outcomes(self) -> list[MemberOutcome]:
        """Return how each member ended, in the order of the stack."""
        found: list[MemberOutcome] = []
        for k, member in enumerate(self._plan.members):
            end = self.endings.ended[k]
            state = self.run.stack.net.state(end.weights, end.buffers)
            found.append(MemberOutcome(member.id, end.step, end.reason, end.detail, state))
        return found

    def facts(self) -> dict[str, Any]:
        """Return what a reader of the recording wants to know of this stack, as plain data."""
        net, data = self.run.stack.net, self._data
        return {
            "members": [m.id for m in self._plan.members],
            "layers": [layer.name for layer in net.layout.layers],
            "parameters": net.layout.size,
            "batch_size": _batch_size(self._plan, data),
            "features": data.n_features,
            "outputs": data.n_outputs,
            "precision": self._plan.shared.train.precision,
        }

    def data_facts(self) -> dict[str, Any]:
        """Return what a reader wants to know of the data, and what the pictures' axes mean, as plain data."""
        data = self._data
        return {
            "data": {
                "name": data.name,
                "task": data.task,
                "features": list(data.feature_names),
                "ranges": {name: list(limits) for name, limits in data.encoder.ranges.items()},
                "targets": list(data.target_names),
                "classes": list(data.classes),
                "class_counts": data.class_counts.tolist(),
                "target_mean": data.target_mean.tolist(),
                "target_std": data.target_std.tolist(),
                "train_rows": len(data.x_train),
                "val_rows": len(data.x_val),
                "notes": list(data.notes),
            },
            "frames": self._painter.facts,
        }

    def _lose_patience(self, chunk: Chunk) -> None:
        if self._patience is None or not chunk.evaluations:
            return
        step, patience = chunk.window.start, self._plan.shared.stop.patience
        detail = f"no better validation loss in {patience} evaluations"
        losses = validation_loss(chunk.evaluations[0])
        tired = self._patience.tired(losses)
        for k in map(int, np.flatnonzero(tired & self.endings.alive())):
            self.endings.stop(k, step, "patience", detail, chunk.window.snapshot)
            member = self._plan.members[k].id
            self._recorder.events([Event(step, member, "stop", "patience", "", float(losses[k]), detail)])


def _make_run(plan: StackPlan, data: Prepared, pictured: list[int]) -> tuple[StackRun, Painter]:
    for group in plan.groups:
        check_fit(group.loss.name, data.task)
    numbers = arithmetic(plan.shared.train)
    objectives = functools.partial(
        make_objective,
        class_counts=[int(c) for c in data.class_counts] or None,
        task=data.task,
        outputs=data.n_outputs,
        like=torch.empty(0, device=numbers.device, dtype=numbers.dtype),
    )
    batch_size = _batch_size(plan, data)
    net = StackedMLP(plan.shared.model, data.n_features, data.n_outputs)
    stack = Stack(plan, net, objectives(plan.groups), numbers, batch_size)
    counts = len(plan.members) * len(data.classes) ** 2
    evaluator = Evaluator(
        stack,
        objectives,
        evaluation_feeds(data, numbers),
        task=data.task,
        target_std=stack.weights.new_tensor(data.target_std),
        n_classes=len(data.classes) if counts <= _MAX_COUNTS else 0,
    )
    painter = Painter(stack, data, pictured)
    return StackRun(stack, training_feed(data, numbers), evaluator, painter), painter


def _batch_size(plan: StackPlan, data: Prepared) -> int:
    size = min(plan.shared.train.batch_size, len(data.x_train))
    if plan.shared.model.norm == "batch" and size < 2:
        raise TrainError("model.norm 'batch' needs at least 2 rows per batch: raise train.batch_size or use 'layer'")
    return size
