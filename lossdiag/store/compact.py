"""A stream and the Feather file of the same rows: compaction when a run ends, and the way back when it is resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from lossdiag.store.disk import disk_errors, open_regular
from lossdiag.store.stream import StreamReader, StreamWriter

# One batch of a Feather file: large enough to read fast, small enough to write with little memory.
_BATCH_BYTES = 8 * 2**20
# Columns can still be read one by one; measured, a third smaller and no slower to write or read than uncompressed.
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def compact(stream: Path, target: Path, schema: pa.Schema) -> int:
    """Write the whole batches of `stream` to the Feather file `target` in the same order; return the number of rows.

    `target` appears whole or not at all. A missing stream gives a file without rows. Uses memory for one batch only.

    Raises:
        StoreError: the disk refuses; `stream` is untouched.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    rows = 0
    with disk_errors(f"compact {stream.name} to {target}"):
        try:
            with temporary.open("wb") as file, pa.ipc.new_file(file, schema, options=_OPTIONS) as writer:
                for batch in merged(_batches(stream), schema):
                    writer.write_batch(batch)
                    rows += batch.num_rows
            fd = open_regular(temporary, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            temporary.rename(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return rows


def reopen(compacted: Path, stream: Path) -> None:
    """Turn a Feather file back into a stream that can be appended to, and remove the Feather file.

    Where the stream is still there it is the elder of the two and holds every row: it is kept as it is.
    """
    with disk_errors(f"reopen {compacted}"):
        if not stream.exists():
            temporary = stream.with_name(f".{stream.name}.tmp")
            temporary.unlink(missing_ok=True)
            with pa.memory_map(str(compacted)) as source:
                reader = pa.ipc.open_file(source)
                writer = StreamWriter(temporary, reader.schema)
                try:
                    for index in range(reader.num_record_batches):
                        writer.append(reader.get_batch(index))
                finally:
                    writer.close()
            temporary.rename(stream)
        compacted.unlink()


def _batches(stream: Path) -> Iterator[pa.RecordBatch]:
    try:
        fd = open_regular(stream, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        for part in StreamReader(fd).parts():
            yield from part.batches
    finally:
        os.close(fd)


def merged(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Join small batches into ones of about 8 MiB."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= _BATCH_BYTES:
            yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches()
            held, size = [], 0
    if held:
        yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches()
