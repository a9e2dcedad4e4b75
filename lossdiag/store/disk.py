"""Small file operations that the store repeats: whole-file replacement, locks, and clear errors from the disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from lossdiag.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, or choose another folder with --runs",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another folder with --runs",
    errno.EFBIG: "the file has reached the size limit of this process: record less often, or raise the limit",
    errno.EACCES: "permission denied: check who owns the folder, or choose another with --runs",
    errno.EPERM: "permission denied: check who owns the folder, or choose another with --runs",
    errno.EROFS: "the folder is read-only: choose another with --runs",
    errno.ENOENT: "it is gone: was the run deleted or moved?",
    errno.ELOOP: "it is a symbolic link, which is not followed",
    errno.EMFILE: "too many open files: close some recordings, or raise `ulimit -n`",
}


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what was being done and what would help."""
    try:
        yield
    except OSError as error:
        why = _ADVICE.get(error.errno or 0) or error.strerror or str(error)
        raise StoreError(f"cannot {doing}: {why}") from error


def open_regular(path: Path, flags: int) -> int:
    """Open `path` itself, never what a symbolic link there points at; return the file descriptor."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader, or a crash, sees the old file or the new one and never a mixture.

    Raises:
        OSError: the disk refused; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames and deletions inside `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def take_lock(path: Path) -> int | None:
    """Take the exclusive flock of `path`, created if need be; return its file descriptor, or None when it is held.

    The lock ends when the descriptor, and every copy of it in forked children, is closed; a killed process lets go.
    """
    fd = open_regular(path, os.O_RDWR | os.O_CREAT)
    # Somebody who merely asks whether it is held (is_locked) holds a shared lock for some microseconds.
    for wait in (0.0, 0.002, 0.01, 0.05):
        time.sleep(wait)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return fd
    os.close(fd)
    return None


def is_locked(path: Path) -> bool:
    """Return whether some process holds the lock of `path`; works in a read-only folder and without the file."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the flock of the folder itself, waiting for it: short edits of run.json by several processes."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
