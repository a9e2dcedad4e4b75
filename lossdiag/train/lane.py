"""One stack from its making to its end: training, watching, recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossdiag.data import Prepared
from lossdiag.errors import TrainError
from lossdiag.nn import StackedMLP
from lossdiag.train.device import Arithmetic, arithmetic
from lossdiag.train.endings import Endings
from lossdiag.train.evaluate import Evaluator
from lossdiag.train.objective import check_fit, make_objective
from lossdiag.train.outcome import MemberEnd, MemberOutcome
from lossdiag.train.patience import Patience
from lossdiag.train.plan import StackPlan
from lossdiag.train.recorder import Recorder, Sink
from lossdiag.train.stack import Stack
from lossdiag.train.stack_run import Chunk, StackRun, validation_loss
from lossdiag.train.tensors import evaluation_feeds, training_feed


class Lane:
    """A stack with all that goes with it.

    Attributes:
        run: the stack in training.
        endings: who has ended.
    """

    def __init__(self, plan: StackPlan, data: Prepared, sink: Sink, *, double: bool) -> None:
        """Build the stack.

        Raises:
            TrainError: a loss does not fit the task, or the device or the batch does not fit the model.
        """
        self._plan, self._data = plan, data
        self._arithmetic: Arithmetic = arithmetic(plan.shared.train)
        stack = _build(plan, data, self._arithmetic)
        std = stack.weights.new_tensor(data.target_std)
        evaluate = Evaluator(stack, evaluation_feeds(data, self._arithmetic), data.task, std)
        self.run = StackRun(stack, training_feed(data, self._arithmetic), evaluate)
        self.endings = Endings(self.run)
        self._recorder = Recorder(sink, [m.id for m in plan.members], double=double)
        patience = plan.shared.stop.patience
        self._patience = None if patience is None else Patience(patience, len(plan.members))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.endings.all_ended

    def advance(self, count: int) -> None:
        """Take up to `count` steps and record them; evaluate once more after the last."""
        run = self.run
        chunk = run.advance(run.room(count))
        self.endings.judge(chunk)
        self._recorder.chunk(chunk, self.endings.limit)
        self._recorder.scores(chunk.scores, self.endings.limit)
        self._recorder.activations(chunk.activations, self.endings.limit)
        self._lose_patience(chunk)
        if run.position == self._plan.shared.train.steps:
            self.stop("finished", "")

    def stop(self, reason: MemberEnd, detail: str) -> None:
        """Evaluate and end everybody who is left."""
        if not self.done:
            self._recorder.scores(self.run.evaluate(self.run.position), self.endings.limit)
            self.endings.stop_all(self.run.position, reason, detail)

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
            "batch_size": min(self._plan.shared.train.batch_size, len(data.x_train)),
            "features": data.n_features,
            "outputs": data.n_outputs,
            "precision": self._plan.shared.train.precision,
        }

    def _lose_patience(self, chunk: Chunk) -> None:
        if self._patience is None or not chunk.scores:
            return
        step, patience = chunk.window.start, self._plan.shared.stop.patience
        detail = f"no better validation loss in {patience} evaluations, at step {step}"
        tired = self._patience.tired(validation_loss(chunk.scores))
        for k in np.flatnonzero(tired & self.endings.alive()):
            self.endings.stop(int(k), step, "patience", detail, chunk.window.snapshot)


def _build(plan: StackPlan, data: Prepared, numbers: Arithmetic) -> Stack:
    for group in plan.groups:
        check_fit(group.loss.name, data.task)
    spec = plan.shared
    batch_size = min(spec.train.batch_size, len(data.x_train))
    if spec.model.norm == "batch" and batch_size < 2:
        raise TrainError("model.norm 'batch' needs at least 2 rows per batch: raise train.batch_size or use 'layer'")
    counts = [int(c) for c in data.class_counts] or None
    objective = make_objective(plan.groups, counts, numbers.device, numbers.dtype)
    return Stack(plan, StackedMLP(spec.model, data.n_features, data.n_outputs), objective, numbers, batch_size)
