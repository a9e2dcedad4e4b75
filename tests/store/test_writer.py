from __future__ import annotations

import math
import subprocess

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store import TABLES, RunStore, read_run


def test_a_run_goes_from_queued_to_running_to_its_end(store, spec, rows):
    run_id = store.create(spec)
    assert store.open(run_id).status == "queued"
    with store.writer(run_id) as writer:
        assert store.open(run_id).status == "running"
        writer.append("steps", rows(0, 5))
        writer.describe(device="cpu", best=np.float64(0.5))
        writer.finish("stopped", "no better for 20 evaluations", accuracy=[0.9, math.inf])
    run = store.open(run_id)
    assert (run.status, run.detail) == ("stopped", "no better for 20 evaluations")
    assert run.facts == {"device": "cpu", "best": 0.5, "accuracy": [0.9, math.inf]}
    assert len(run.steps) == 20


def test_pandas_reads_every_table_of_an_ended_run(store, spec, rows):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        writer.append("steps", rows(0, 3))
        writer.append("steps", rows(3, 5))
        writer.finish("finished")
    folder = store.path(run_id)
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["run.json", "run.lock", *(f"{t}.feather" for t in TABLES)]
    )
    pd.testing.assert_frame_equal(pd.read_feather(folder / "steps.feather"), rows(0, 5).to_pandas())
    assert len(pd.read_feather(folder / "frames.feather")) == 0


def test_live_and_ended_runs_read_the_same(store, spec, rows):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        for at in range(0, 40, 4):
            writer.append("steps", rows(at, at + 4))
            writer.append("layers", rows(at, at + 4, table="layers"))
            writer.event("spike", step=at, member=1, where="loss", value=3.5, detail="three sigma")
        live = store.open(run_id)
        tables = {table: getattr(live, table) for table in TABLES}
        writer.finish("finished")
    ended = store.open(run_id)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(ended, table), tables[table])


@pytest.mark.parametrize(
    "precision", [{"train": {"precision": "float64"}}, {"grid": {"train.precision": ["float32", "float64"]}}]
)
def test_float64_runs_are_stored_as_float64(store, rows, precision):
    run_id = store.create(ExperimentSpec.parse(precision))
    third = 1 / 3
    with store.writer(run_id) as writer:
        writer.append("steps", rows(0, 1, double=True).set_column(2, "loss", pa.array([third] * 4)))
        assert store.open(run_id).series(0, "loss")[1].tolist() == [third]
        writer.finish("finished")
    steps, loss = store.open(run_id).series(0, "loss")
    assert (steps.dtype, loss.dtype, loss.tolist()) == (np.int32, np.float64, [third])


def test_an_exception_ends_the_run_as_failed(store, spec, rows):
    run_id = store.create(spec)
    writer = store.writer(run_id)
    writer.append("steps", rows(0, 2))
    with pytest.raises(ZeroDivisionError, match="by nought"), writer:
        raise ZeroDivisionError("by nought")
    assert (store.open(run_id).status, store.open(run_id).detail) == ("failed", "ZeroDivisionError: by nought")
    assert len(store.open(run_id).steps) == 8


def test_a_run_left_without_an_end_is_interrupted_and_can_be_resumed(store, spec, rows):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        writer.append("steps", rows(0, 2))
    assert store.open(run_id).status == "interrupted"
    with store.writer(run_id, resume=True) as writer:
        writer.append("steps", rows(2, 3))
        writer.finish("finished")
    assert store.open(run_id).series(3, "loss")[0].tolist() == [0, 1, 2]


def test_an_ended_run_can_be_resumed(store, spec, rows):
    run_id = store.create(spec)
    for at in range(3):
        with store.writer(run_id, resume=True) as writer:
            writer.append("steps", rows(at, at + 1))
            assert len(store.open(run_id).steps) == 4 * (at + 1)
            writer.finish("finished")
    assert store.open(run_id).series(0, "loss")[0].tolist() == [0, 1, 2]


def test_recording_twice_needs_resume(store, spec):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        writer.finish("finished")
    with pytest.raises(StoreError, match=r"recorded already \(finished\).*resume"):
        store.writer(run_id)


def test_only_one_writer_at_a_time(store, spec):
    run_id = store.create(spec)
    with store.writer(run_id), pytest.raises(StoreError, match="being recorded by another process"):
        store.writer(run_id, resume=True)
    store.writer(run_id, resume=True).close()


def test_asking_whether_it_runs_does_not_keep_a_writer_out(store, spec):
    run_id = store.create(spec)
    for _ in range(50):
        with store.writer(run_id, resume=True):
            assert store.open(run_id).status == "running"
        assert store.open(run_id).status == "interrupted"


@pytest.mark.parametrize(("members", "left"), [(None, [3, 3, 3, 3]), ([1, 2], [6, 3, 3, 6])])
def test_rewinding_drops_later_rows_in_every_table(store, spec, rows, members, left):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        for at in (0, 2, 4):
            writer.append("steps", rows(at, at + 2))
            writer.append("layers", rows(at, at + 2, table="layers"))
        writer.event("crash", step=5, member=1)
        writer.rewind(3, members)
        assert [len(store.open(run_id).series(m, "loss")[0]) for m in range(4)] == left
        assert [len(store.open(run_id).layer_series(m, 0, "grad_norm")[0]) for m in range(4)] == left
        assert len(store.open(run_id).events) == 0
        writer.append("steps", rows(6, 7))
        writer.finish("finished")
    assert store.open(run_id).series(1, "loss")[0].tolist() == [0, 1, 2, 6]


def test_what_a_run_cannot_be_told_is_refused(store, spec, rows):
    writer = store.writer(store.create(spec))
    with pytest.raises(StoreError, match="cannot end as 'running'; expected one of finished"):
        writer.finish("running")
    with pytest.raises(StoreError, match="facts of a run must be numbers.*got object"):
        writer.describe(thing=object())
    with pytest.raises(StoreError, match="expected"):
        writer.append("layers", rows(0, 1))
    writer.describe(fine=1)
    writer.finish("finished")
    for late in (
        lambda: writer.append("steps", rows(0, 1)),
        lambda: writer.finish("failed"),
        lambda: writer.describe(a=1),
    ):
        with pytest.raises(StoreError, match="is closed"):
            late()


def test_a_full_disk_at_the_end_leaves_a_readable_run_that_is_compacted_later(store, spec, rows, child):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        writer.append("steps", rows(0, 50_000))
    process: subprocess.Popen[str] = child(
        """
        import resource, sys
        from lossdiag.errors import StoreError
        from lossdiag.store import RunStore
        writer = RunStore(sys.argv[1]).writer(sys.argv[2], resume=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            writer.finish("finished", "all done", accuracy=0.9)
        except StoreError as error:
            print(error)
        """,
        store.root,
        run_id,
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "cannot compact steps.arrows" in out
    assert "size limit" in out
    run = store.open(run_id)
    assert (run.status, run.detail, len(run.steps)) == ("finished", "all done", 200_000)
    assert not (run.folder / "steps.feather").exists()
    assert RunStore(store.root).recover() == []
    assert len(pd.read_feather(run.folder / "steps.feather")) == len(read_run(run.folder).steps) == 200_000
