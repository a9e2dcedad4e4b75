from lossdiag.spec import ExperimentSpec
from ui.diff import differing


def test_only_what_differs_is_listed() -> None:
    first = ExperimentSpec()
    second = ExperimentSpec.parse({"name": "other", "optimizer": {"lr": 1.0}, "clip": {"norm": 2.0}})
    table = differing({"a": first, "b": second})
    assert table.set_index("value").to_dict("index") == {
        "optimizer.lr": {"a": "0.01", "b": "1.0"},
        "clip.norm": {"a": "–", "b": "2.0"},
    }


def test_a_path_that_one_spec_lacks_is_a_dash() -> None:
    table = differing(
        {"a": ExperimentSpec.parse({"losses": ["mse"]}), "b": ExperimentSpec.parse({"losses": ["huber"]})}
    )
    rows = table.set_index("value")
    assert rows.loc["losses.0.params.delta"].tolist() == ["–", "1.0"]


def test_equal_specs_differ_in_nothing() -> None:
    assert differing({"a": ExperimentSpec(), "b": ExperimentSpec()}).empty
