"""The main job, as a person does it: own data, three losses, five seeds, live curves, a NaN, gradients, delete."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from lossdiag.store import RunStore
from tests.e2e.conftest import Server, settle

LAST_STEP = """() => {
    const chart = document.querySelector('.js-plotly-plot');
    if (!chart) return -1;
    const last = trace => (trace.x && trace.x.length ? Number(trace.x[trace.x.length - 1]) : -1);
    return Math.max(-1, ...chart.data.map(last));
}"""
Shot = Callable[[Page, str], None]


@pytest.fixture
def own_csv(tmp_path: Path) -> Path:
    """A table as people have them: words, a gap, an answer in words."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3))
    table = pd.DataFrame(values, columns=["height", "weight", "age"])
    table["colour"] = rng.choice(["red", "green", "blue"], 400)
    table.loc[3, "age"] = np.nan
    noisy = values[:, 0] + 0.5 * values[:, 1] + 0.3 * rng.normal(size=400)
    table["bought"] = np.where(noisy > 0, "yes", "no")
    path = tmp_path / "customers.csv"
    table.to_csv(path, index=False)
    return path


def fill(page: Page, label: str, value: str) -> None:
    box = page.get_by_role("spinbutton", name=label, exact=True)
    box.fill(value)
    box.press("Enter")
    page.wait_for_timeout(300)
    settle(page)


def choose(page: Page, label: str, value: str) -> None:
    box = page.get_by_role("combobox", name=label)
    box.click()
    box.fill(value)
    box.press("Enter")
    page.wait_for_timeout(300)
    settle(page)


def drawn_steps(page: Page) -> int:
    """Return the last step that the first chart shows."""
    return int(page.evaluate(LAST_STEP))


def test_race_own_data_and_look_inside(page: Page, fresh_server: Server, own_csv: Path, shot: Shot) -> None:
    page.set_viewport_size({"width": 1400, "height": 1100})
    page.goto(f"{fresh_server.url}/race")
    settle(page)
    page.get_by_text("Your file", exact=True).click()
    settle(page)
    page.locator("input[type=file]").set_input_files(own_csv)
    expect(page.get_by_text("400 rows, 4 features. Task: binary (inferred)")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("missing values filled", exact=False)).to_be_visible()
    fill(page, "steps", "12000")
    expect(page.get_by_text("3 losses × 5 seeds = 15 members")).to_be_visible()

    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=30_000)
    first = drawn_steps(page)
    page.wait_for_function(f"before => ({LAST_STEP})() > before", arg=first, timeout=30_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    shot(page, "live")
    run_url = page.url
    page.reload()  # what a person does when in doubt; the run does not mind
    settle(page)
    assert page.url == run_url
    expect(page.get_by_text("At the end, on validation rows")).to_be_visible(timeout=90_000)
    settle(page)
    page.wait_for_timeout(1000)
    assert drawn_steps(page) == 11_999
    expect(page.get_by_text("Differences, paired by seed")).to_be_visible()
    shot(page, "finished")

    store = RunStore(fresh_server.runs)
    run_id = store.list()["id"].iloc[0]
    recording = store.open(run_id)
    assert recording.status == "finished"
    assert len(recording.steps) == 15 * 12_000
    assert recording.name.startswith("customers.csv")

    page.get_by_role("link", name="Gradients").click()
    settle(page)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=30_000)
    shot(page, "gradients")


def test_a_diverging_race_marks_its_nan_and_can_be_deleted(page: Page, fresh_server: Server, shot: Shot) -> None:
    page.set_viewport_size({"width": 1400, "height": 1100})
    page.goto(fresh_server.url)
    settle(page)
    page.get_by_role("button", name="Break it (learning rate ×100)").click()
    page.wait_for_url("**/race?*run=*")
    expect(page.get_by_text("At the end, on validation rows")).to_be_visible(timeout=60_000)
    settle(page)
    expect(page.get_by_text("broke", exact=False).first).to_be_visible()
    store = RunStore(fresh_server.runs)
    run_id = store.list()["id"].iloc[0]
    events = store.open(run_id).events
    bad = events[(events["kind"] == "nonfinite") & (events["where"] == "loss")]
    assert len(bad)
    for _, event in bad.head(3).iterrows():
        expect(page.get_by_text(f"at step {event['step']}", exact=False).first).to_be_visible()
    page.wait_for_timeout(1000)
    marks = page.evaluate(
        """() => [...document.querySelector('.js-plotly-plot').data].filter(
            t => t.mode && t.mode.includes('markers') && t.marker && String(t.marker.symbol).includes('x'))
            .flatMap(t => [...t.x].map(Number))"""
    )
    assert set(bad["step"]) <= set(marks)
    shot(page, "diverged")

    page.get_by_role("link", name="Runs").click()
    settle(page)
    page.wait_for_timeout(1000)
    shot(page, "runs")
    # The table is a canvas; its first cell ticks the row.
    box = page.get_by_test_id("stDataFrame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 52)
    page.wait_for_timeout(500)
    settle(page)
    page.get_by_role("button", name="Delete 1 run").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("freed", exact=False)).to_be_visible(timeout=20_000)
    assert not (fresh_server.runs / run_id).exists()
    shot(page, "deleted")


def test_bad_data_is_one_message_and_the_page_goes_on(page: Page, server: Server, tmp_path: Path, shot: Shot) -> None:
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("a,b,target\n1,2,0\n3,4,5,6\n")
    page.goto(f"{server.url}/race?data=upload")
    settle(page)
    page.locator("input[type=file]").set_input_files(ragged)
    alert = page.get_by_role("alert").filter(has_text="ragged.csv")
    expect(alert).to_be_visible(timeout=20_000)
    expect(alert).to_contain_text("line 3")
    expect(page.get_by_text("Traceback")).to_have_count(0)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    shot(page, "ragged")
