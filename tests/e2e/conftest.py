"""A real server and a real browser. Every test fails on a request to another host and on a script error."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e import browser

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
# Chromium's own calls home are refused on a closed network and would fill the log.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    found = browser.find()
    if found is None:
        pytest.fail(browser.HELP)
    return {"executable_path": str(found), "args": list(FLAGS), "headless": True}


class Server:
    """`lossdiag ui` in a process of its own, on a free port."""

    def __init__(self, runs: Path, *, command: tuple[str, ...] = (sys.executable, "-m", "lossdiag", "ui")) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.runs = runs
        self.url = f"http://127.0.0.1:{self.port}"
        runs.mkdir(parents=True, exist_ok=True)
        self.log = runs / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--runs", str(runs), "--port", str(self.port)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        return
            except OSError:
                time.sleep(0.1)
        self.close()
        pytest.fail(f"the server did not answer:\n{self.log.read_text()}")

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("runs"))
    yield started
    started.close()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """A server that has served nothing yet."""
    started = Server(tmp_path / "runs")
    yield started
    started.close()


@pytest.fixture(autouse=True)
def stay_home(page: Page) -> Iterator[None]:
    """Fail on a request that leaves this machine, and on an uncaught error in the page."""
    strangers: list[str] = []
    errors: list[str] = []

    def watch(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"127.0.0.1", "localhost"}:
            strangers.append(request.url)

    page.on("request", watch)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield
    assert not strangers, f"requests to other hosts: {strangers}"
    assert not errors, f"script errors: {errors}"


def settle(page: Page, timeout: float = 30_000) -> None:
    """Wait until the page's script has run to its end."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=timeout)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a screenshot under artifacts/, for a person to look at."""

    def take(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{request.node.name.split('[')[0]}-{name}.png", full_page=True)

    return take
