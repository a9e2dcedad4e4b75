"""index.db: what run.json says of every run, kept where it can be searched at once.

It is a cache and nothing else. Every query first compares each run's run.json with what is known of it; whatever is
missing, changed, of another version or damaged is read again, and an index that cannot be used at all is replaced by
one in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossdiag.errors import StoreError
from lossdiag.store.disk import is_locked
from lossdiag.store.ids import is_id
from lossdiag.store.manifest import FILE, LOCK, read_manifest

COLUMNS = (
    "id", "name", "status", "detail", "created", "started", "ended", "tags", "note",
    "data", "losses", "members", "steps", "facts",
)  # fmt: skip
_VERSION = 1
_BUSY_SECONDS = 5.0
_CREATE = f"CREATE TABLE IF NOT EXISTS runs ({', '.join(COLUMNS)}, mark, PRIMARY KEY (id)) WITHOUT ROWID"
_INSERT = f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"
_SEARCHED = " || char(10) || ".join(("id", "name", "detail", "tags", "note", "data", "losses"))


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs to list: all that match every given condition, newest first.

    Attributes:
        search: text that id, name, detail, tags, note, data source or losses contain; case does not matter.
        tags: tags that a run must all have.
        status: statuses of which a run must have one.
        limit: most rows; None for all.
        offset: rows to skip.
    """

    search: str = ""
    tags: Sequence[str] = ()
    status: Sequence[str] = ()
    limit: int | None = None
    offset: int = 0


def query_index(root: Path, query: Query) -> tuple[list[tuple[Any, ...]], int]:
    """Return the rows (in `COLUMNS`) that match and how many there are without limit and offset."""
    with contextlib.suppress(sqlite3.OperationalError):  # read-only folder, full disk, locked for long: do without
        try:
            return _on_disk(root, query)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # not a database, or a damaged one
            for suffix in ("", "-wal", "-shm"):
                (root / f"index.db{suffix}").unlink(missing_ok=True)
            with contextlib.suppress(sqlite3.DatabaseError):
                return _on_disk(root, query)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        return _answer(database, root, query)


def _on_disk(root: Path, query: Query) -> tuple[list[tuple[Any, ...]], int]:
    if not root.is_dir():
        return [], 0
    with contextlib.closing(sqlite3.connect(root / "index.db", timeout=_BUSY_SECONDS)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")  # a cache: what a power cut spoils is rebuilt
        return _answer(database, root, query)


def _answer(database: sqlite3.Connection, root: Path, query: Query) -> tuple[list[tuple[Any, ...]], int]:
    _refresh(database, root)
    running = [row[0] for row in database.execute("SELECT id FROM runs WHERE status = 'running'")]
    vanished = [run_id for run_id in running if not is_locked(root / run_id / LOCK)]
    status = "CASE WHEN id IN (SELECT value FROM json_each(:vanished)) THEN 'interrupted' ELSE status END"
    source = f"(SELECT {', '.join(f'{status} AS status' if c == 'status' else c for c in COLUMNS)} FROM runs)"
    where = f"""
        ({_SEARCHED}) LIKE :search ESCAPE '\\'
        AND NOT EXISTS (SELECT value FROM json_each(:tags) EXCEPT SELECT value FROM json_each(tags))
        AND (:status = '[]' OR status IN (SELECT value FROM json_each(:status)))"""
    literal = query.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {
        "vanished": json.dumps(vanished),
        "search": f"%{literal}%",
        "tags": json.dumps(list(query.tags)),
        "status": json.dumps(list(query.status)),
        "limit": -1 if query.limit is None else query.limit,
        "offset": query.offset,
    }
    total: int = database.execute(f"SELECT count(*) FROM {source} WHERE {where}", values).fetchone()[0]
    order = "ORDER BY created DESC, id DESC LIMIT :limit OFFSET :offset"
    return database.execute(f"SELECT * FROM {source} WHERE {where} {order}", values).fetchall(), total


def _refresh(database: sqlite3.Connection, root: Path) -> None:
    """Read every run.json whose mark is not the known one, and forget the runs that are gone."""
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        with database:
            database.execute("DROP TABLE IF EXISTS runs")
            database.execute(_CREATE)
            database.execute(f"PRAGMA user_version = {_VERSION}")
    known = dict(database.execute("SELECT id, mark FROM runs"))
    there = dict(_marks(root))
    changed = [run_id for run_id, mark in there.items() if known.get(run_id) != mark]
    gone = [(run_id,) for run_id in known.keys() - there.keys()]
    if changed or gone:
        with database:
            database.executemany("DELETE FROM runs WHERE id = ?", gone)
            database.executemany(_INSERT, ((*_row(root / run_id), there[run_id]) for run_id in changed))


def _marks(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each run's id and what tells one version of its run.json from the next."""
    with os.scandir(root) as entries:
        for entry in entries:
            if is_id(entry.name) and entry.is_dir(follow_symlinks=False):
                try:
                    stat = os.stat(f"{entry.path}/{FILE}", follow_symlinks=False)
                except OSError:
                    yield entry.name, "missing"
                else:
                    yield entry.name, f"{stat.st_mtime_ns}-{stat.st_ino}-{stat.st_size}"


def _row(folder: Path) -> tuple[Any, ...]:
    try:
        run = read_manifest(folder)
    except StoreError as error:
        return (folder.name, folder.name, "damaged", str(error), "", "", "", "[]", "", "", "", 0, 0, "{}")
    spec = run["spec"]
    losses = dict.fromkeys(str(member.get("loss", "")) for member in run["members"])
    return (
        folder.name,
        run["name"],
        run["status"],
        run["detail"],
        run["created"],
        run["started"],
        run["ended"],
        json.dumps(run["tags"], ensure_ascii=False),
        run["note"],
        str(_within(spec, "data", "source")),
        ", ".join(losses),
        len(run["members"]),
        _within(spec, "train", "steps") or 0,
        json.dumps(run["facts"]),
    )


def _within(plain: Any, *keys: str) -> Any:
    for key in keys:
        plain = plain.get(key, "") if isinstance(plain, dict) else ""
    return plain
