"""From what the device left to the rows of the store's tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lossdiag.store.schema import Table, schema
from lossdiag.train.activations import ActivationSample
from lossdiag.train.evaluate import Evaluation
from lossdiag.train.events import Event
from lossdiag.train.pictures import Picture
from lossdiag.train.ring import GRADIENT, UPDATE, WEIGHT
from lossdiag.train.stack_run import Chunk


class Sink(Protocol):
    """Where a recording goes: `store.RunWriter`, or anything else that takes Arrow batches."""

    def append(self, table: Table, batch: pa.RecordBatch) -> None:
        """Add rows to a table of `store.schema`."""

    def describe(self, **facts: Any) -> None:
        """Merge plain facts into what is known of the run."""


class Recorder:
    """Writes the figures of one stack, each member's up to where it ended."""

    def __init__(self, sink: Sink, members: Sequence[int], *, double: bool) -> None:
        """Bind to a sink.

        Args:
            sink: receives the batches.
            members: ids in the order of the stack's rows.
            double: whether the run stores measured values as float64.
        """
        self._sink, self._double = sink, double
        self._members = np.asarray(members, dtype=np.int16)

    def chunk(self, chunk: Chunk, end: NDArray[np.int64]) -> None:
        """Write steps and layers of a chunk; members [K] have rows for the steps before `end` only."""
        count = len(chunk.seconds)
        step = np.arange(chunk.window.start, chunk.window.start + count, dtype=np.int32)
        keep = step[:, None] < end
        if not keep.any():
            return
        figures = chunk.figures
        norms = np.sqrt(np.square(figures.norms, dtype=np.float64).sum(axis=1))
        self._write(
            "steps",
            keep,
            step=_steps(step, keep.shape),
            member=np.broadcast_to(self._members, keep.shape),
            loss=figures.loss,
            penalty=figures.penalty,
            lr=chunk.window.lr,
            grad_norm=norms[:, GRADIENT],
            clip_factor=figures.clip,
            update_ratio=_ratio(norms[:, UPDATE], norms[:, WEIGHT]),
            step_time=_steps(chunk.seconds, keep.shape),
        )
        by_layer = figures.norms.transpose(0, 3, 1, 2)  # [F, K, L, 3]
        shape = by_layer.shape[:3]
        self._write(
            "layers",
            np.broadcast_to(keep[:, :, None], shape),
            step=_steps(step, shape),
            member=np.broadcast_to(self._members[:, None], shape),
            layer=np.broadcast_to(np.arange(shape[2], dtype=np.int16), shape),
            grad_norm=by_layer[..., GRADIENT],
            weight_norm=by_layer[..., WEIGHT],
            update_ratio=_ratio(by_layer[..., UPDATE], by_layer[..., WEIGHT]),
        )

    def evaluations(self, evaluations: Sequence[Evaluation], end: NDArray[np.int64]) -> None:
        """Write evaluations; one at step t saw the parameters after t updates, so it is kept up to t = end - 1."""
        scores = [score for evaluation in evaluations for score in evaluation.scores]
        if not scores:
            return
        values = np.stack([s.values.cpu().double().numpy() for s in scores])
        step = np.array([s.step for s in scores], dtype=np.int32)
        keep = step[:, None] < end
        texts = {
            name: pa.array([getattr(s, name) for s in scores]).take(pa.array(np.nonzero(keep)[0]))
            for name in ("split", "metric")
        }
        self._write(
            "evals",
            keep,
            texts,
            step=_steps(step, keep.shape),
            member=np.broadcast_to(self._members, keep.shape),
            value=values,
        )

    def activations(self, samples: Sequence[ActivationSample], end: NDArray[np.int64]) -> None:
        """Write activation samples."""
        if not samples or not len(samples[0].values):
            return
        values = np.stack([s.values.cpu().numpy() for s in samples]).transpose(2, 0, 3, 1)  # [4, S, K, depth]
        step = np.array([s.step for s in samples], dtype=np.int32)
        shape = values.shape[1:]
        names = ("mean", "std", "zero_share", "saturated_share")
        self._write(
            "activations",
            np.broadcast_to((step[:, None] < end)[:, :, None], shape),
            step=_steps(step, shape),
            member=np.broadcast_to(self._members[:, None], shape),
            layer=np.broadcast_to(np.arange(shape[2], dtype=np.int16), shape),
            **dict(zip(names, values, strict=True)),
        )

    def pictures(self, pictures: Sequence[Picture], evaluations: Sequence[Evaluation], end: NDArray[np.int64]) -> None:
        """Write pictures, and the confusion matrices that were counted with the evaluations."""
        # One transfer for all matrices of an evaluation: there is one for every member.
        counted = [
            (e.step, k, "confusion", counts)
            for e in evaluations
            if e.confusion is not None
            for k, counts in enumerate(e.confusion.float().cpu().numpy())
        ]
        drawn = [(p.step, p.k, p.kind, p.values.float().cpu().numpy()) for p in pictures]
        kept = [picture for picture in (*drawn, *counted) if picture[0] < end[picture[1]]]
        if not kept:
            return
        steps, rows, kinds, values = zip(*kept, strict=True)
        offsets = np.cumsum([0, *(v.size for v in values)])
        columns: list[Any] = [
            steps,
            self._members[list(rows)],
            kinds,
            [v.shape for v in values],
            pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), pa.array(np.concatenate([v.reshape(-1) for v in values]))
            ),
        ]
        fields = schema("frames", double=self._double)
        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, fields, strict=True)]
        self._sink.append("frames", pa.record_batch(arrays, schema=fields))

    def events(self, events: Sequence[Event]) -> None:
        """Write events."""
        write_events(self._sink, events)

    def _write(
        self,
        table: Table,
        keep: NDArray[np.bool_],
        texts: dict[str, Any] | None = None,
        **columns: NDArray[Any],
    ) -> None:
        fields = schema(table, double=self._double)
        whole = bool(keep.all())
        arrays = []
        for field in fields:
            if texts and field.name in texts:
                arrays.append(texts[field.name])
                continue
            column = columns[field.name].reshape(-1) if whole else columns[field.name][keep]
            arrays.append(pa.array(column.astype(field.type.to_pandas_dtype(), copy=False)))
        self._sink.append(table, pa.record_batch(arrays, schema=fields))


def _steps(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.broadcast_to(values.reshape(-1, *[1] * (len(shape) - 1)), shape)


def _ratio(update: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return |update| / |weights|: 0 where nothing moved, NaN where weights that are all zero began to move."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(update == 0, 0.0, np.where(weight == 0, np.nan, update / weight))


def write_events(sink: Sink, events: Sequence[Event]) -> None:
    """Write events of any members, or of the whole run (member -1)."""
    if events:
        rows = [dataclasses.asdict(event) for event in events]
        sink.append("events", pa.RecordBatch.from_pylist(rows, schema=schema("events")))
