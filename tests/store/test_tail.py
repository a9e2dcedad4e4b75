from __future__ import annotations

import json

import pandas as pd
import pytest

from lossdiag.store import Tail


@pytest.fixture
def writer(store, spec):
    with store.writer(store.create(spec)) as writer:
        yield writer


def new_steps(tail: Tail) -> list[int]:
    new = tail.poll().get("steps")
    return [] if new is None else new["step"].tolist()


def test_each_row_comes_once_and_silence_is_empty(writer, rows):
    tail = Tail(writer.folder)
    assert tail.poll() == {}
    writer.append("steps", rows(0, 2, members=1))
    writer.event("stop", step=1, member=0)
    first = tail.poll()
    pd.testing.assert_frame_equal(first["steps"], rows(0, 2, members=1).to_pandas())
    assert list(first) == ["steps", "events"]
    assert tail.poll() == {}
    writer.append("steps", rows(2, 3, members=1))
    assert new_steps(tail) == [2]


def test_a_half_written_batch_waits(writer, rows):
    tail = Tail(writer.folder)
    writer.append("steps", rows(0, 1, members=1))
    path = writer.folder / "live" / "steps.arrows"
    assert new_steps(tail) == [0]
    whole = path.stat().st_size
    writer.append("steps", rows(1, 2, members=1))
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        assert new_steps(tail) == []
    path.write_bytes(content)
    assert new_steps(tail) == [1]


@pytest.mark.parametrize("polls", [False, True])
def test_compaction_and_resumption_lose_and_double_nothing(store, writer, rows, polls):
    tail, run_id = Tail(writer.folder), writer.folder.name
    writer.append("steps", rows(0, 2, members=1))
    assert new_steps(tail) == [0, 1]
    writer.append("steps", rows(2, 4, members=1))
    writer.finish("finished")
    if polls:
        assert new_steps(tail) == [2, 3]
        assert tail.poll() == {}
    with store.writer(run_id, resume=True) as again:
        again.append("steps", rows(4, 5, members=1))
        assert new_steps(tail) == ([4] if polls else [2, 3, 4])
        again.append("steps", rows(5, 6, members=1))
        again.finish("finished")
    assert new_steps(tail) == [5]
    assert tail.poll() == {}


def test_after_a_rewind_it_waits_until_the_run_has_caught_up(writer, rows):
    tail = Tail(writer.folder)
    writer.append("steps", rows(0, 4, members=1))
    assert new_steps(tail) == [0, 1, 2, 3]
    writer.rewind(1)
    assert new_steps(tail) == []
    writer.append("steps", rows(1, 3, members=1))
    assert new_steps(tail) == []
    writer.append("steps", rows(3, 6, members=1))
    assert new_steps(tail) == [4, 5]


def test_a_cursor_survives_json_and_goes_on_in_another_tail(writer, rows):
    tail = Tail(writer.folder)
    writer.append("steps", rows(0, 3, members=1))
    tail.poll()
    cursor = json.loads(json.dumps(tail.cursor))
    writer.append("steps", rows(3, 4, members=1))
    assert new_steps(Tail(writer.folder, cursor)) == [3]
    writer.finish("finished")
    assert new_steps(Tail(writer.folder, cursor)) == [3]
    assert new_steps(Tail(writer.folder)) == [0, 1, 2, 3]


def test_a_run_that_has_not_begun_or_is_gone_gives_nothing(store, spec, tmp_path):
    run_id = store.create(spec)
    tail = Tail(store.path(run_id))
    assert tail.poll() == {}
    store.delete([run_id])
    assert tail.poll() == {}
    assert Tail(tmp_path / "nowhere").poll() == {}
