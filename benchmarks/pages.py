"""What a person waits for in the browser: the first screen of a fresh server, and a recorded step on its way to it.

Every server is a new process; files are warm, since one is started and thrown away first. "Drawn" is the first curve of
the recorded race, as Chromium with software rendering shows it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from lossdiag.spec import ExperimentSpec, to_query
from lossdiag.store import RunStore, Tail
from tests.e2e.browser import find
from tests.e2e.conftest import FLAGS, Server

ROUNDS = 5
LIVE = ExperimentSpec.parse({"train": {"steps": 40_000}})
LAST_STEP = """() => {
    const chart = document.querySelector('.js-plotly-plot');
    if (!chart || !chart.data) return -1;
    const last = trace => (trace.x && trace.x.length ? Number(trace.x[trace.x.length - 1]) : -1);
    return Math.max(-1, ...chart.data.map(last));
}"""


def main() -> None:
    """Print the table."""
    found = find()
    if found is None:
        print("no Chromium: not measured")
        return
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=str(found), args=list(FLAGS))
        first = [_first_screen(browser, Path(folder) / str(i)) for i in range(ROUNDS + 1)][1:]
        for name, values in zip(
            ("server answers", "text on the first screen", "first curve drawn"), zip(*first, strict=True), strict=True
        ):
            _row(f"{name}, fresh server", values)
        _live(browser, Path(folder) / "live")
        browser.close()


def _first_screen(browser: Browser, runs: Path) -> tuple[float, float, float]:
    """Return seconds until the server answers, and from opening the page to its text and to its first curve."""
    begin = time.perf_counter()
    server = Server(runs)
    answers = time.perf_counter() - begin
    page = browser.new_page()
    try:
        begin = time.perf_counter()
        page.goto(server.url)
        page.get_by_text("This is a recording, made on").wait_for()
        text = time.perf_counter() - begin
        page.locator(".js-plotly-plot .scatterlayer path.js-line").first.wait_for(state="attached")
        return answers, text, time.perf_counter() - begin
    finally:
        page.close()
        server.close()


def _live(browser: Browser, runs: Path) -> None:
    """Watch one long run and print how long after its recording a step was on the screen, and the bytes of a second."""
    server = Server(runs)
    page = browser.new_page()
    received: list[tuple[float, int]] = []
    page.on("websocket", lambda socket: _count(socket, received))
    try:
        page.goto(f"{server.url}/race?spec={to_query(LIVE)}")
        page.get_by_role("button", name="Run", exact=True).click(timeout=30_000)
        recorded, shown = _follow(page, RunStore(runs))
    finally:
        page.close()
        server.close()
    delays = [at - min(t for t, step in recorded if step >= seen) for at, seen in shown]
    _row("from a recorded step to the picture", delays)
    start, end = shown[0][0], shown[-1][0]
    total = sum(size for at, size in received if start < at <= end)
    print(f"{'bytes to the browser while live':44} {total / (end - start) / 1e3:8.1f} kB a second")


def _follow(page: Page, store: RunStore) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """Return (time, last step) as the store had it, and as the first chart showed it, whenever either moved."""
    deadline = time.perf_counter() + 25
    recorded: list[tuple[float, int]] = []
    shown: list[tuple[float, int]] = []
    tail: Tail | None = None
    while time.perf_counter() < deadline and len(shown) < 15:
        if tail is None:
            ids = store.list()["id"]
            tail = Tail(store.path(ids.iloc[0])) if len(ids) else None
        elif (new := tail.poll().get("steps")) is not None and len(new):
            recorded.append((time.perf_counter(), int(new["step"].max())))
        seen = int(page.evaluate(LAST_STEP))
        if recorded and seen > (shown[-1][1] if shown else 0):
            shown.append((time.perf_counter(), min(seen, recorded[-1][1])))
        page.wait_for_timeout(20)
    return recorded, shown


def _count(socket: WebSocket, received: list[tuple[float, int]]) -> None:
    socket.on("framereceived", lambda frame: received.append((time.perf_counter(), len(frame))))


def _row(what: str, seconds: list[float] | tuple[float, ...]) -> None:
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{what:44} {middle:8.2f} s  ({low:.2f} .. {high:.2f})", flush=True)


if __name__ == "__main__":
    main()
