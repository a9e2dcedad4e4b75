from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store import Recording, read_run, schema
from lossdiag.store.recording import _group


@pytest.fixture
def run(store, spec, rows) -> Recording:
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        writer.append("steps", rows(0, 10))
        writer.append("layers", rows(0, 3, table="layers"))
        writer.finish("finished", lucky=7)
    return store.open(run_id)


def test_what_it_is(run, spec):
    assert run.spec == spec
    assert (run.name, run.status, run.tags, run.note, run.facts) == ("two by two", "finished", (), "", {"lucky": 7})
    assert run.created == pd.Timestamp("2025-01-31T12:30", tz="UTC")
    assert run.members["label"].tolist() == ["mse seed 0", "mse seed 1", "mae seed 0", "mae seed 1"]
    assert run.members["config"].tolist() == ["mse", "mse", "mae", "mae"]
    assert run.members["seed"].tolist() == [0, 1, 0, 1]


def test_members_carry_their_grid_and_all_their_parameters(store):
    spec = ExperimentSpec(
        losses="huber", seeds=1, grid={"optimizer.lr": [0.1, 0.2]}, data={"source": "sample:diabetes"}
    )
    members = store.open(store.create(spec)).members
    assert members["grid"].tolist() == [{"optimizer.lr": 0.1}, {"optimizer.lr": 0.2}]
    assert members["params"].tolist() == [dict(spec.losses[0].values)] * 2


def test_curves_by_member_and_layer(run):
    steps, loss = run.series(2, "loss")
    np.testing.assert_array_equal(steps, np.arange(10))
    np.testing.assert_array_equal(loss, np.arange(10) * 1000 + 2)
    assert (steps.dtype, loss.dtype) == (np.int32, np.float32)
    assert list(run.curves("lr")) == [0, 1, 2, 3]
    assert list(run.curves("lr", (3, 1))) == [3, 1]
    np.testing.assert_array_equal(run.layer_series(1, 0, "weight_norm")[1], [1, 1001, 2001])
    assert len(run.layer_series(1, 9, "weight_norm")[0]) == 0
    assert list(run.layer_curves(1, "grad_norm")) == [0]


def test_a_member_without_rows_has_an_empty_curve(store, spec):
    run = store.open(store.create(spec))
    steps, values = run.series(0, "loss")
    assert (len(steps), steps.dtype, values.dtype) == (0, np.int32, np.float32)
    assert run.curves("loss") == {}
    assert list(run.steps.columns) == schema("steps").names
    assert run.layer_curves(0, "grad_norm") == {}


def test_unknown_members_columns_and_frames_are_refused(run):
    with pytest.raises(StoreError, match="has no member 4; it has 0 to 3"):
        run.series(4, "loss")
    with pytest.raises(StoreError, match="has no member -1"):
        run.layer_series(-1, 0, "grad_norm")
    with pytest.raises(StoreError, match="'steps' has no column 'los'; it has step, member, loss"):
        run.series(0, "los")
    with pytest.raises(StoreError, match="no frame 'boundary' at step 9 or before; it has none"):
        run.frame("boundary", 0, 9)


@pytest.mark.parametrize("ended", [False, True])
def test_frames_come_back_in_their_shape(store, spec, ended):
    run_id = store.create(spec)
    pictures = {step: np.random.default_rng(step).random((3, 4)).astype(np.float32) for step in (0, 10, 20)}
    with store.writer(run_id) as writer:
        for step, picture in pictures.items():
            row = {"step": step, "member": 1, "kind": "boundary", "shape": [3, 4], "values": picture.ravel().tolist()}
            other = {**row, "kind": "confusion", "shape": [2, 2], "values": [1, 2, 3, 4]}
            writer.append("frames", pa.RecordBatch.from_pylist([row, other], schema=writer.schema("frames")))
        if ended:
            writer.finish("finished")
        run = store.open(run_id)
        for asked, got in ((0, 0), (9, 0), (10, 10), (99, 20)):
            np.testing.assert_array_equal(run.frame("boundary", 1, asked), pictures[got])
        np.testing.assert_array_equal(run.frame("confusion", 1, 5), [[1, 2], [3, 4]])
        with pytest.raises(StoreError, match="it has 'boundary' from step 0, 'confusion' from step 0"):
            run.frame("prediction", 1, 5)


def test_layers_have_the_names_of_their_members_stack(store, spec):
    run_id = store.create(spec)
    assert store.open(run_id).layer_names(0) == ()
    with store.writer(run_id) as writer:
        writer.describe(stacks=[{"members": [0, 1], "layers": ["hidden 1"]}, {"members": [2], "layers": ["a", "out"]}])
        assert store.open(run_id).layer_names(2) == ("a", "out")
        assert store.open(run_id).layer_names(1) == ("hidden 1",)
        assert store.open(run_id).layer_names(3) == ()
        writer.describe(layers=["for", "all"])
    assert store.open(run_id).layer_names(3) == ("for", "all")


