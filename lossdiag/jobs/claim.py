"""Several processes may queue runs in one folder; a lock tells whether another of them lives."""

from __future__ import annotations

import fcntl
import os

from lossdiag.errors import JobError
from lossdiag.store import RunStore

FILE = ".jobs.lock"


def claim(store: RunStore) -> int:
    """Say that this process queues runs in the store, and mark runs whose process is gone as interrupted.

    Queued runs are among those only where no other process has a claim, so that nobody's queue is emptied.

    Returns:
        The descriptor that holds the claim until it is closed, at the latest by the end of the process.

    Raises:
        JobError: the folder cannot be written to.
    """
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(store.root / FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise JobError(
            f"cannot keep runs in {store.root}: {error.strerror}; choose another folder with --runs"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        store.recover(queued=False)
    else:
        store.recover()
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor
