from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lossdiag.spec import ExperimentSpec, from_query, to_query
from lossdiag.store import RunStore
from tests.pages.conftest import Open, charts, recorded, texts


def widget(page: AppTest, kind: str, label: str):  # type: ignore[no-untyped-def]
    return next(w for w in getattr(page, kind) if w.label == label)


def kinds(page: AppTest) -> list[str]:
    """Return what each chart on the page shows, once: confusion matrices are a chart for each configuration."""
    return list(dict.fromkeys(key.split(".")[2] for key in charts(page)))


def typed(page: AppTest, label: str, text: str) -> AppTest:
    """Type a choice that the list does not have; AppTest can only pick from the list, so it is put there first."""
    box = widget(page, "selectbox", label)
    box.options.append(text)
    return box.set_value(text).run()


def spec_in_link(page: AppTest) -> ExperimentSpec:
    token = page.query_params.get("spec")
    return from_query(token[0] if isinstance(token, list) else token) if token else ExperimentSpec()


def test_the_untouched_page_is_the_default_experiment(open_page: Open) -> None:
    page = open_page("pages/race.py")
    assert not page.error
    assert "3 losses × 5 seeds = 15 members" in texts(page)
    assert spec_in_link(page) == ExperimentSpec()


def test_every_widget_ends_in_the_link_and_a_link_in_the_widgets(open_page: Open) -> None:
    page = open_page("pages/race.py")
    widget(page, "selectbox", "learning rate").set_value("3")
    typed(page, "seeds", "2")
    widget(page, "number_input", "width").set_value(7)
    widget(page, "selectbox", "activation").set_value("tanh")
    page.run()
    spec = spec_in_link(page)
    assert (spec.optimizer.lr, spec.seeds, spec.model.width, spec.model.activation) == (3.0, (0, 1), 7, "tanh")

    again = open_page("pages/race.py", spec=to_query(spec))
    assert widget(again, "selectbox", "learning rate").value == "3"
    assert widget(again, "number_input", "width").value == 7
    assert widget(again, "selectbox", "activation").value == "tanh"
    assert spec_in_link(again) == spec


DIABETES = {"source": "sample:diabetes"}
LINKED = [
    {"losses": [{"name": "focal_binary", "params": {"gamma": 1.0}}, "focal_binary"], "seeds": [3, 7]},
    {"data": {"source": "synthetic:spirals", "n": 200, "noise": 0.3}, "losses": ["bce_with_logits"]},
    {"data": {"source": "sample:diabetes"}, "losses": ["mse", {"name": "huber", "params": {"delta": 2.0}}]},
    {
        "data": {"source": "sample:wine", "drop": ["ash"]},
        "losses": ["cross_entropy"],
        "grid": {"optimizer.lr": [0.1, 1.0]},
    },
    {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}, "clip": {"norm": 1.5}, "stop": {"patience": 4}},
    {"schedule": {"name": "cosine", "warmup": 20}, "train": {"precision": "float64", "eval_every": 7}},
]


@pytest.mark.parametrize("plain", LINKED)
def test_a_linked_experiment_comes_back_whole(open_page: Open, plain: dict[str, object]) -> None:
    spec = ExperimentSpec.parse(plain)
    page = open_page("pages/race.py", spec=to_query(spec))
    assert not page.error, texts(page)
    assert spec_in_link(page) == spec


def test_a_broken_link_says_so_and_leaves_a_usable_page(open_page: Open) -> None:
    page = open_page("pages/race.py", spec="not-a-token")
    assert "damaged" in texts(page)
    assert spec_in_link(page) == ExperimentSpec()
    assert not widget(page, "button", "Run").disabled


@pytest.mark.parametrize("run", ["../../etc", "r20200101-aaaaaaaa", "%00", "a" * 500])
def test_a_run_that_is_not_there_is_one_clear_message(open_page: Open, run: str) -> None:
    page = open_page("pages/race.py", run=run)
    assert not page.exception
    assert len(page.error) <= 1
    assert all("identifier" not in e.value for e in page.error)


def test_losses_follow_the_task(open_page: Open) -> None:
    page = open_page("pages/race.py")
    widget(page, "selectbox", "data set").set_value("diabetes").run()
    assert "Not for a regression target" in texts(page)
    assert {loss.info.tasks[0] for loss in spec_in_link(page).losses} == {"regression"}
    assert spec_in_link(page).data.source == "sample:diabetes"


