"""Arrow IPC streams that grow by one write per batch and are readable at any moment, torn tail or not.

A file is a schema message and then one message per record batch (https://arrow.apache.org/docs/format/Columnar.html,
"Encapsulated message format"). A process killed in the middle of a write leaves a torn last message: readers stop
before it, and the next writer cuts it off.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lossdiag.errors import StoreError
from lossdiag.store.disk import disk_errors, open_regular

_WINDOW = 16 * 2**20
_SCHEMA_ROOM = 65_536
_IDENTITY = b"lossdiag.stream"
# What pyarrow raises for a message in memory that is cut off or garbled.
_TORN = (pa.ArrowInvalid, OSError, EOFError)


class StreamWriter:
    """Appends record batches to one stream file, each by a single write.

    Opening an existing file cuts a torn tail and goes on behind the last whole batch.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Open `path` for appending batches of `schema`.

        Raises:
            StoreError: the file holds another schema, or the disk refuses.
        """
        self.schema = schema
        self._path = path
        with disk_errors(f"record to {path}"):
            self._fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                self._size = _whole(path, schema)
                os.ftruncate(self._fd, self._size)
            except BaseException:
                os.close(self._fd)
                raise

    def append(self, batch: pa.RecordBatch) -> None:
        """Write `batch` as one message; a batch without rows writes nothing.

        Raises:
            StoreError: the batch has another schema, or the disk refuses; the file then ends at its last whole batch
                and further appends may be tried.
        """
        if not batch.schema.equals(self.schema):
            raise StoreError(
                f"{self._path.stem}: got a batch of ({_spell(batch.schema)}), expected ({_spell(self.schema)})"
            )
        if batch.num_rows == 0:
            return
        message = batch.serialize().to_pybytes()
        if self._size == 0:
            head = self.schema.with_metadata({_IDENTITY: secrets.token_hex(8)})
            message = head.serialize().to_pybytes() + message
        with disk_errors(f"record to {self._path}"):
            self._write(message)
        self._size += len(message)

    def _write(self, message: bytes) -> None:
        try:
            written = os.write(self._fd, message)
            while written < len(message):  # a nearly full disk takes a part; the next try then names the reason
                written += os.write(self._fd, memoryview(message)[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise

    def close(self) -> None:
        """Close the file; nothing is held back, so nothing is flushed."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class StreamPart:
    """Whole batches read from a stream.

    Attributes:
        batches: the batches, in order; at least one.
        end: byte offset behind the last of them: where to read on.
    """

    batches: list[pa.RecordBatch]
    end: int


class StreamReader:
    """Reads whole batches from an open stream file.

    Attributes:
        schema: the stream's schema; None while not even that is wholly written.
        identity: tells this file from another that took its name; empty while there is no schema.
        first: byte offset of the first batch.
    """

    def __init__(self, fd: int) -> None:
        """Read the head of the file behind the descriptor `fd`, which stays the caller's to close."""
        self._fd = fd
        self.schema: pa.Schema | None = None
        self.identity = ""
        self.first = 0
        reader = pa.BufferReader(_pread(fd, _SCHEMA_ROOM, 0))
        try:
            schema = pa.ipc.read_schema(pa.ipc.read_message(reader))
        except _TORN:
            return
        self.schema = schema.remove_metadata()
        self.identity = (schema.metadata or {}).get(_IDENTITY, b"").decode()
        self.first = reader.tell()

    def parts(self, start: int = 0, *, window: int = _WINDOW) -> Iterator[StreamPart]:
        """Yield the whole batches from byte `start` to the present end of the file, about `window` bytes at a time.

        `start` is 0 or the `end` of an earlier part. The file is read, not mapped: a writer that cuts a torn tail
        would otherwise crash its readers.
        """
        if self.schema is None:
            return
        start = max(start, self.first)
        while True:
            piece = _pread(self._fd, window, start)
            batches, used = _parse(piece, self.schema)
            if batches:
                start += used
                yield StreamPart(batches, start)
            elif len(piece) < window:
                return
            else:
                window *= 2  # one batch larger than the window


def _parse(piece: bytes, schema: pa.Schema) -> tuple[list[pa.RecordBatch], int]:
    """Return the whole batches at the start of `piece` and the number of bytes that they take."""
    reader = pa.BufferReader(piece)
    batches: list[pa.RecordBatch] = []
    used = 0
    while True:
        try:
            message = pa.ipc.read_message(reader)
            batches.append(pa.ipc.read_record_batch(message, schema))
        except _TORN:
            return batches, used
        used = reader.tell()


def _pread(fd: int, size: int, offset: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the file."""
    parts = []
    while size > 0 and (part := os.pread(fd, min(size, 2**30), offset)):
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _whole(path: Path, schema: pa.Schema) -> int:
    """Return the number of bytes up to the end of the last whole message of `path`."""
    fd = open_regular(path, os.O_RDONLY)
    try:
        reader = StreamReader(fd)
        if reader.schema is not None and not reader.schema.equals(schema):
            raise StoreError(f"{path} holds ({_spell(reader.schema)}), expected ({_spell(schema)}); start a new run")
        end = reader.first
        for part in reader.parts():
            end = part.end
        return end
    finally:
        os.close(fd)


def _spell(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
