"""plotly.js from the installed plotly package, put where Streamlit serves static files: no other host is asked."""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from importlib import metadata, resources
from pathlib import Path

_LOG = logging.getLogger(__name__)
_NAME = "plotly.min.js"


@functools.cache
def ensure_static(app_root: Path) -> bool:
    """Copy plotly.js into ``<app_root>/static`` unless it is there already; asked once per process and folder.

    The file appears whole (write, rename), so servers that start at once do not serve half of it.

    Returns:
        Whether it is there. False, with a warning in the log, on a read-only or full disk.
    """
    content = resources.files("plotly").joinpath("package_data", _NAME).read_bytes()
    target = app_root / "static" / _NAME
    try:
        if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
            return True
        target.parent.mkdir(exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".plotly-", suffix=".tmp", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(draft, 0o644)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        _LOG.warning("%s cannot be written (%s): charts are redrawn whole instead of updated in place", target, error)
        return False
    return True


def plotly_url(base_path: str) -> str:
    """Return the path from which the browser fetches plotly.js; it changes with the version, so caches stay right."""
    prefix = "/" + base_path.strip("/") if base_path.strip("/") else ""
    return f"{prefix}/app/static/{_NAME}?v={metadata.version('plotly')}"
