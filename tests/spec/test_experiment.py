"""The experiment: defaults, refusals, members, grids."""

import pytest

from lossdiag.errors import SpecError
from lossdiag.registry import loss_cards
from lossdiag.spec import ExperimentSpec, get_path, known_paths, patch


def test_defaults_are_a_whole_experiment() -> None:
    spec = ExperimentSpec()
    assert [m.label for m in spec.members()][:2] == ["bce_with_logits seed 0", "bce_with_logits seed 1"]
    assert len(spec.members()) == len(spec.losses) * len(spec.seeds) == 15
    assert spec.title == "breast_cancer: bce_with_logits, focal_binary, hinge"


@pytest.mark.parametrize(
    ("plain", "parts"),
    [
        ({"optimizer": {"name": "adm"}}, ["optimizer.name", "'adm'", "Did you mean 'adam'?"]),
        ({"losses": ["hubber"]}, ["losses.0.name", "'hubber'", "Did you mean 'huber'?", "lossdiag losses"]),
        ({"optimzer": {}}, ["optimzer", "no such field", "Did you mean 'optimizer'?"]),
        ({"model": {"widht": 3}}, ["model.widht", "no such field", "Did you mean 'width'?"]),
        ({"data": {"source": "sample:irsi"}}, ["data.source", "'sample:irsi'", "Did you mean 'iris'?"]),
        ({"data": {"source": "simple:iris"}}, ["data.source", "'simple:iris'", "Did you mean 'sample'?"]),
        ({"data": {"source": "upload:../../etc"}}, ["data.source", "16 hexadecimal digits"]),
        (
            {"losses": [{"name": "focal_binary", "params": {"gama": 1}}]},
            ["losses.0", "no parameter 'gama'", "Did you mean 'gamma'?"],
        ),
        (
            {"losses": [{"name": "focal_binary", "params": {"gamma": "much"}}]},
            ["losses.0", "'gamma'", "expected a number", "got 'much'"],
        ),
        ({"grid": {"optimizer.lrr": [1]}}, ["grid path 'optimizer.lrr'", "Did you mean 'optimizer.lr'?"]),
        ({"grid": {"optimizer.lr": ["x"]}}, ["optimizer.lr", "'x'", "number"]),
        ({"grid": {"optimizer.lr": []}}, ["optimizer.lr", "no values"]),
        ({"grid": {"optimizer.lr": [0.1, 0.2, "1e-1"]}}, ["optimizer.lr", "lists 0.1 twice"]),
        ({"grid": {"optimizer.lr": [0.01, 0.0100000001]}}, ["optimizer.lr", "lists 0.01 twice", "six digits"]),
        ({"grid": {"train.steps": [10, 20]}}, ["train.steps", "same for all members"]),
        ({"grid": {"optimizer.nesterov": [False, True]}}, ["nesterov", "momentum"]),
        ({"optimizer": {"lr": -1}}, ["optimizer.lr", "-1", "greater than or equal to 0"]),
        ({"optimizer": {"lr": float("nan")}}, ["optimizer.lr", "nan", "finite number"]),
        ({"seeds": 0}, ["seeds", "0", "how many"]),
        ({"seeds": [1, 1]}, ["seeds", "distinct"]),
        ({"seeds": 1000}, ["3000 members", "at most 1000"]),
        ({"losses": []}, ["losses", "at least 1"]),
        ({"losses": ["mse", "mse"]}, ["losses", "'mse' is listed twice"]),
        ({"train": {"steps": 1.5}}, ["train.steps", "1.5", "integer"]),
        ({"clip": {"norm": -3}}, ["clip.norm", "-3", "greater than 0"]),
        ([1], ["mapping", "[1]"]),
    ],
)
def test_refusal_names_path_value_and_expectation(plain: object, parts: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        ExperimentSpec.parse(plain)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert "\n" not in message
    assert " | " not in message, "one fault, one complaint"


def test_two_faults_are_both_named() -> None:
    with pytest.raises(SpecError, match=r"model\.depth.* \| optimizer\.name"):
        ExperimentSpec.parse({"optimizer": {"name": "adm"}, "model": {"depth": -1}})


def test_short_forms() -> None:
    spec = ExperimentSpec.parse({"losses": "mse", "seeds": 3, "grid": {"optimizer.lr": 0.1}})
    assert [loss.name for loss in spec.losses] == ["mse"]
    assert spec.seeds == (0, 1, 2)
    assert spec.grid == {"optimizer.lr": (0.1,)}


def test_grid_multiplies_members_and_reaches_into_one_loss_only() -> None:
    spec = ExperimentSpec.parse(
        {
            "losses": ["bce_with_logits", "focal_binary"],
            "seeds": [7, 8],
            "grid": {"optimizer.lr": ["1e-3", 0.1], "losses.1.params.gamma": [0, 1, 2]},
        }
    )
    members = spec.members()
    assert [m.id for m in members] == list(range(2 * 2 + 2 * 3 * 2))
    assert len({m.label for m in members}) == len(members)
    bce = [m for m in members if m.loss.name == "bce_with_logits"]
    assert len(bce) == 4
    assert all("losses.1.params.gamma" not in m.grid for m in bce)
    focal = [m for m in members if m.loss.name == "focal_binary"]
    assert {(m.grid["optimizer.lr"], m.loss.params["gamma"]) for m in focal} == {
        (lr, g) for lr in (0.001, 0.1) for g in (0.0, 1.0, 2.0)
    }
    alone = spec.member_spec(focal[-1])
    assert (alone.optimizer.lr, alone.seeds, alone.grid) == (0.1, (8,), {})
    assert alone.losses == (focal[-1].loss,)
    assert len(alone.members()) == 1


def test_grid_values_are_told_apart_by_their_labels() -> None:
    grid = {"data.seed": [12345678, 12345679], "optimizer.lr": ["1e-3", 0.01], "model.skip": [True, False]}
    members = ExperimentSpec.parse({"losses": ["mse"], "grid": grid}).members()
    assert len({m.label for m in members}) == len(members) == 8 * 5


def test_patch_and_get_path() -> None:
    spec = ExperimentSpec()
    changed = patch(spec, {"optimizer.lr": 1.0, "losses.1.params.gamma": 4, "clip.norm": 0.5})
    assert (changed.optimizer.lr, changed.losses[1].values["gamma"], changed.clip.norm) == (1.0, 4, 0.5)
    assert spec.optimizer.lr == 0.01
    with pytest.raises(SpecError, match="Did you mean 'optimizer.lr'"):
        patch(spec, {"optimizer.lrx": 1.0})
    with pytest.raises(SpecError, match=r"optimizer\.lr: got -1"):
        patch(spec, {"optimizer.lr": -1})


def test_every_known_path_can_be_read() -> None:
    spec = ExperimentSpec()
    for path in known_paths(spec):
        get_path(spec, path)
    assert "losses.1.params.gamma" in known_paths(spec)


def test_a_grid_may_take_every_path_that_it_offers() -> None:
    spec = ExperimentSpec()
    assert {"optimizer.lr", "model.width", "data.noise"} <= set(spec.grid_paths())
    assert not {"train.steps", "seeds", "name", "stop.patience"} & set(spec.grid_paths())
    for path in spec.grid_paths():
        assert patch(spec, {"grid": {path: (get_path(spec, path),)}}).grid


def test_every_field_has_a_help_text() -> None:
    def fields(model: type) -> None:
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                fields(inner)
            else:
                assert field.description, f"{model.__name__}.{name}"

    fields(ExperimentSpec)


def test_a_spec_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ExperimentSpec().optimizer.lr = 3.0


def test_loss_values_are_defaults_overlaid() -> None:
    card = loss_cards()["focal_binary"]
    spec = ExperimentSpec.parse({"losses": [{"name": "focal_binary", "params": {"gamma": 3}}]})
    assert spec.losses[0].values == {p.name: p.default for p in card.params} | {"gamma": 3.0}
    assert spec.losses[0].label == "focal_binary(gamma=3)"
