from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import count

import pandas as pd
import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore


@pytest.fixture
def store(tmp_path):
    tick = count()
    return RunStore(tmp_path / "runs", clock=lambda: datetime(2025, 1, 31, tzinfo=UTC) + timedelta(seconds=next(tick)))


@pytest.fixture
def ids(store):
    wine = ExperimentSpec(name="100% wine_tasting", data={"source": "sample:wine"}, losses=("cross_entropy",), seeds=3)
    sine = ExperimentSpec(name="a sine", data={"source": "synthetic:sine"}, losses=("mse", "huber"))
    made = [store.create(wine), store.create(sine), store.create(sine, name="another", status="finished")]
    store.tag(made[0], ["keep", "blue"])
    store.tag(made[1], ["keep"])
    return made


def listed(store, *args, **filters):
    return store.list(*args, **filters)["id"].tolist()


def test_newest_first_with_what_run_json_says(store, ids):
    table = store.list()
    assert table["id"].tolist() == ids[::-1]
    assert table.attrs["total"] == 3
    row = table.iloc[2].to_dict()
    assert (row["name"], row["data"], row["members"], row["steps"]) == ("100% wine_tasting", "sample:wine", 3, 300)
    assert (row["tags"], row["facts"], row["losses"]) == (("keep", "blue"), {}, "cross_entropy")
    assert row["created"] == pd.Timestamp("2025-01-31", tz="UTC")
    assert row["started"] is pd.NaT


def test_filters(store, ids):
    wine, sine, another = ids
    assert listed(store, "SINE") == [another, sine]
    assert listed(store, "100%") == [wine]
    assert listed(store, "wine_t") == [wine]
    assert listed(store, "wine%t") == []
    assert listed(store, "huber") == [another, sine]
    assert listed(store, "'; DROP TABLE runs; --") == []
    assert listed(store, tags=["keep"]) == [sine, wine]
    assert listed(store, tags=["blue", "keep"]) == [wine]
    assert listed(store, tags=["blu"]) == []
    assert listed(store, status=["finished", "failed"]) == [another]
    assert listed(store, "sine", tags=["keep"], status=["queued"]) == [sine]


def test_pages(store, ids):
    page = store.list(limit=1, offset=1)
    assert (page["id"].tolist(), page.attrs["total"]) == ([ids[1]], 3)
    assert listed(store, limit=0) == []
    assert listed(store, offset=9) == []


def test_it_follows_every_change(store, ids):
    assert len(store.list()) == 3
    store.rename(ids[0], "renamed")
    with store.writer(ids[1]) as writer:
        writer.describe(accuracy=0.5)
        assert listed(store, status=["running"]) == [ids[1]]
    assert listed(store, status=["running"]) == []
    assert listed(store, status=["interrupted"]) == [ids[1]]
    store.delete([ids[2]])
    table = store.list().set_index("id")
    assert table["name"].to_dict() == {ids[0]: "renamed", ids[1]: "a sine"}
    assert table["facts"][ids[1]] == {"accuracy": 0.5}


def test_an_absent_damaged_or_foreign_index_is_rebuilt(store, ids):
    path = store.root / "index.db"
    expected = store.list()
    for content in (b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(f"index.db{suffix}").unlink(missing_ok=True)
        path.write_bytes(content)
        pd.testing.assert_frame_equal(store.list(), expected)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("ALTER TABLE runs DROP COLUMN note")
    database.close()
    pd.testing.assert_frame_equal(store.list(), expected)
    path.unlink()
    pd.testing.assert_frame_equal(store.list(), expected)


def test_pages_of_a_damaged_index_do_not_matter(store, ids):
    expected = store.list()
    path = store.root / "index.db"
    content = bytearray(path.read_bytes())
    for start in range(200, len(content), 512):
        spoiled = content.copy()
        spoiled[start : start + 512] = b"\x5a" * len(spoiled[start : start + 512])
        path.write_bytes(spoiled)
        assert store.list()["id"].tolist() == expected["id"].tolist(), start


def test_without_a_usable_index_the_list_is_still_right(store, ids):
    expected = store.list()
    path = store.root / "index.db"
    path.unlink()
    path.mkdir()  # cannot be opened as a file: as in a read-only folder
    pd.testing.assert_frame_equal(store.list(), expected)


def test_an_index_locked_by_another_connection_is_done_without(store, ids, monkeypatch):
    expected = store.list()
    store.rename(ids[0], "changed meanwhile")
    monkeypatch.setattr("lossdiag.store.index._BUSY_SECONDS", 0.05)
    blocker = sqlite3.connect(store.root / "index.db")
    blocker.execute("BEGIN IMMEDIATE")
    try:
        assert store.list()["name"].tolist() == [*expected["name"][:2], "changed meanwhile"]
    finally:
        blocker.close()


def test_an_empty_or_missing_folder_is_an_empty_list(tmp_path):
    missing = RunStore(tmp_path / "nowhere").list()
    assert (len(missing), missing.attrs["total"]) == (0, 0)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "empty").mkdir()
    assert RunStore(tmp_path / "empty").list().empty


def test_foreign_content_of_run_json_spoils_no_list(store, ids):
    path = store.path(ids[0]) / "run.json"
    plain = json.loads(path.read_text())
    plain["spec"], plain["members"], plain["tags"], plain["created"] = {"data": 3}, [], [], "yesterday"
    path.write_text(json.dumps(plain))
    row = store.list().set_index("id").loc[ids[0]]
    assert (row["data"], row["steps"], row["members"]) == ("", 0, 0)
    assert row["created"] is pd.NaT
