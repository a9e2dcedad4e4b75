import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore
from tests.pages.conftest import Open, charts, recorded, texts
from ui import reads


def test_without_runs_there_is_the_sample(open_page: Open) -> None:
    page = open_page("pages/gradients.py")
    assert page.selectbox[0].options == [f"the recorded sample ({reads.SAMPLE_ID})"]
    assert charts(page)


def test_a_run_shows_heatmap_and_update_ratios_and_the_link_names_it(open_page: Open, store: RunStore) -> None:
    run = recorded(store)
    page = open_page("pages/gradients.py", run=run)
    assert not page.error, texts(page)
    assert len(charts(page)) >= 2
    assert page.query_params["run"] in (run, [run])
    member = next(s for s in page.selectbox if s.label == "member")
    assert member.options == ["mean over seeds", "seed 0", "seed 1"]
    member.set_value(1).run()
    assert not page.error
    assert "as an example" not in texts(page)


@pytest.mark.parametrize("tab", ["Activations", "Whole gradient"])
def test_every_tab_draws_only_when_open(open_page: Open, store: RunStore, tab: str) -> None:
    run = recorded(store)
    page = open_page("pages/gradients.py", run=run)
    before = len(charts(page))
    page.session_state[f"layers.{run}.0.tabs"] = tab
    page.run()
    assert not page.error, texts(page)
    assert len(charts(page)) == before


def test_a_run_without_steps_says_so(open_page: Open, store: RunStore) -> None:
    run = store.create(ExperimentSpec())
    page = open_page("pages/gradients.py", run=run)
    assert not page.error
    assert "No step has been recorded yet" in texts(page)


@pytest.mark.parametrize("run", ["../x", "r20200101-aaaaaaaa"])
def test_a_run_that_is_not_there_is_one_clear_message(open_page: Open, run: str) -> None:
    page = open_page("pages/gradients.py", run=run)
    assert not page.exception
    assert len(page.error) <= 1
