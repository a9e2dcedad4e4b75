from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, schema
from ui.standing import event_table, progress

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
SPEC = ExperimentSpec.parse({"losses": ["bce_with_logits", "hinge"], "seeds": 1, "train": {"steps": 100}})


def steps(members: list[int], count: int) -> pa.RecordBatch:
    columns = {name: np.zeros(count * len(members), np.float32) for name in schema("steps").names}
    columns["step"] = np.repeat(np.arange(count, dtype=np.int32), len(members))
    columns["member"] = np.tile(np.array(members, np.int16), count)
    return pa.RecordBatch.from_pydict(columns, schema=schema("steps"))


def test_progress_counts_stopped_members_as_done_and_extrapolates(tmp_path: Path) -> None:
    store = RunStore(tmp_path, clock=lambda: BEGIN)
    run = store.create(SPEC)
    with store.writer(run) as writer:
        at = progress(store.open(run), BEGIN + timedelta(seconds=5))
        assert (at.share, at.step, at.seconds_left) == (0.0, 0, None)
        writer.append("steps", steps([0, 1], 25))
        at = progress(store.open(run), BEGIN + timedelta(seconds=5))
        assert (at.share, at.step, at.steps) == (0.25, 25, 100)
        assert at.seconds_left == pytest.approx(15)
        writer.event("nonfinite", step=24, member=1, where="loss", detail="NaN")
        assert progress(store.open(run), BEGIN + timedelta(seconds=5)).share == pytest.approx((25 + 100) / 200)
        writer.finish("finished")
    opened = store.open(run)
    assert opened.started == BEGIN
    assert opened.ended == BEGIN


def test_events_are_listed_in_order_with_the_names_of_their_members(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(SPEC)
    with store.writer(run) as writer:
        writer.event("nonfinite", step=9, member=1, where="loss", detail="NaN")
        writer.event("explosion", step=4, member=0, where="loss", detail="large")
        writer.event("stop", step=12, where="run", detail="asked")
        writer.finish("finished")
    table = event_table(store.open(run))
    assert table["step"].tolist() == [4, 9, 12]
    assert table["what"].tolist() == ["blew up", "broke", "stopped"]
    assert table["who"].tolist() == ["bce_with_logits seed 0", "hinge seed 0", "the whole run"]
