import io
import zipfile
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lossdiag.data import save_upload
from lossdiag.spec import ExperimentSpec, from_yaml
from lossdiag.store import RunStore
from tests.pages.conftest import Open, charts, recorded, texts
from ui.download import tables_zip


def tick(page: AppTest, rows: list[int]) -> AppTest:
    """Select rows of the table of runs, as a person does by its check boxes."""
    page.session_state[page.dataframe[0].key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return page.run()


def button(page: AppTest, label: str) -> Any:
    return next(b for b in page.button if b.label == label)


def test_an_empty_store_says_what_to_do(open_page: Open) -> None:
    page = open_page("pages/runs.py")
    assert not page.error
    assert "No run yet" in texts(page)


def test_search_and_filters(open_page: Open, store: RunStore) -> None:
    first, second = recorded(store), recorded(store, losses=["focal_binary"])
    store.tag(first, ["keep"])
    store.rename(second, "a <b>bold</b> name")
    page = open_page("pages/runs.py")
    assert len(page.dataframe[0].value) == 2
    page.text_input[0].set_value("bold").run()
    assert page.dataframe[0].value["id"].tolist() == [second]
    page.text_input[0].set_value("").run()
    page.multiselect[0].set_value(["keep"]).run()
    assert page.dataframe[0].value["id"].tolist() == [first]
    page.text_input[0].set_value("no such run").run()
    assert "No run matches" in texts(page)


def test_one_run_is_renamed_tagged_and_annotated(open_page: Open, store: RunStore) -> None:
    run = recorded(store)
    page = tick(open_page("pages/runs.py"), [0])
    assert not page.error, texts(page)
    fields = {w.label: w for w in page.text_input}
    fields["name"].set_value("my run")
    fields["tags"].set_value("a, b,, a")
    fields["note"].set_value("why")
    button(page, "Save").click().run()
    opened = store.open(run)
    assert (opened.name, opened.tags, opened.note) == ("my run", ("a", "b"), "why")


def test_two_runs_are_compared_by_what_differs(open_page: Open, store: RunStore) -> None:
    recorded(store)
    recorded(store, optimizer={"lr": 0.5})
    page = tick(open_page("pages/runs.py"), [0, 1])
    assert not page.error, texts(page)
    differing = page.dataframe[1].value
    assert differing["value"].tolist() == ["optimizer.lr"]
    assert sorted(differing.iloc[0, 1:]) == ["0.01", "0.5"]
    assert len(charts(page)) == 1
    assert "same data" not in texts(page)


def test_runs_on_different_data_are_compared_with_a_warning(open_page: Open, store: RunStore) -> None:
    recorded(store)
    recorded(store, data={"source": "synthetic:moons", "n": 80})
    page = tick(open_page("pages/runs.py"), [0, 1])
    assert not page.error, texts(page)
    assert "Not all of these runs learn from the same data" in texts(page)


def test_an_upload_is_listed_by_the_name_of_its_file(open_page: Open, store: RunStore) -> None:
    rows = "\n".join(f"{i},{i % 7},{i % 2}" for i in range(60))
    source = save_upload(f"a,b,c\n{rows}".encode(), "mine.csv", store.uploads)
    store.create(ExperimentSpec.parse({"data": {"source": source}}))
    assert open_page("pages/runs.py").dataframe[0].value["data"].tolist() == ["mine.csv"]


def test_delete_asks_first_and_says_how_much_it_freed(open_page: Open, store: RunStore) -> None:
    recorded(store)
    kept = recorded(store)
    page = open_page("pages/runs.py")
    gone = page.dataframe[0].value["id"].tolist().index(kept)
    tick(page, [1 - gone])
    assert len(store.list()) == 2
    button(page, "Delete for good").click().run()
    assert store.list()["id"].tolist() == [kept]
    assert "Deleted 1 run; freed" in texts(page)
    page.run()
    assert "freed" not in texts(page)


def test_a_run_that_is_being_recorded_is_not_deleted(open_page: Open, store: RunStore) -> None:
    run = recorded(store)
    page = tick(open_page("pages/runs.py"), [0])
    with store.writer(run, resume=True):
        button(page, "Delete for good").click().run()
        assert "being recorded" in texts(page)
    assert len(store.list()) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_download_holds_every_row_of_every_table(store: RunStore, kind: Any) -> None:
    run = store.open(recorded(store))
    archive = zipfile.ZipFile(io.BytesIO(tables_zip(run, kind)))
    read = pd.read_csv if kind == "csv" else pd.read_parquet
    steps = read(io.BytesIO(archive.read(f"steps.{kind}")))
    assert len(steps) == len(run.steps) == 4 * 30
    assert from_yaml(archive.read("experiment.yaml").decode()) == run.spec
    assert {"steps", "layers", "evals"} <= {name.split(".")[0] for name in archive.namelist()}
