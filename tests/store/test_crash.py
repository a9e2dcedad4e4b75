"""Real processes, killed and racing: what the store promises when things go wrong."""

from __future__ import annotations

import random
import time

import numpy as np
import pandas as pd
import pytest

from lossdiag.errors import StoreError
from lossdiag.store import RunStore, Tail

RECORD = """
    import sys
    import numpy as np, pyarrow as pa
    from lossdiag.store import RunStore
    root, run_id, first, last, width, resume, finish = sys.argv[1:]
    store = RunStore(root)
    with store.writer(run_id, resume=resume == "True") as writer:
        for at in range(int(first), int(last), int(width)):
            step = np.arange(at, at + int(width), dtype=np.int32)
            values = [step.astype(np.float32)] * 7
            member = np.zeros(len(step), np.int16)
            writer.append("steps", pa.record_batch([step, member, *values], schema=writer.schema("steps")))
            if at % 1000 == 0:
                writer.event("clip", step=at, member=0)
            print(at + int(width), flush=True)
        if finish == "True":
            writer.finish("finished")
"""


def test_kill_9_at_any_moment_loses_at_most_the_write_that_it_hits(store, spec, child, rows):
    draw = random.Random(0)
    for _ in range(4):
        run_id, width = store.create(spec), draw.choice((1, 50, 5000))
        process = child(RECORD, store.root, run_id, 0, 10**7, width, False, False)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.15))
        assert store.open(run_id).status == "running"
        process.kill()
        acknowledged = process.communicate()[0].split()
        recording = store.open(run_id)
        assert recording.status == "interrupted"
        steps = recording.series(0, "loss")[0]
        np.testing.assert_array_equal(steps, np.arange(len(steps)))
        assert len(steps) % width == 0
        # communicate() gives what followed the first line: at most one write was under way behind the last of them.
        last = int(acknowledged[-1]) if acknowledged else width
        assert len(steps) in (last, last + width)
        with store.writer(run_id, resume=True) as writer:
            writer.append("steps", rows(10**8, 10**8 + 1, members=1))
            writer.finish("stopped")
        assert len(store.open(run_id).steps) == len(steps) + 1


def test_a_killed_run_is_listed_as_interrupted_and_recovered(store, spec, child):
    run_id = store.create(spec)
    process = child(RECORD, store.root, run_id, 0, 10**7, 50, False, False)
    assert process.stdout is not None
    process.stdout.readline()
    assert list(store.list(status=["running"])["id"]) == [run_id]
    assert store.recover() == []
    with pytest.raises(StoreError, match="being recorded by another process"):
        store.writer(run_id, resume=True)
    with pytest.raises(StoreError, match=f"{run_id} is being recorded and was not deleted"):
        store.delete([run_id])
    process.kill()
    process.communicate()
    assert list(store.list(status=["interrupted"])["id"]) == [run_id]
    assert store.list(status=["running"]).empty
    assert store.recover() == [run_id]
    assert store.open(run_id).detail == "its process is gone"
    assert len(store.open(run_id).steps) > 0


def test_a_reader_follows_another_process_through_end_and_resumption(store, spec, child):
    run_id = store.create(spec)
    tail, seen, events = Tail(store.path(run_id)), [], []

    def follow() -> None:
        new = tail.poll()
        seen.extend(new.get("steps", pd.DataFrame({"step": []}))["step"])
        events.extend(new.get("events", pd.DataFrame({"step": []}))["step"])

    for first, last, width, resume in ((0, 20_000, 7, False), (30_000, 32_000, 10, True)):
        process = child(RECORD, store.root, run_id, first, last, width, resume, True)
        while process.poll() is None:
            follow()
        assert process.communicate()[1] == ""
        follow()
    first_part = np.arange(0, -(-20_000 // 7) * 7)
    assert seen == [*first_part, *range(30_000, 32_000)]
    assert events == [s for s in seen if s % 1000 == 0 and (s % 7 == 0 or s >= 30_000)]


def test_two_processes_may_list_create_and_edit_at_once(store, spec, child):
    run_id = store.create(spec)
    code = """
        import sys
        from lossdiag.spec import ExperimentSpec
        from lossdiag.store import RunStore
        from lossdiag.store.manifest import edit_manifest
        store = RunStore(sys.argv[1])
        for _ in range(40):
            store.create(ExperimentSpec())
            assert len(store.list()) > 0
            with edit_manifest(store.path(sys.argv[2])) as manifest:
                manifest["facts"]["count"] = manifest["facts"].get("count", 0) + 1
    """
    processes = [child(code, store.root, run_id) for _ in range(3)]
    assert [p.communicate(timeout=60)[1] for p in processes] == ["", "", ""]
    assert store.open(run_id).facts["count"] == 120
    assert len(store.list()) == 121
    assert len(RunStore(store.root).list(limit=5)) == 5


FINISH = """
    import sys
    import numpy as np, pyarrow as pa
    from lossdiag.store import RunStore
    writer = RunStore(sys.argv[1]).writer(sys.argv[2])
    for at in range(0, 400_000, 1000):
        step = np.arange(at, at + 1000, dtype=np.int32)
        columns = [step, np.zeros(1000, np.int16), *[step.astype(np.float32)] * 7]
        writer.append("steps", pa.record_batch(columns, schema=writer.schema("steps")))
    print("recorded", flush=True)
    writer.finish("finished", "to the end")
"""


def test_a_kill_while_it_ends_loses_no_row(store, spec, child):
    draw = random.Random(1)
    for _ in range(5):
        run_id = store.create(spec)
        process = child(FINISH, store.root, run_id)
        assert process.stdout is not None
        assert process.stdout.readline() == "recorded\n"
        time.sleep(draw.uniform(0, 0.06))
        process.kill()
        process.communicate()
        before = store.open(run_id)
        assert before.status in ("interrupted", "finished")
        np.testing.assert_array_equal(before.series(0, "loss")[0], np.arange(400_000))
        store.recover()
        after = store.open(run_id)
        assert after.status == before.status
        np.testing.assert_array_equal(after.steps["step"], np.arange(400_000))
        assert (store.path(run_id) / "live").exists() == (after.status == "interrupted")
        assert not list(store.path(run_id).glob(".*.tmp"))


def test_another_server_that_starts_leaves_runs_alone_that_are_being_made_or_deleted(store, spec, child):
    code = """
        import sys
        from lossdiag.spec import ExperimentSpec
        from lossdiag.store import RunStore
        store = RunStore(sys.argv[1])
        for _ in range(150):
            store.delete([store.create(ExperimentSpec())])
    """
    kept = store.create(spec)
    process = child(code, store.root)
    while process.poll() is None:
        store.recover(queued=False)
    assert process.communicate()[1] == ""
    assert list(store.list()["id"]) == [kept]
    assert not [p for p in store.root.iterdir() if p.name.startswith((".new-", ".trash-"))]


def test_drafts_and_trash_that_a_crash_left_are_swept_even_behind_a_link(store, spec, tmp_path):
    kept = store.create(spec)
    for left in (".new-r20250131-aaaaaaaa", ".trash-r20250131-aaaaaaaa"):
        (store.root / left).mkdir()
    link = tmp_path / "link"
    link.symlink_to(store.root)
    linked = RunStore(link)
    linked.recover(queued=False)
    made = linked.create(spec)
    assert sorted(p.name for p in store.root.iterdir() if p.is_dir()) == sorted([kept, made])
