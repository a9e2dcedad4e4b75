"""What a person sees first, on a server that has served nothing yet."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from lossdiag.spec import ExperimentSpec, to_query
from tests.e2e.conftest import Server, settle

LINK = to_query(ExperimentSpec.parse({"data": {"source": "synthetic:sine"}, "losses": ["mse"], "seeds": 2}))
Shot = Callable[[Page, str], None]


def test_the_first_screen_is_a_finished_race(page: Page, fresh_server: Server, shot: Shot) -> None:
    page.goto(fresh_server.url)
    settle(page)
    expect(page.get_by_text("This is a recording, made on")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=20_000)
    expect(page.get_by_text("2 of 15 members broke", exact=False)).to_be_visible()
    for way_on in ("Re-run it live", "Break it (learning rate ×100)", "Use my data"):
        expect(page.get_by_role("button", name=way_on)).to_be_visible()
    shot(page, "wide")


@pytest.mark.parametrize(
    ("path", "sight"),
    [
        (f"race?spec={LINK}", "1 loss × 2 seeds = 2 members"),
        ("race", "3 losses × 5 seeds = 15 members"),
        ("gradients", "Gradients"),
        ("runs", "No run yet"),
    ],
)
def test_a_deep_link_opens_on_a_cold_server(page: Page, fresh_server: Server, path: str, sight: str) -> None:
    page.goto(f"{fresh_server.url}/{path}")
    settle(page)
    expect(page.get_by_text(sight).first).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("path", ["", "race", "gradients?run=sample", "runs"])
def test_every_page_fits(browser: Browser, server: Server, shot: Shot, path: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/{path}")
    settle(page)
    page.wait_for_timeout(1500)
    # Nothing sticks out at the side: a phone scrolls one way only.
    assert (
        page.evaluate("document.querySelector('.stMain').scrollWidth - document.querySelector('.stMain').clientWidth")
        <= 1
    )
    page.set_viewport_size(
        {"width": width, "height": min(4000, max(900, page.evaluate("document.querySelector('.stMain').scrollHeight")))}
    )
    page.wait_for_timeout(800)
    shot(page, f"{path.partition('?')[0] or 'start'}-{width}-{scheme}")
    context.close()
