"""A run written by the engine and read back through the store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossdiag.errors import TrainError
from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore
from lossdiag.train import train


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_recorded_run_reads_back_as_it_was(precision: str, tmp_path: Path, sink: Any) -> None:
    spec = ExperimentSpec.parse(
        {
            "data": {"source": "synthetic:moons"},
            "seeds": 2,
            "clip": {"norm": 0.1},
            "grid": {"model.width": [4, 8]},
            "train": {"precision": precision, "steps": 60},
        }
    )
    store = RunStore(tmp_path)
    run = store.create(spec)
    with store.writer(run) as writer:
        outcome = train(spec, writer)
        writer.finish(outcome.status, outcome.detail)
    recording = store.open(run)
    train(spec, sink)
    for table in ("steps", "layers", "activations", "evals", "events", "frames"):
        stored, kept = getattr(recording, table), sink.frame(table)
        assert len(stored) == len(kept) > 0
        if table in ("steps", "layers"):
            keys = ["member", "step", *(["layer"] if table == "layers" else [])]
            stored, kept = (frame.sort_values(keys) for frame in (stored, kept))
            np.testing.assert_array_equal(stored["update_ratio"], kept["update_ratio"])
    assert recording.facts["layers"] == ["hidden 1", "hidden 2", "output"]
    assert [s["members"] for s in recording.facts["stacks"]] == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_stays_near_single_precision(precision: str, sink: Any) -> None:
    parts = {"losses": ["bce_with_logits"], "seeds": 3}
    mixed = ExperimentSpec.parse(parts | {"train": {"precision": precision, "steps": 100, "device": "cpu"}})
    outcome = train(mixed, sink)
    assert outcome.status == "finished"
    single = type(sink)()
    train(ExperimentSpec.parse(parts | {"train": {"steps": 100, "device": "cpu"}}), single)
    for member in range(3):
        difference = np.abs(sink.curve(member) - single.curve(member))
        assert 0 < difference.max()
        assert difference.mean() < 0.02


def test_a_model_that_does_not_fit_memory_is_refused_in_words(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ExperimentSpec.parse({"losses": ["bce_with_logits"], "seeds": 1})

    def full(**_: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(sink, "describe", full)
    with pytest.raises(TrainError, match="out of memory: use fewer members"):
        train(spec, sink)


def test_a_sink_that_fails_is_not_taken_for_something_else(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(sink, "append", broken)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        train(ExperimentSpec(), sink)
