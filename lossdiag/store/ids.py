"""Run identifiers: they come from links and become paths, so nothing but the one form is let through."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import datetime
from pathlib import Path

from lossdiag.errors import StoreError

_FORM = re.compile(r"r[0-9]{8}-[a-z2-7]{8}", re.ASCII)


def new_id(now: datetime) -> str:
    """Return an identifier that sorts by day, such as ``r20250131-k3fqa2bq``; 40 random bits keep it unique."""
    return f"r{now:%Y%m%d}-{base64.b32encode(secrets.token_bytes(5)).decode().lower()}"


def is_id(text: str) -> bool:
    """Return whether `text` has the form of a run identifier."""
    return _FORM.fullmatch(text) is not None


def run_folder(root: Path, run_id: str) -> Path:
    """Return the folder of a run that exists.

    Raises:
        StoreError: `run_id` is not an identifier, there is no such run, or a symbolic link stands in its place.
    """
    if not is_id(run_id):
        raise StoreError(f"not a run id: {run_id!r:.60}; expected one such as r20250131-k3fqa2bq")
    folder = root / run_id
    if folder.is_symlink():
        raise StoreError(f"{folder} is a symbolic link, which is not followed; move the run itself into {root}")
    if not folder.is_dir():
        raise StoreError(f"no run {run_id} in {root}; it may have been deleted: see the list of runs")
    return folder
