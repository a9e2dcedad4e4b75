from __future__ import annotations

import re

import pandas as pd
import pytest

from lossdiag.errors import StoreError
from lossdiag.spec import ExperimentSpec
from lossdiag.store import Deleted, RunStore
from lossdiag.store.ids import is_id

BAD_IDS = [
    "",
    ".",
    "..",
    "../r20250131-aaaaaaaa",
    "r20250131-aaaaaaaa/..",
    "/etc/passwd",
    "r20250131-AAAAAAAA",
    "r20250131-aaaaaaaa\n",
    "r20250131-aaaaaaaa\0",
    "r２０２５０１３１-aaaaaaaa",
    "uploads",
    "index.db",
    ".trash-r20250131-aaaaaaaa",
]


def test_ids_are_dated_and_differ(store, spec):
    ids = {store.create(spec) for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"r20250131-[a-z2-7]{8}", run_id) and is_id(run_id) for run_id in ids)


@pytest.mark.parametrize("bad", BAD_IDS)
def test_anything_but_an_id_is_refused_everywhere(store, spec, bad):
    store.create(spec)
    calls = [
        store.path,
        store.open,
        store.writer,
        store.size,
        lambda i: store.delete([i]),
        lambda i: store.rename(i, "x"),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="not a run id"):
            call(bad)
    if bad:
        with pytest.raises(StoreError, match="not a run id"):
            store.create(spec, run_id=bad)


def test_an_own_id_may_be_given_once(store, spec):
    assert store.create(spec, run_id="r20250131-mymymymy") == "r20250131-mymymymy"
    with pytest.raises(StoreError, match="there is a run r20250131-mymymymy already"):
        store.create(spec, run_id="r20250131-mymymymy")
    assert [p.name for p in store.root.iterdir()] == ["r20250131-mymymymy"]


def test_a_missing_run_and_a_link_in_its_place(store, spec, tmp_path):
    with pytest.raises(StoreError, match=r"no run r20250131-aaaaaaaa in .*deleted"):
        store.open("r20250131-aaaaaaaa")
    real = store.path(store.create(spec))
    real.rename(tmp_path / "elsewhere")
    (store.root / "r20250131-aaaaaaaa").symlink_to(tmp_path / "elsewhere")
    for call in (store.open, store.writer, lambda i: store.delete([i])):
        with pytest.raises(StoreError, match="symbolic link"):
            call("r20250131-aaaaaaaa")
    assert (tmp_path / "elsewhere" / "run.json").exists()
    assert store.list().empty
    assert store.recover() == []


def test_names_tags_and_notes(store, spec):
    run_id = store.create(spec)
    assert store.open(run_id).name == "two by two"
    store.rename(run_id, "Größe <b>")
    store.tag(run_id, [" keep ", "paper", "keep", ""])
    store.annotate(run_id, "look at step 40")
    run = store.open(run_id)
    assert (run.name, run.tags, run.note) == ("Größe <b>", ("keep", "paper"), "look at step 40")
    assert store.open(store.create(spec, name="mine")).name == "mine"


def test_edits_while_it_is_recorded_are_kept(store, spec):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        store.rename(run_id, "renamed")
        writer.describe(device="cpu")
        store.tag(run_id, ["t"])
        writer.finish("finished")
    run = store.open(run_id)
    assert (run.name, run.tags, run.facts["device"], run.status) == ("renamed", ("t",), "cpu", "finished")


def test_delete_frees_what_it_says(store, spec, rows):
    ids = []
    for _ in range(2):
        ids.append(store.create(spec))
        with store.writer(ids[-1]) as writer:
            writer.append("steps", rows(0, 2000))
            writer.finish("finished")
    kept = store.create(spec)
    size = sum(p.stat().st_size for i in ids for p in store.path(i).rglob("*") if p.is_file())
    assert size > 2 * 2000 * 4
    assert store.delete([*ids, ids[0]]) == Deleted(runs=2, bytes=size)
    assert sorted(p.name for p in store.root.iterdir()) == [kept]
    assert list(store.list()["id"]) == [kept]


def test_nothing_is_deleted_when_one_of_them_runs_or_is_missing(store, spec):
    first, second = store.create(spec), store.create(spec)
    with store.writer(second):
        with pytest.raises(StoreError, match=f"{second} is being recorded and was not deleted: cancel it first"):
            store.delete([first, second])
    with pytest.raises(StoreError, match="no run"):
        store.delete([first, "r20250131-aaaaaaaa"])
    assert len(store.list()) == 2
    assert store.delete([first, second]).runs == 2


def test_recover_marks_orphans_and_tidies(store, spec):
    queued, running, vanished, ended = (store.create(spec) for _ in range(4))
    store.writer(vanished).close()
    with store.writer(ended) as writer:
        writer.finish("finished")
    (store.root / ".trash-r20250131-aaaaaaaa").mkdir()
    (store.root / ".new-r20250131-aaaaaaaa").mkdir()
    (store.path(vanished) / ".run.json.123.tmp").write_text("{")
    with store.writer(running):
        assert store.recover(queued=False) == [vanished]
        assert store.recover() == [queued]
        assert store.open(running).status == "running"
    assert store.open(queued).status == "interrupted"
    assert store.open(ended).status == "finished"
    assert [p for p in store.root.rglob(".*") if p.name.startswith(".")] == []
    assert RunStore(store.root / "nowhere").recover() == []


def test_a_queued_run_can_be_ended(store, spec):
    run_id = store.create(spec)
    with pytest.raises(StoreError, match="cannot end as 'queued'"):
        store.end_queued(run_id, "queued")
    store.end_queued(run_id, "cancelled", "before it began")
    assert (store.open(run_id).status, store.open(run_id).detail) == ("cancelled", "before it began")
    with pytest.raises(StoreError, match=r"has ended already \(cancelled\)"):
        store.end_queued(run_id, "failed")
    with store.writer(run_id, resume=True), pytest.raises(StoreError, match="is being recorded"):
        store.end_queued(run_id, "cancelled")


def test_a_damaged_run_is_listed_as_such_and_can_be_deleted(store, spec):
    good, bad, empty = (store.create(spec) for _ in range(3))
    (store.path(bad) / "run.json").write_text("{")
    (store.path(empty) / "run.json").unlink()
    listed = store.list().set_index("id")
    assert listed["status"].to_dict() == {good: "queued", bad: "damaged", empty: "damaged"}
    assert "not JSON" in listed["detail"][bad]
    assert pd.isna(listed["created"][bad])
    assert store.list(status=["damaged"])["id"].tolist() == sorted([bad, empty], reverse=True)
    for call in (lambda: store.open(bad), lambda: store.writer(bad), lambda: store.rename(bad, "x")):
        with pytest.raises(StoreError, match="is damaged"):
            call()
    assert store.recover() == [good]
    assert store.delete([bad, empty]).runs == 2


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create a run in"):
        RunStore(tmp_path / "file").create(ExperimentSpec())
