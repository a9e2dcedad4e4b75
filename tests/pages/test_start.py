import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lossdiag.spec import ExperimentSpec, from_query
from lossdiag.store import RunStore
from tests.pages.conftest import ROOT, Open, charts, texts
from ui import reads

TORCH_FREE = """
import sys
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=60).run()
assert not page.exception
assert len(page.get("bidi_component")) >= 3
print("torch" in sys.modules)
"""


def linked(page: AppTest) -> ExperimentSpec:
    token = page.query_params.get("spec")
    return from_query(token[0] if isinstance(token, list) else token) if token else ExperimentSpec()


@pytest.fixture(autouse=True)
def _sample() -> None:
    if not reads.SAMPLE_RUN.is_dir():
        pytest.fail(f"{reads.SAMPLE_RUN} is missing: the first screen has nothing to show")


def test_the_first_screen_is_a_finished_race_that_says_it_is_recorded(open_page: Open) -> None:
    page = open_page("app.py")
    assert all("broke" in e.value for e in page.error)
    assert "This is a recording" in texts(page)
    assert len(charts(page)) >= 3
    assert len(page.dataframe) == 2


def test_the_failing_member_is_explained_in_words(open_page: Open) -> None:
    run = reads.sample_run()
    broken = run.events[run.events["kind"] == "nonfinite"].sort_values("step").iloc[0]
    label = run.members["label"][run.members["id"] == broken["member"]].iloc[0]
    said = texts(open_page("app.py"))
    assert label in said
    assert f"at step {broken['step']:,}" in said


def test_the_first_screen_needs_no_torch(tmp_path: Path) -> None:
    environment = {**os.environ, "LOSSDIAG_RUNS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("button", "factor"), [("Re-run it live", 1), ("Break it (learning rate ×100)", 100)])
def test_a_button_starts_the_race_again(open_page: Open, store: RunStore, button: str, factor: int) -> None:
    page = open_page("app.py")
    next(b for b in page.button if b.label == button).click().run()
    runs = store.list()
    assert len(runs) == 1
    spec = store.open(runs["id"][0]).spec
    sample = reads.sample_run().spec
    assert spec.optimizer.lr == pytest.approx(sample.optimizer.lr * factor)
    assert spec.losses == sample.losses
    assert linked(page) == spec


def test_use_my_data_leads_to_the_upload(open_page: Open) -> None:
    page = open_page("app.py")
    next(b for b in page.button if b.label == "Use my data").click().run()
    assert page.file_uploader
    assert "No file yet" in texts(page)


def test_a_missing_sample_leaves_the_ways_on(open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reads, "SAMPLE_RUN", tmp_path / "nothing")
    reads.sample_run.cache_clear()
    page = open_page("app.py")
    reads.sample_run.cache_clear()
    assert len(page.error) == 1
    assert any(b.label == "Re-run it live" for b in page.button)
