"""Figures in a real Chromium: what plotly.js makes of a cut axis and of a film."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page
from plotly.offline import get_plotlyjs

from lossdiag.figures import Fit, SeedFit, fit_film
from lossdiag.figures.lines import Options, Panel, line_figure
from lossdiag.figures.series import Curve, Group
from lossdiag.figures.style import CONFIG
from tests.e2e import browser

# pytest-playwright 0.10 defines session fixtures as instance methods, which pytest 9.2 warns of.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::pytest.PytestRemovedIn10Warning")]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    found = browser.find()
    if found is None:
        pytest.fail(browser.HELP)
    return {"executable_path": str(found), "args": ["--no-sandbox", "--disable-gpu"], "headless": True}


def draw(page: Page, figure: go.Figure) -> None:
    page.set_viewport_size({"width": 800, "height": 600})
    page.set_content("<div id='chart'></div>")
    page.add_script_tag(content=get_plotlyjs())
    page.evaluate(
        "([figure, config]) => Plotly.newPlot('chart', {...JSON.parse(figure), config})", [figure.to_json(), CONFIG]
    )


def test_a_double_click_shows_what_lies_beyond_the_axis_and_the_next_one_cuts_it_again(page: Page) -> None:
    values = np.ones(300) + 0.1 * np.sin(np.arange(300))
    values[200] = 1e9
    figure = line_figure([Panel("loss", (Group("mse", (Curve("mse", np.arange(300), values),)),))], Options(), empty="")
    draw(page, figure)

    def top() -> float:
        return float(page.evaluate("document.getElementById('chart')._fullLayout.yaxis.range[1]"))

    assert top() == figure.layout.yaxis.range[1] < 2
    area = page.locator(".nsewdrag").first
    area.dblclick()
    page.wait_for_function("document.getElementById('chart')._fullLayout.yaxis.range[1] > 1e9")
    page.wait_for_timeout(600)  # two double-clicks in a row must not look like three clicks
    area.dblclick()
    page.wait_for_function("document.getElementById('chart')._fullLayout.yaxis.range[1] < 2")


def test_a_film_goes_back_to_an_earlier_step_while_its_axis_stays(page: Page) -> None:
    grid = np.linspace(0, 1, 5)
    fit = Fit((SeedFit("mse seed 0", np.array([0, 10]), np.stack([np.zeros(5), np.full(5, 1e9)])),))
    draw(page, fit_film(grid, grid, grid, {"mse": fit}))
    state = (
        "(() => { const c = document.getElementById('chart'); return [[...c._fullData[1].y], c.layout.yaxis.range] })()"
    )
    assert page.evaluate(state) == [[1e9] * 5, [-0.15, 1.15]]
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    page.evaluate("still => Plotly.animate('chart', ['0'], still)", still)
    curve, shown = page.evaluate(state)
    assert (curve, shown) == ([0] * 5, [-0.15, 1.15])
    assert page.evaluate("document.getElementById('chart')._fullLayout.sliders[0].active") == 0