def test_losses_come_back_with_their_task(open_page: Open) -> None:
    page = open_page("pages/race.py")
    widget(page, "multiselect", "losses").set_value(["hinge", "brier"]).run()
    widget(page, "selectbox", "data set").set_value("diabetes").run()
    widget(page, "selectbox", "data set").set_value("breast_cancer").run()
    assert [loss.name for loss in spec_in_link(page).losses] == ["hinge", "brier"]


def test_another_task_starts_at_the_losses_of_the_untouched_page(open_page: Open) -> None:
    page = open_page("pages/race.py", spec=to_query(ExperimentSpec.parse({"losses": ["mse"], "data": DIABETES})))
    widget(page, "selectbox", "data set").set_value("breast_cancer").run()
    assert spec_in_link(page).losses == ExperimentSpec().losses


def test_the_same_loss_twice_with_other_parameters(open_page: Open) -> None:
    page = open_page("pages/race.py")
    again = next(b for b in page.button if b.key and b.key.endswith("again.focal_binary"))
    again.click().run()
    assert not page.error, texts(page)
    labels = [loss.label for loss in spec_in_link(page).losses]
    assert len(labels) == 4
    assert {"focal_binary", "focal_binary(gamma=4)"} <= set(labels)
    assert "4 losses × 5 seeds = 20 members" in texts(page)


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("learning rate", "fast", "expected a number"),
        ("seeds", "1001", "from 1 to 1000"),
        ("seeds", "two", "how many seeds"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_place(open_page: Open, label: str, value: str, said: str) -> None:
    page = open_page("pages/race.py")
    typed(page, label, value)
    assert said in texts(page)
    assert widget(page, "button", "Run").disabled
    assert spec_in_link(page) == ExperimentSpec()


def test_a_grid_multiplies_the_members(open_page: Open) -> None:
    page = open_page("pages/race.py")
    widget(page, "multiselect", "vary").set_value(["optimizer.lr"]).run()
    widget(page, "text_input", "optimizer.lr").set_value("0.01, 0.1, 1e-3").run()
    assert not page.error, texts(page)
    assert "45 members" in texts(page)
    assert spec_in_link(page).grid == {"optimizer.lr": (0.01, 0.1, 0.001)}


def test_an_upload_is_read_and_its_target_can_be_chosen(open_page: Open) -> None:
    page = open_page("pages/race.py", data="upload")
    assert "No file yet" in texts(page)
    rows = "\n".join(f"{i},{i % 7},{'yes' if i % 2 else 'no'},{i / 3}" for i in range(60))
    page.file_uploader[0].set_value(("mine.csv", f"a,b,c,d\n{rows}".encode(), "text/csv")).run()
    assert not page.error, texts(page)
    assert "regression" in texts(page)
    widget(page, "multiselect", "target").set_value(["c"]).run()
    assert "**binary** (inferred)" in texts(page)
    spec = spec_in_link(page)
    assert spec.data.source.startswith("upload:")
    assert spec.data.target == ("c",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "empty"),
        ("one.csv", b"a,b\n1,5\n2,5\n3,5\n", "only one value"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", "ragged.csv"),
        ("latin.csv", "a,b\n\xe4,1\n".encode("latin-1"), "latin.csv"),
        ("<b>x</b>.csv", b"", "empty"),
    ],
)
def test_a_bad_file_is_one_message_in_place(open_page: Open, name: str, content: bytes, said: str) -> None:
    page = open_page("pages/race.py", data="upload")
    page.file_uploader[0].set_value((name, content, "text/csv")).run()
    assert len(page.error) == 1
    assert said in page.error[0].value.replace("\\", "")
    assert "<b>" not in page.error[0].value
    assert widget(page, "button", "Run").disabled


