"""What the store and the thinning of curves cost. Run it: ``python -m benchmarks.store``.

The recording is one member of 1,000,000 steps with 4 layers, flushed every 500 steps, with 5 one-step spikes, 2 NaN
and 1 infinity in its loss. Times are the best of three; files are in the page cache, as after a first look.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lossdiag.figures.decimate import CHART_BYTES, Decimated, decimate, points_each
from lossdiag.spec import ExperimentSpec
from lossdiag.store import Recording, RunStore, RunWriter, Tail

STEPS, FLUSH, LAYERS, RUNS = 1_000_000, 500, 4, 10_000
SPIKES = (70_000, 70_003, 333_333, 600_001, 999_000)
NONFINITE = ((100_000, np.nan), (100_001, np.nan), (512_345, np.inf))


def main() -> None:
    """Print the table."""
    root = Path(tempfile.mkdtemp(prefix="lossdiag-bench-"))
    try:
        _long_run(RunStore(root / "long"))
        _many_runs(RunStore(root / "many"))
    finally:
        shutil.rmtree(root)


def _long_run(store: RunStore) -> None:
    run_id = store.create(ExperimentSpec(losses="mse", seeds=1, data={"source": "synthetic:sine"}))
    tail = Tail(store.path(run_id))
    with store.writer(run_id) as writer:
        steps, layers = _batches(writer)
        start = time.perf_counter()
        for a, b in zip(steps, layers, strict=True):
            writer.append("steps", a)
            writer.append("layers", b)
        took = (time.perf_counter() - start) * 1e6
        _row("append, steps + 4 layers", f"{took / STEPS:.2f} us a step, {took / (STEPS / FLUSH):.0f} us a flush")
        _row("open the live run, loss curve", _best(lambda: store.open(run_id).series(0, "loss")))
        _row("tail: first poll of all rows", _best(tail.poll, 1))
        _row("tail: poll without news", _best(tail.poll))
        _row("bytes while live", f"{store.size(run_id) / STEPS:.0f} a step")
        start = time.perf_counter()
        writer.finish("finished")
        _row("finish (compaction)", f"{(time.perf_counter() - start) * 1e3:,.0f} ms")
    _row("bytes compacted", f"{store.size(run_id) / STEPS:.0f} a step")
    _row("open, loss and gradient norm, thinned", _best(lambda: _draw(store.open(run_id))))
    _row("the same and 4 layers' gradient norms", _best(lambda: _draw(store.open(run_id), layers=True)))
    drawn = _draw(store.open(run_id), layers=True)
    _row("loss", drawn["loss"].kept)
    found = np.isin(SPIKES, drawn["loss"].steps).sum()
    _row("planted spikes and non-finite found", f"{found}/{len(SPIKES)}, {len(drawn['loss'].nonfinite_steps)}/3")
    _row("bytes to the browser: loss chart", f"{_sent([drawn['loss']]):,} of {CHART_BYTES:,}")
    _row("bytes to the browser: chart of 4 layers", f"{_sent([drawn[f'layer {i}'] for i in range(LAYERS)]):,}")
    noisy = np.random.default_rng(1).standard_cauchy(STEPS).astype(np.float32)
    curve = decimate(np.arange(STEPS, dtype=np.int32), noisy, points_each(60))
    _row("bytes: 60 curves of Cauchy noise", f"{_sent([curve] * 60):,} ({curve.kept})")


def _batches(writer: RunWriter) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
    rng = np.random.default_rng(0)
    step = np.arange(STEPS, dtype=np.int32)
    loss = (np.exp(-step / 2e5) + 0.05 * rng.random(STEPS)).astype(np.float32)
    loss[list(SPIKES)] += 5
    for place, value in NONFINITE:
        loss[place] = value
    real = rng.lognormal(size=(STEPS, 6)).astype(np.float32)
    zero = np.zeros(STEPS, np.int16)
    lr, one = np.full(STEPS, 0.01, np.float32), np.ones(STEPS, np.float32)
    columns = [
        step,
        zero,
        loss,
        zero.astype(np.float32),
        lr,
        real[:, 0].copy(),
        one,
        real[:, 1].copy(),
        real[:, 2].copy(),
    ]
    steps = pa.record_batch(columns, schema=writer.schema("steps"))
    layer = np.tile(np.arange(LAYERS, dtype=np.int16), STEPS)
    values = rng.lognormal(size=(3, STEPS * LAYERS)).astype(np.float32)
    keys = [np.repeat(step, LAYERS), np.repeat(zero, LAYERS), layer]
    layers = pa.record_batch([*keys, *values], schema=writer.schema("layers"))
    starts = range(0, STEPS, FLUSH)
    return (
        [steps.slice(s, FLUSH) for s in starts],
        [layers.slice(s * LAYERS, FLUSH * LAYERS) for s in starts],
    )


def _draw(recording: Recording, *, layers: bool = False) -> dict[str, Decimated]:
    curves = {column: recording.series(0, column) for column in ("loss", "grad_norm")}
    if layers:
        curves |= {f"layer {i}": curve for i, curve in recording.layer_curves(0, "grad_norm").items()}
    return {name: decimate(*curve) for name, curve in curves.items()}


def _sent(curves: list[Decimated]) -> int:
    """Return the bytes of the arrays as Plotly takes them: base64 of int32 steps and float32 values, and the gaps."""
    arrays = [a for c in curves for a in (c.steps, c.values, c.gap_first, c.gap_last)]
    return sum(len(base64.b64encode(np.ascontiguousarray(array).tobytes())) for array in arrays)


def _many_runs(store: RunStore) -> None:
    specs = [ExperimentSpec(name=f"run {kind}", seeds=5) for kind in ("plain", "wide", "deep", "fast")]
    for index in range(RUNS):
        store.create(specs[index % 4], status="finished")
    _row(f"list {RUNS:,} runs, no index yet", _best(lambda: store.list(limit=100), 1))
    _row("list, index up to date", _best(lambda: store.list(limit=100)))
    _row("list and filter by text and status", _best(lambda: store.list("wide", status=["finished"], limit=100)))
    _row("list all as one table", _best(store.list))


def _best(action: Callable[[], Any], times: int = 3) -> str:
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return f"{best * 1e3:,.1f} ms"


def _row(what: str, figure: str) -> None:
    print(f"{what:42} {figure}", flush=True)


if __name__ == "__main__":
    main()
