"""``lossdiag ui``: become the Streamlit server of the app that came with this package."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from lossdiag.data.location import app_root
from lossdiag.errors import LossdiagError

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501


def serve(runs: Path, port: int) -> NoReturn:
    """Replace this process by the server, so that signals reach it and nothing is left behind.

    Streamlit reads the .streamlit/config.toml beside app.py wherever it is started; what guards the server is given
    as flags as well, which outrank every configuration file.

    Args:
        runs: folder of the recorded runs, made if need be.
        port: to serve on; 0 takes the first free one from 8501.

    Raises:
        LossdiagError: the app is not there, the port is taken, or the folder cannot be made.
    """
    script = app_root() / "app.py"
    if not script.is_file():
        raise LossdiagError(f"{script} is missing; install lossdiag again, or run it from its checkout")
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LossdiagError(f"cannot make the folder {runs}: {error.strerror}; choose another with --runs") from None
    environment = os.environ | {"LOSSDIAG_RUNS": str(runs.resolve())}
    # Files in the working directory must not pass for modules of the app.
    environment["PYTHONSAFEPATH"] = "1"
    environment["PYTHONUNBUFFERED"] = "1"  # the address is printed when it is known, into a pipe too
    server = script.parent / "ui" / "serve.py"
    command = [sys.executable, str(server), "run", str(script), *_flags(free_port(port))]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)


def free_port(port: int) -> int:
    """Return `port` if it is free, or the first free one from 8501 when it is 0.

    Raises:
        LossdiagError: it is taken.
    """
    candidates = range(FIRST_PORT, FIRST_PORT + 100) if port == 0 else [port]
    for candidate in candidates:
        if _is_free(candidate):
            return candidate
    raise LossdiagError(f"port {candidates[0]} is taken; choose another with --port, or 0 for a free one")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def _flags(port: int) -> list[str]:
    options = {
        "server.address": ADDRESS,
        "server.port": str(port),
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    hosts = [part for host in ("localhost", ADDRESS) for part in ("--server.allowedHosts", host)]
    return [part for key, value in options.items() for part in (f"--{key}", value)] + hosts
