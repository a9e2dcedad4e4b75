from pathlib import Path

import numpy as np
import pyarrow as pa

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, schema
from ui.follow import Followed, Growing


def steps_batch(first: int, count: int, members: int) -> pa.RecordBatch:
    step = np.repeat(np.arange(first, first + count, dtype=np.int32), members)
    member = np.tile(np.arange(members, dtype=np.int16), count)
    columns = {"step": step, "member": member}
    for name in schema("steps").names[2:]:
        columns[name] = (step * 10 + member).astype(np.float32)
    return pa.RecordBatch.from_pydict(columns, schema=schema("steps"))


def test_growing_keeps_every_value_and_what_was_given_out() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.random(n) for n in (0, 1, 300, 5, 1000)]
    growing = Growing(np.float64)
    early = growing.view
    for part in parts:
        before = growing.view.copy()
        held = growing.view
        growing.extend(part)
        np.testing.assert_array_equal(held, before)
    np.testing.assert_array_equal(growing.view, np.concatenate(parts))
    assert len(early) == 0


def test_a_followed_run_is_what_the_recording_says(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(ExperimentSpec())
    followed = Followed(store.path(run))
    followed.poll()
    assert followed.curves("loss") == {}
    assert followed.evals.empty
    assert list(followed.events.columns) == schema("events").names
    with store.writer(run) as writer:
        for first, count in ((0, 7), (7, 1), (8, 400)):
            writer.append("steps", steps_batch(first, count, 15))
            followed.poll()
        writer.append(
            "evals",
            pa.RecordBatch.from_pydict(
                {"step": [0], "member": [3], "split": ["train"], "metric": ["accuracy"], "value": [0.5]},
                schema=schema("evals"),
            ),
        )
        followed.poll()
        writer.finish("finished")
    followed.poll()
    recording = store.open(run)
    for column in ("loss", "grad_norm"):
        expected = recording.curves(column)
        got = followed.curves(column)
        assert got.keys() == expected.keys()
        for member, (step, values) in expected.items():
            np.testing.assert_array_equal(got[member][0], step)
            np.testing.assert_array_equal(got[member][1], values)
    assert followed.evals["value"].tolist() == [0.5]
