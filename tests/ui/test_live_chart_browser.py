"""The chart in a real Chromium: never rebuilt, keeps the zoom, follows the theme, asks no other host."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.e2e import browser

# pytest-playwright 0.10 defines session fixtures as instance methods, which pytest 9.2 warns of.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::pytest.PytestRemovedIn10Warning")]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    found = browser.find()
    if found is None:
        pytest.fail(browser.HELP)
    return {"executable_path": str(found), "args": ["--no-sandbox", "--disable-gpu"], "headless": True}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own for the script, with a static folder that does not exist yet."""
    folder = tmp_path_factory.mktemp("app")
    shutil.copy(Path(__file__).with_name("live_chart_script.py"), folder / "script.py")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.enableStaticServing": "true",
        "browser.gatherUsageStats": "false",
        "server.fileWatcherType": "none",
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "script.py", *flags],
        cwd=folder,
        env={**os.environ, "LOSSDIAG_ROOT": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(15)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
        assert process.poll() is None, "the server ended"
    pytest.fail("the server did not answer")


@pytest.fixture
def chart(page: Page, url: str) -> Iterator[Page]:
    """The page with both charts drawn; fails on script errors and on requests to other hosts."""
    errors: list[str] = []
    strangers: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request", lambda r: strangers.append(r.url) if urlsplit(r.url).hostname not in (None, "127.0.0.1") else None
    )
    page.goto(url)
    expect(page.locator(".lossdiag-chart[data-draws='1'] .main-svg >> nth=0")).to_be_visible(timeout=30_000)
    expect(page.locator(".lossdiag-chart .slider-container")).to_be_visible(timeout=30_000)
    yield page
    assert not errors
    assert not strangers


def x_axis(page: Page) -> list[float]:
    return page.evaluate("document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range")


def points(page: Page) -> int:
    return page.evaluate("document.querySelector('.js-plotly-plot').data[2].x.length")


def zoom(page: Page) -> list[float]:
    box = page.locator(".lossdiag-chart .nsewdrag").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.52 * box["height"], steps=5)
    page.mouse.up()
    expect(page.get_by_text("range: none")).to_have_count(0)
    return x_axis(page)


def test_ten_updates_neither_rebuild_the_chart_nor_lose_the_zoom(chart: Page) -> None:
    chart.evaluate("document.querySelectorAll('.lossdiag-chart, .js-plotly-plot').forEach((e) => { e.kept = true })")
    zoomed = zoom(chart)
    low, high = chart.get_by_text("range:").inner_text().removeprefix("range: ").split(" to ")
    assert [float(low), float(high)] == pytest.approx(zoomed, abs=0.06)
    for n in range(1, 11):
        chart.get_by_role("button", name="tick").click()
        expect(chart.locator(f".lossdiag-chart[data-draws='{n + 1}']")).to_have_count(1)
    assert points(chart) == 600
    assert x_axis(chart) == zoomed
    kept = "[...document.querySelectorAll('.lossdiag-chart, .js-plotly-plot')].map((e) => e.kept)"
    assert chart.evaluate(kept) == [True] * 4
    # The other chart was given nothing new and did not draw again.
    expect(chart.locator(".lossdiag-chart[data-draws='1']")).to_have_count(1)


def test_what_arrives_in_pieces_is_what_was_sent(chart: Page) -> None:
    values = "Array.from(document.querySelector('.js-plotly-plot').data[2].y)"
    for n in (2, 3):
        chart.get_by_role("button", name="tick").click()
        expect(chart.locator(f".lossdiag-chart[data-draws='{n}']")).to_have_count(1)
    in_pieces = chart.evaluate(values)
    chart.get_by_role("button", name="forget").click()
    chart.get_by_role("button", name="tick").click()
    # The browser was at another version than the patch is for, and asked for everything.
    chart.wait_for_function("document.querySelector('.js-plotly-plot').data[2].x.length === 250")
    assert chart.evaluate(values)[:200] == in_pieces


def test_the_keyboard_zooms_pans_and_resets(chart: Page) -> None:
    whole = x_axis(chart)
    chart.locator(".lossdiag-chart").first.focus()
    chart.keyboard.press("+")
    expect(chart.get_by_text("range: none")).to_have_count(0)
    closer = x_axis(chart)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 2)
    chart.keyboard.press("ArrowRight")
    chart.wait_for_function(f"document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0] > {closer[0]}")
    chart.keyboard.press("0")
    expect(chart.get_by_text("range: none")).to_be_visible()
    assert x_axis(chart) == pytest.approx(whole)
    group = chart.get_by_role("group", name="Training loss over steps")
    expect(group).to_have_attribute("tabindex", "0")


def test_a_click_on_a_point_is_told_to_python(chart: Page) -> None:
    place = """() => {
        const plot = document.querySelector('.js-plotly-plot'), { xaxis, yaxis } = plot._fullLayout;
        const area = plot.querySelector('.nsewdrag').getBoundingClientRect();
        return [area.x + xaxis.c2p(50), area.y + yaxis.c2p(plot.data[5].y[50])];
    }"""
    hover = chart.locator(".hovertext", has_text="step 50")
    for _ in range(20):  # the page may still be moving under the mouse
        x, y = chart.evaluate(place)
        chart.mouse.move(x - 3, y)
        chart.mouse.move(x, y, steps=3)
        try:
            hover.wait_for(timeout=500)
            break
        except TimeoutError:
            continue
    chart.mouse.down()
    chart.mouse.up()
    expect(chart.get_by_text("focal_binary(gamma=2) at 50")).to_be_visible()


def test_one_scrubber_moves_the_other_charts(chart: Page) -> None:
    rail = chart.locator(".lossdiag-chart .slider-rail-touch-rect")
    rail.scroll_into_view_if_needed()
    box = rail.bounding_box()
    assert box
    chart.mouse.click(box["x"] + 0.34 * box["width"], box["y"] + box["height"] / 2)  # four steps: 0, 30, 60, 90
    shape = "document.querySelector('.js-plotly-plot').layout.shapes?.at(-1)?.x0"
    chart.wait_for_function(f"{shape} === 30")
    chart.get_by_role("button", name="tick").click()
    expect(chart.locator(".lossdiag-chart[data-draws='2']")).to_have_count(1)
    assert chart.evaluate(shape) == 30


def test_the_theme_is_followed_while_the_chart_is_open(chart: Page) -> None:
    paper = "document.querySelector('.js-plotly-plot')._fullLayout.paper_bgcolor"
    light = chart.evaluate(paper)
    chart.emulate_media(color_scheme="dark")
    expect(chart.locator(".lossdiag-chart[data-theme='dark']")).to_have_count(2)
    assert chart.evaluate(paper) != light
    assert chart.evaluate("document.querySelector('.js-plotly-plot')._fullLayout.font.color") not in ("#31333f", None)


def test_a_narrow_page_holds_the_whole_chart(chart: Page) -> None:
    chart.set_viewport_size({"width": 390, "height": 844})
    chart.wait_for_function("document.querySelector('.main-svg').getBoundingClientRect().width < 380")
    svg = chart.locator(".main-svg").first.bounding_box()
    holder = chart.locator(".lossdiag-chart").first.bounding_box()
    assert svg
    assert holder
    assert svg["width"] <= holder["width"] <= 390
    assert svg["height"] > 200


def test_no_button_sends_anything_anywhere(chart: Page) -> None:
    titles = chart.locator(".modebar-btn").evaluate_all("(b) => b.map((e) => e.dataset.title)")
    assert titles
    assert not [t for t in titles if t and ("hart" in t and "end" in t or "loud" in t or "tudio" in t)]
