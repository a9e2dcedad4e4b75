"""What a person types, as an experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossdiag.cli.arguments import changed, data_source, loss, race, read_spec
from lossdiag.errors import SpecError
from lossdiag.spec import ExperimentSpec, to_json, to_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hinge", {"name": "hinge", "params": {}}),
        ("focal_binary:gamma=3", {"name": "focal_binary", "params": {"gamma": 3}}),
        ("focal_binary:gamma=0.5, alpha=1e-1", {"name": "focal_binary", "params": {"gamma": 0.5, "alpha": "1e-1"}}),
        ("cross_entropy:weight=[1, 2, 3],label_smoothing=0.1", None),
        ("cross_entropy:weight=balanced", {"name": "cross_entropy", "params": {"weight": "balanced"}}),
    ],
)
def test_losses_with_parameters(text: str, expected: dict[str, object] | None) -> None:
    found = loss(text)
    if expected is None:
        expected = {"name": "cross_entropy", "params": {"weight": [1, 2, 3], "label_smoothing": 0.1}}
    assert found == expected
    ExperimentSpec.parse({"losses": [found]})


def test_a_race_has_what_was_asked_for_and_defaults_otherwise() -> None:
    spec = race(["hinge", "focal_binary:gamma=3"], data="sample:iris", target=["species"], seeds=4, steps=50, lr=0.5)
    assert [found.label for found in spec.losses] == ["hinge", "focal_binary(gamma=3)"]
    assert (spec.data.source, spec.data.target, spec.seeds) == ("sample:iris", ("species",), (0, 1, 2, 3))
    assert (spec.train.steps, spec.optimizer.lr, spec.model) == (50, 0.5, ExperimentSpec().model)


def test_changes_are_read_as_yaml_and_applied_together() -> None:
    changes = ["optimizer.lr=1e-3", "model.activation=tanh", "clip.norm=null", "grid={model.width: [4, 8]}"]
    spec = changed(ExperimentSpec(), changes)
    assert (spec.optimizer.lr, spec.model.activation, spec.clip.norm) == (1e-3, "tanh", None)
    assert spec.grid == {"model.width": (4, 8)}
    together = changed(spec, ["optimizer.nesterov=true", "optimizer.momentum=0.9"])
    assert together.optimizer.nesterov


def test_a_path_is_a_file_and_a_name_alone_is_answered_with_its_kind(tmp_path: Path) -> None:
    file = tmp_path / "a:b.csv"
    file.write_text("x,y\n1,2\n")
    assert data_source(str(file)) == f"file:{file}"
    assert data_source("synthetic:moons") == "synthetic:moons"
    with pytest.raises(SpecError, match="Did you mean 'sample:iris'"):
        data_source("iris")
    with pytest.raises(SpecError, match="no file 'nowhere.csv'"):
        data_source("nowhere.csv")


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_spec_is_read_from_its_file(tmp_path: Path, suffix: str) -> None:
    spec = changed(ExperimentSpec(), ["seeds=2"])
    path = tmp_path / f"race{suffix}"
    path.write_text(to_json(spec) if suffix == ".json" else to_yaml(spec))
    assert read_spec(path) == spec


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe", "UTF-8"), (b"a: [", "not YAML"), (b"modle: {}", "Did you mean 'model'")]
)
def test_a_bad_file_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "race.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=says) as refused:
        read_spec(path)
    assert "race.yaml" in str(refused.value)


@pytest.mark.parametrize("text", ["model.width", "=3", "model.width=[1"])
def test_a_change_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="--set"):
        changed(ExperimentSpec(), [text])
