"""Files given in the browser: read and checked as a whole, then kept as Parquet, named by their content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

import pandas as pd

from lossdiag.data.tables import read_bytes, suffix
from lossdiag.errors import DataError

_ID = re.compile(r"(?:upload:)?([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class UploadInfo:
    """What is known of an uploaded file.

    Attributes:
        id: 16 hexadecimal digits of the SHA-256 of its content and format; the source is ``upload:<id>``.
        filename: what the person called it.
        rows: data rows.
        columns: names, in order.
        notes: what was noticed while reading it.
    """

    id: str
    filename: str
    rows: int
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The value for ``data.source``."""
        return f"upload:{self.id}"


def save_upload(content: bytes, filename: str, uploads: Path) -> str:
    """Check a file as a whole, then keep it; return its source, ``upload:<16 hex>``.

    The same file given twice is kept once.

    Args:
        content: the whole file.
        filename: what the person calls it; only its last part is used.
        uploads: folder, created where it is missing.

    Raises:
        DataError: the file cannot be used, or the folder cannot be written. Nothing is left behind then.
    """
    filename = PurePath(filename.replace("\\", "/")).name or "upload"
    ending = suffix(filename)
    table = read_bytes(content, filename)
    digest = hashlib.sha256(ending.encode() + b"\0" + content).hexdigest()[:16]
    info = UploadInfo(digest, filename, len(table.frame), tuple(map(str, table.frame.columns)), table.notes)
    data, card = _paths(digest, uploads)
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        # The card is written last: a file without one was never finished, and is written again.
        _write(data, table.frame.to_parquet(index=False))
        _write(card, json.dumps(asdict(info), indent=2).encode())
    except OSError as error:
        raise DataError(f"{filename}: cannot be kept in {uploads}: {error.strerror or error}") from None
    return info.source


def upload_info(upload_id: str, uploads: Path) -> UploadInfo:
    """Return what is known of an uploaded file.

    Args:
        upload_id: ``upload:<16 hex>`` or the digits alone.
        uploads: folder of uploads.

    Raises:
        DataError: there is no such upload, or its card is damaged.
    """
    match = _ID.fullmatch(upload_id)
    if match is None:
        raise DataError(f"{upload_id!r} is not the name of an upload; expected upload: and 16 hexadecimal digits")
    data, card = _paths(match[1], uploads)
    if not (data.is_file() and card.is_file()):
        raise DataError(f"upload:{match[1]}: the uploaded file is not in {uploads}; upload it again")
    try:
        plain = json.loads(card.read_text(encoding="utf-8"))
        return UploadInfo(**{**plain, "columns": tuple(plain["columns"]), "notes": tuple(plain["notes"])})
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"upload:{match[1]}: {card} is damaged; upload the file again") from None


def read_upload(upload_id: str, uploads: Path) -> tuple[pd.DataFrame, UploadInfo]:
    """Return an uploaded table and what is known of it; raise DataError as `upload_info` does."""
    info = upload_info(upload_id, uploads)
    path = _paths(info.id, uploads)[0]
    return read_bytes(path.read_bytes(), path.name).frame, info


def list_uploads(uploads: Path) -> tuple[UploadInfo, ...]:
    """Return all uploads of a folder, newest first."""
    cards = sorted(uploads.glob("*.json"), key=lambda card: card.stat().st_mtime, reverse=True)
    return tuple(upload_info(card.stem, uploads) for card in cards if _ID.fullmatch(card.stem))


def _paths(digest: str, uploads: Path) -> tuple[Path, Path]:
    return uploads / f"{digest}.parquet", uploads / f"{digest}.json"


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