def test_layers_of_members_with_different_depth(store, spec):
    run_id = store.create(spec)
    expected: dict[tuple[int, int], list[float]] = {}
    keys = [(s, m, y) for m, depth in ((2, 3), (0, 1)) for s in range(5 + m) for y in range(depth)]
    with store.writer(run_id) as writer:
        names = writer.schema("layers").names
        table = [dict(zip(names, (s, m, y, s + 10.0 * m + 100 * y, 0, 0), strict=True)) for s, m, y in keys]
        writer.append("layers", pa.RecordBatch.from_pylist(table, schema=writer.schema("layers")))
    for s, m, y in keys:
        expected.setdefault((m, y), []).append(s + 10.0 * m + 100 * y)
    run = store.open(run_id)
    found = {(m, y): c[1].tolist() for m in range(4) for y, c in run.layer_curves(m, "grad_norm").items()}
    assert found == expected


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9)), max_size=60)
    | st.builds(
        lambda row, n: [(k, i) for i in range(n) for k in row],
        st.lists(st.integers(0, 4), max_size=5),
        st.integers(0, 6),
    )
)
def test_grouping_splits_rows_by_key_in_their_order(pairs):
    keys = np.array([k for k, _ in pairs], np.int16)
    values = np.array([v for _, v in pairs], np.float32)
    expected: dict[int, list[tuple[int, float]]] = {}
    for step, (key, value) in enumerate(pairs):
        expected.setdefault(key, []).append((step, value))
    found = _group(keys, np.arange(len(pairs), dtype=np.int32), values)
    assert {k: list(zip(*curve, strict=True)) for k, curve in found.items()} == expected


def test_a_run_outside_a_store_and_read_only(run, tmp_path):
    folder = tmp_path / "anywhere" / "a sample"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("run.lock"))
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    copy = read_run(folder)
    assert (copy.id, copy.status) == (run.id, "finished")
    pd.testing.assert_frame_equal(copy.steps, run.steps)
    folder.chmod(0o755)


def test_deleting_a_run_leaves_open_recordings_with_what_they_hold(store, run):
    steps = run.steps
    curve = run.series(0, "loss")
    store.delete([run.id])
    assert len(steps) == 40
    assert curve[1].sum() == 45_000
    with pytest.raises(StoreError, match="no run in"):
        _ = run.status
    with pytest.raises(StoreError, match=f"run {run.id} is gone"):
        _ = run.layers


def test_a_damaged_table_is_named(run):
    path = run.folder / "steps.feather"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StoreError, match=r"steps\.feather is damaged"):
        _ = run.steps


def test_a_table_that_is_a_link_is_not_followed(run):
    path = run.folder / "steps.feather"
    path.rename(run.folder / "elsewhere")
    path.symlink_to(run.folder / "elsewhere")
    with pytest.raises(StoreError, match="symbolic link"):
        _ = run.steps


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1]", "expected a mapping, got list"),
        (b"{}", "expected str under 'id', got nothing"),
        ({"double": "no"}, "expected bool under 'double', got str"),
        ({"tags": "a"}, "expected list under 'tags', got str"),
        ({"status": "sleeping"}, "unknown status 'sleeping'; expected one of queued, running"),
    ],
)
def test_a_damaged_run_json_is_one_clear_error(run, content, message):
    path = run.folder / "run.json"
    path.write_bytes(
        content if isinstance(content, bytes) else json.dumps(json.loads(path.read_bytes()) | content).encode()
    )
    with pytest.raises(StoreError, match=f"run {run.id} is damaged: run.json: .*{message}"):
        read_run(run.folder)


def test_a_spec_of_another_version_is_refused_only_when_asked_for(store, run):
    path = run.folder / "run.json"
    plain = json.loads(path.read_bytes())
    plain["spec"]["novelty"] = 1
    path.write_text(json.dumps(plain))
    later = read_run(run.folder)
    assert len(later.members) == 4
    assert len(later.steps) == 40
    assert later.evals.empty
    with store.writer(run.id, resume=True) as writer:
        writer.finish("finished")
    with pytest.raises(StoreError, match="cannot be read by this version: novelty: no such field"):
        _ = later.spec


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read(run):
    (run.folder / "run.json").chmod(0)
    with pytest.raises(StoreError, match="Permission denied"):
        read_run(run.folder)


def test_no_run_there(tmp_path: Path):
    with pytest.raises(StoreError, match=r"no run in .*nowhere: expected a folder that holds run\.json"):
        read_run(tmp_path / "nowhere")


def test_the_store_needs_no_torch(child):
    code = "import sys, lossdiag.store, lossdiag.figures.decimate; assert 'torch' not in sys.modules"
    assert child(code).communicate()[1] == ""
