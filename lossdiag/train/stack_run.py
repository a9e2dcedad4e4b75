"""One stack on its way through a run: chunks of steps between which the host looks at what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lossdiag.train.activations import ActivationSample, sample_activations
from lossdiag.train.batches import BatchStream
from lossdiag.train.evaluate import Evaluation, Evaluator
from lossdiag.train.feed import Feed
from lossdiag.train.pictures import Painter, Picture
from lossdiag.train.rates import Rates
from lossdiag.train.ring import Figures, Ring, RingRow
from lossdiag.train.stack import Batch, Snapshot, Stack

MAX_CHUNK = 1000
# Norms that the ring may hold: 16 MB of float32.
_RING = 4_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """All that is needed to live through a chunk of steps again.

    Attributes:
        start: its first step.
        snapshot: the stack's state before it.
        index: row indices of its batches [F * accumulate, seeds, B].
        lr: learning rates [F, K].
    """

    start: int
    snapshot: Snapshot
    index: Tensor
    lr: NDArray[np.float64]

    @property
    def stop(self) -> int:
        """The step after its last."""
        return self.start + len(self.lr)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk of steps left behind.

    Attributes:
        window: how to live through it again.
        figures: what every step recorded.
        seconds: [F], how long each step took.
        evaluations: those that fell into it.
        pictures: those that were painted with them.
        activations: samples that fell into it.
    """

    window: Window
    figures: Figures
    seconds: NDArray[np.float64]
    evaluations: list[Evaluation]
    pictures: list[Picture]
    activations: list[ActivationSample]


class StackRun:
    """Advances a stack; evaluates it wherever an evaluation is due.

    Attributes:
        stack: the members.
        position: steps taken.
        rates: the learning rates to come.
    """

    def __init__(self, stack: Stack, train: Feed, evaluate: Evaluator, painter: Painter) -> None:
        """Set up `stack` for training on the rows of `train`."""
        spec = stack.plan.shared
        self.stack, self.position, self.rates = stack, 0, Rates(stack.plan.specs)
        self._evaluator, self._painter = evaluate, painter
        self._feed, self._accumulate, self._interval = train, spec.train.accumulate, spec.train.eval_interval
        self._stream = BatchStream(stack.seeds, len(train.x), spec.train.batch_size)
        per_step = 3 * len(stack.plan.members) * len(stack.net.layout.layers)
        self._ring = self._make_ring(max(1, min(MAX_CHUNK, spec.train.steps, _RING // per_step)))

    @property
    def listens(self) -> bool:
        """Whether what comes after an evaluation depends on it, so that no chunk may run across one."""
        return self.rates.listens or self.stack.plan.shared.stop.patience is not None

    def room(self, count: int) -> int:
        """Return how many of `count` steps the next chunk may have."""
        left = min(count, self._ring.capacity, self.stack.plan.shared.train.steps - self.position)
        return min(left, self._interval - self.position % self._interval) if self.listens else left

    def advance(self, count: int) -> Chunk:
        """Take `count` steps and return what they left; the only wait for the device is at the end."""
        entered = time.perf_counter()
        evaluations: list[Evaluation] = []
        pictures: list[Picture] = []
        samples: list[ActivationSample] = []
        seconds: list[float] = []
        if self.listens and self._due(self.position):
            evaluations.append(self.evaluate())
            self.rates.hear(validation_loss(evaluations[0]))
        index = self._stream.draw(count * self._accumulate).to(self._feed.x.device)
        window = Window(self.position, self.stack.snapshot(), index, self.rates.table(self.position, count))
        for row, (step, batches, lr) in zip(self._ring.rows(count), self.play(window), strict=True):
            if self._due(step):
                samples.append(sample_activations(step, self.stack, batches[0][0]))
                pictures += self.paint(step)
                if not self.listens:
                    evaluations.append(self._evaluator(step))
            begin = time.perf_counter()
            self.stack.step(batches, lr, row)
            seconds.append(time.perf_counter() - begin)
        self.position += count
        figures = self._ring.read(count)
        if self.stack.weights.device.type != "cpu":
            # There a step only joins a queue: what it took is known for all of them together.
            seconds = [(time.perf_counter() - entered) / count] * count
        return Chunk(window, figures, np.array(seconds), evaluations, pictures, samples)

    def evaluate(self) -> Evaluation:
        """Measure the members as they are."""
        return self._evaluator(self.position)

    def paint(self, step: int) -> list[Picture]:
        """Paint the members as they are, after `step` updates."""
        return self._painter.paint(step)

    def play(self, window: Window) -> Iterator[tuple[int, list[Batch], Tensor]]:
        """Yield step, batches and learning rates [K, 1] for every step of `window`."""
        weights = self.stack.weights
        batches = self._feed.batches(window.index, self.stack.seed_of)
        rates = torch.as_tensor(window.lr, dtype=weights.dtype).to(weights.device).unsqueeze(2).unbind(0)
        for step, lr in enumerate(rates, window.start):
            yield step, [next(batches) for _ in range(self._accumulate)], lr

    def scratch(self) -> RingRow:
        """Return a place for one step's figures, in float64 where the device has it."""
        exact = self.stack.weights.dtype if self.stack.weights.device.type == "mps" else torch.float64
        return self._make_ring(1, exact).rows(1)[0]

    def _due(self, step: int) -> bool:
        return step % self._interval == 0

    def _make_ring(self, capacity: int, dtype: torch.dtype | None = None) -> Ring:
        weights, layers = self.stack.weights, self.stack.net.layout.layers
        return Ring(capacity, len(weights), len(layers), weights.device, dtype or weights.dtype)


def validation_loss(evaluation: Evaluation) -> NDArray[np.float64]:
    """Return the validation loss [K]."""
    (loss,) = (s.values for s in evaluation.scores if s.split == "val" and s.metric == "loss")
    return np.asarray(loss.cpu().double().numpy())
