from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore
from lossdiag.worker.record import record
from ui import reads

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"losses": ["bce_with_logits", "hinge"], "seeds": 2, "train": {"steps": 30, "eval_every": 10}}

Open = Callable[..., AppTest]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """An empty store that the pages read, and the end of all jobs that they start."""
    monkeypatch.setenv("LOSSDIAG_RUNS", str(tmp_path / "runs"))
    st.cache_resource.clear()
    yield RunStore(tmp_path / "runs")
    reads.jobs().close()
    st.cache_resource.clear()


@pytest.fixture
def open_page(store: RunStore) -> Open:
    """Run a page once, as a deep link on a server that has served nothing yet."""

    def opened(script: str, **query: str) -> AppTest:
        page = AppTest.from_file(ROOT / "app.py", default_timeout=30)
        page.switch_page(script) if script != "app.py" else None
        for name, value in query.items():
            page.query_params[name] = value
        return page.run()

    return opened


def recorded(store: RunStore, **changes: Any) -> str:
    """Train a small experiment for real and return its id."""
    run_id = store.create(ExperimentSpec.parse({**SMALL, **changes}))
    record(store, run_id, lambda: None)
    return run_id


def texts(page: AppTest) -> str:
    """All that the page says, one line per element, as it is read: without the escapes of Markdown."""
    kinds = (page.error, page.warning, page.info, page.success, page.markdown, page.caption)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def charts(page: AppTest) -> list[str]:
    """Return the key of each chart on the page."""
    return [str(chart.key) for chart in page.get("bidi_component") if chart.key != "live_chart.preload"]
