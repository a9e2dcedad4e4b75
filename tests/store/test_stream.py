from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from lossdiag.errors import StoreError
from lossdiag.store.schema import schema
from lossdiag.store.stream import StreamReader, StreamWriter

STEPS = schema("steps")


@contextmanager
def reading(path: Path) -> Iterator[StreamReader]:
    fd = os.open(path, os.O_RDONLY)
    try:
        yield StreamReader(fd)
    finally:
        os.close(fd)


def read(path: Path, *, start: int = 0, window: int = 2**24) -> pa.Table:
    with reading(path) as reader:
        batches = [b for part in reader.parts(start, window=window) for b in part.batches]
    return pa.Table.from_batches(batches, STEPS)


def write(path: Path, *batches: pa.RecordBatch) -> list[int]:
    """Append batches and return the size of the file after each."""
    sizes = []
    with closing(StreamWriter(path, STEPS)) as writer:
        for batch in batches:
            writer.append(batch)
            sizes.append(path.stat().st_size)
    return sizes


def test_what_was_appended_is_read_at_once(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    with closing(StreamWriter(path, STEPS)) as writer:
        assert path.stat().st_size == 0
        writer.append(rows(0, 3))
        assert read(path).equals(pa.Table.from_batches([rows(0, 3)]))
        writer.append(rows(3, 4))
        assert read(path).equals(pa.Table.from_batches([rows(0, 3), rows(3, 4)]))


def test_a_plain_arrow_reader_understands_the_file(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    write(path, rows(0, 3), rows(3, 9))
    with pa.ipc.open_stream(path.read_bytes()) as reader:
        assert reader.read_all().equals(pa.Table.from_batches([rows(0, 3), rows(3, 9)]))


@pytest.mark.parametrize("window", [1, 700, 5000])
def test_windows_smaller_than_a_message_read_the_same(tmp_path, rows, window):
    path = tmp_path / "steps.arrows"
    batches = [rows(0, 3), rows(3, 40), rows(40, 41)]
    write(path, *batches)
    assert read(path, window=window).equals(pa.Table.from_batches(batches))


def test_every_torn_tail_is_ignored_by_readers_and_cut_by_the_next_writer(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    _, whole, end = write(path, rows(0, 2), rows(2, 4), rows(4, 6))
    content = path.read_bytes()
    before, later = pa.Table.from_batches([rows(0, 2), rows(2, 4)]), rows(6, 7)
    for cut in range(whole, end):
        path.write_bytes(content[:cut])
        assert read(path).equals(before), cut
        with closing(StreamWriter(path, STEPS)) as writer:
            assert path.stat().st_size == whole, cut
            writer.append(later)
        assert read(path).equals(pa.Table.from_batches([*before.to_batches(), later])), cut


def test_a_torn_head_is_no_rows_and_is_written_anew(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    write(path, rows(0, 1))
    with reading(path) as reader:
        head = reader.first
    content = path.read_bytes()
    for cut in range(head):
        path.write_bytes(content[:cut])
        assert read(path).num_rows == 0
        write(path, rows(5, 6))
        assert read(path).equals(pa.Table.from_batches([rows(5, 6)]))


@pytest.mark.parametrize("garbage", [b"\0" * 4096, b"\xff" * 4096, b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 64])
def test_garbage_behind_the_last_batch_hides_nothing(tmp_path, rows, garbage):
    path = tmp_path / "steps.arrows"
    write(path, rows(0, 2))
    with path.open("ab") as file:
        file.write(garbage)
    assert read(path).num_rows == rows(0, 2).num_rows
    write(path, rows(2, 3))
    assert read(path).num_rows == rows(0, 3).num_rows


def test_reading_goes_on_from_the_end_of_a_part(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    first, _ = write(path, rows(0, 2), rows(2, 4))
    assert read(path, start=first).equals(pa.Table.from_batches([rows(2, 4)]))


def test_a_batch_without_rows_writes_nothing(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    write(path, rows(3, 3))
    assert path.stat().st_size == 0


def test_another_schema_is_refused_and_spelled_out(tmp_path, rows):
    path = tmp_path / "steps.arrows"
    with (
        closing(StreamWriter(path, STEPS)) as writer,
        pytest.raises(StoreError, match=r"got a batch of \(step: int32.*loss: double.*expected .*loss: float"),
    ):
        writer.append(rows(0, 1, double=True))
    write(path, rows(0, 1))
    with pytest.raises(StoreError, match="start a new run"):
        StreamWriter(path, schema("steps", double=True))


def test_symbolic_links_are_not_followed(tmp_path, rows):
    write(tmp_path / "real.arrows", rows(0, 1))
    (tmp_path / "steps.arrows").symlink_to(tmp_path / "real.arrows")
    with pytest.raises(StoreError, match="symbolic link"):
        StreamWriter(tmp_path / "steps.arrows", STEPS)


def test_a_disk_that_takes_no_more_keeps_what_was_written(tmp_path, rows, child):
    path = tmp_path / "steps.arrows"
    *_, end = write(path, rows(0, 2), rows(2, 4))
    process: subprocess.Popen[str] = child(
        """
        import resource, sys
        from pathlib import Path
        from lossdiag.errors import StoreError
        from lossdiag.store.schema import schema
        from lossdiag.store.stream import StreamReader, StreamWriter
        path, limit = Path(sys.argv[1]), int(sys.argv[2])
        with open(path, "rb") as file:
            batch = next(StreamReader(file.fileno()).parts()).batches[0]
        writer = StreamWriter(path, schema("steps"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for attempt in range(2):
            try:
                writer.append(batch)
            except StoreError as error:
                print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.append(batch)
        """,
        path,
        end + 100,  # the next message fits in part only
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.count("cannot record to") == out.count("size limit") == 2
    assert read(path).equals(pa.Table.from_batches([rows(0, 2), rows(2, 4), rows(0, 2)]))