def test_a_link_cannot_make_the_server_read_a_file(open_page: Open, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password,y\nhunter2,1\n")
    page = open_page("pages/race.py", spec=to_query(ExperimentSpec.parse({"data": {"source": f"file:{secret}"}})))
    assert "hunter2" not in texts(page)
    assert "password" not in texts(page)


def test_yaml_goes_in_and_comes_out(open_page: Open) -> None:
    page = open_page("pages/race.py")
    widget(page, "text_area", "or paste YAML").set_value("seeds: 2\nmodel: {width: 9}").run()
    widget(page, "button", "Load it").click().run()
    assert spec_in_link(page).model.width == 9
    assert widget(page, "number_input", "width").value == 9
    widget(page, "text_area", "or paste YAML").set_value("model: {widht: 9}").run()
    widget(page, "button", "Load it").click().run()
    assert "Did you mean 'width'" in texts(page)


def test_an_ended_run_shows_curves_yardsticks_table_and_differences(open_page: Open, store: RunStore) -> None:
    run = recorded(store)
    page = open_page("pages/race.py", run=run)
    assert not page.error, texts(page)
    assert page.query_params["run"] in (run, [run])
    assert kinds(page) == ["losses", "yardsticks", "forest", "confusion"]
    final, differences = page.dataframe[0].value, page.dataframe[1].value
    assert final["configuration"].tolist() == ["bce_with_logits", "hinge"]
    assert "±" in final["Accuracy"][0]
    assert differences["difference"].tolist() == ["hinge − bce_with_logits"]
    assert "different units" in texts(page)
    assert spec_in_link(page).seeds == (0, 1)


def test_a_set_up_that_is_not_the_runs_says_in_what_it_differs(open_page: Open, store: RunStore) -> None:
    page = open_page("pages/race.py", run=recorded(store))
    assert "Changed since this run" not in texts(page)
    widget(page, "number_input", "width").set_value(7).run()
    assert "Changed since this run: model.width. Press Run to train it." in texts(page)


def test_the_data_can_be_looked_at_beside_a_run(open_page: Open, store: RunStore) -> None:
    page = open_page("pages/race.py", run=recorded(store))
    page.session_state["race.data"] = True
    page.run()
    assert not page.error, texts(page)
    assert "Two features" in [tab.label for tab in page.tabs]


def test_run_queues_a_run_and_shows_it(open_page: Open, store: RunStore) -> None:
    page = open_page("pages/race.py")
    widget(page, "button", "Run").click().run()
    runs = store.list()
    assert len(runs) == 1
    assert page.query_params["run"] in (runs["id"][0], [runs["id"][0]])
    assert not page.exception


def test_an_interrupted_run_says_so(open_page: Open, store: RunStore) -> None:
    run = store.create(ExperimentSpec())
    with store.writer(run):
        pass
    page = open_page("pages/race.py", run=run)
    assert "interrupted" in texts(page)
    assert "process is gone" in texts(page)
    assert "Run it again" in texts(page)
    assert texts(page).count("is kept") == 1


def test_a_run_that_ended_early_says_why(open_page: Open, store: RunStore) -> None:
    run = recorded(store, stop={"max_seconds": 0.001}, train={"steps": 5000})
    assert "This run ended early: stopped after 0.001 seconds." in texts(open_page("pages/race.py", run=run))


@pytest.mark.parametrize(
    ("changes", "pictures"),
    [
        ({"data": {"source": "synthetic:moons", "n": 80}}, ["Decision boundary", "Confusion"]),
        (
            {"data": {"source": "synthetic:sine", "n": 80}, "losses": ["mse"]},
            ["Fitted curve", "Predicted against true"],
        ),
        ({"data": {"source": "sample:diabetes"}, "losses": ["mae"]}, ["Predicted against true"]),
        ({"data": {"source": "synthetic:blobs", "n": 80}, "losses": ["focal"]}, ["Decision boundary", "Confusion"]),
    ],
)
def test_what_was_learned_is_shown_as_the_data_allows(
    open_page: Open, store: RunStore, changes: dict[str, object], pictures: list[str]
) -> None:
    run = recorded(store, **changes)
    page = open_page("pages/race.py", run=run)
    assert not page.error, texts(page)
    assert [tab.label for tab in page.tabs] == pictures
    for picture in pictures:
        page.session_state[f"run.{run}.pictures"] = picture
        page.run()
        assert not page.error, texts(page)
        assert kinds(page)[-1] in ("boundary", "curve", "prediction", "confusion")


def test_members_that_break_are_named_with_their_step(open_page: Open, store: RunStore) -> None:
    run = recorded(
        store, data={"source": "synthetic:linear", "n": 80}, losses=["mse"], optimizer={"name": "sgd", "lr": 1e8}
    )
    events = store.open(run).events
    broken = events[events["kind"] == "nonfinite"]
    assert len(broken)
    page = open_page("pages/race.py", run=run)
    assert f"at step {broken['step'].min()}" in texts(page)
    assert "2 of 2 members broke" in texts(page)
    assert "became" in texts(page)


def test_single_members_on_demand(open_page: Open, store: RunStore) -> None:
    page = open_page("pages/race.py", run=recorded(store))
    widget(page, "multiselect", "single members").set_value([1, 2]).run()
    widget(page, "toggle", "log axis").set_value(True).run()
    assert not page.error, texts(page)
    assert not page.exception
