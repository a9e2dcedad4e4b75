"""Pictures, confusion matrices and activation samples, against the final module's own predictions."""

from typing import Any

import numpy as np
import pytest
import torch

from lossdiag.data import Prepared, boundary_grid, load, prepare
from lossdiag.nn import build_module
from lossdiag.spec import ExperimentSpec
from lossdiag.train import Outcome, batch_order, train


def run(sink: Any, source: str, losses: list[str], **parts: Any) -> tuple[ExperimentSpec, Prepared, Outcome]:
    double = {"precision": "float64", "steps": 40, "eval_every": 20}
    spec = ExperimentSpec.parse({"data": {"source": source}, "losses": losses, "seeds": 2, "train": double} | parts)
    data = prepare(load(spec.data), spec.data)
    return spec, data, train(spec, sink)


def outputs(spec: ExperimentSpec, data: Prepared, outcome: Outcome, member: int, x: np.ndarray) -> torch.Tensor:
    module = build_module(spec.model, data.n_features, data.n_outputs).double()
    module.load_state_dict(dict(outcome.members[member].state))
    return module.eval()(torch.tensor(x)).detach()


def last(sink: Any, kind: str, member: int) -> np.ndarray:
    rows = sink.frame("frames").query(f"kind == '{kind}' and member == {member} and step == 40")
    (row,) = rows.to_dict("records")
    return np.array(row["values"]).reshape(row["shape"])


def test_a_boundary_shows_the_probability_of_the_second_class(sink: Any) -> None:
    spec, data, outcome = run(sink, "synthetic:moons", ["bce_with_logits", "hinge"])
    grid = boundary_grid(data, resolution=48)
    expected = torch.sigmoid(outputs(spec, data, outcome, 2, grid.x)).view(48, 48)
    np.testing.assert_allclose(last(sink, "boundary", 2), expected, rtol=1e-5)
    facts = sink.facts["frames"]["boundary"]
    np.testing.assert_allclose(facts["across"], grid.across)
    np.testing.assert_allclose(facts["up"], grid.up)
    assert facts["output"] == "probability"
    frames = sink.frame("frames").query("kind == 'boundary'")
    assert sorted(frames.member.unique()) == [0, 2]  # the first seed of each configuration
    assert sorted(frames.step.unique()) == [0, 20, 40]


def test_a_boundary_of_many_classes_shows_the_likeliest(sink: Any) -> None:
    spec, data, outcome = run(sink, "synthetic:blobs", ["cross_entropy"])
    grid = boundary_grid(data, resolution=48)
    expected = outputs(spec, data, outcome, 0, grid.x).argmax(-1).view(48, 48)
    np.testing.assert_array_equal(last(sink, "boundary", 0), expected)
    assert sink.facts["frames"]["boundary"]["output"] == "classes"


def test_predictions_are_in_the_target_s_units(sink: Any) -> None:
    spec, data, outcome = run(sink, "sample:diabetes", ["mse"])
    facts = sink.facts["frames"]["prediction"]
    assert facts["rows"] == data.val_rows.tolist()
    np.testing.assert_allclose(facts["true"], data.y_val * data.target_std + data.target_mean)
    expected = outputs(spec, data, outcome, 0, data.x_val).numpy() * data.target_std + data.target_mean
    np.testing.assert_allclose(last(sink, "prediction", 0), expected, rtol=1e-5)


def test_one_feature_gives_a_curve(sink: Any) -> None:
    spec, data, outcome = run(sink, "synthetic:sine", ["mse"])
    facts = sink.facts["frames"]["curve"]
    frame = data.encoder.typical(200)
    frame[facts["axis"]] = facts["x"]
    expected = outputs(spec, data, outcome, 0, data.encoder.encode(frame)).numpy()
    expected = expected * data.target_std + data.target_mean
    np.testing.assert_allclose(last(sink, "curve", 0), expected, rtol=1e-5)


@pytest.mark.parametrize(("source", "loss"), [("sample:iris", "cross_entropy"), ("sample:breast_cancer", "brier")])
def test_confusion_counts_the_validation_rows_of_every_member(source: str, loss: str, sink: Any) -> None:
    spec, data, outcome = run(sink, source, [loss])
    for member in range(2):
        output = outputs(spec, data, outcome, member, data.x_val)
        called = output.argmax(-1) if output.shape[1] > 1 else (output[:, 0] > 0).long()
        expected = np.zeros((len(data.classes), len(data.classes)))
        np.add.at(expected, (data.y_val.reshape(-1).astype(int), called.numpy()), 1)
        np.testing.assert_array_equal(last(sink, "confusion", member), expected)


def test_activation_samples_are_those_of_the_training_batch(sink: Any) -> None:
    spec, data, _ = run(sink, "sample:iris", ["cross_entropy"], model={"activation": "relu", "depth": 2})
    from_start = sink.frame("activations").query("step == 0 and member == 1").sort_values("layer")
    torch.manual_seed(1)
    module = build_module(spec.model, data.n_features, data.n_outputs).double()
    x = torch.tensor(data.x_train)[next(batch_order(1, len(data.x_train), 32))]
    for layer, row in zip(module.hidden, from_start.to_dict("records"), strict=True):
        x = layer(x)
        assert row["mean"] == pytest.approx(x.mean().item(), rel=1e-9)
        assert row["std"] == pytest.approx(x.std(correction=0).item(), rel=1e-9)
        assert row["zero_share"] == pytest.approx((x == 0).double().mean().item(), rel=1e-6)
        assert row["saturated_share"] == pytest.approx((x == 0).double().mean().item(), rel=1e-6)


def test_a_sample_leaves_batch_normalisation_alone(sink: Any) -> None:
    often = run(sink, "sample:iris", ["cross_entropy"], model={"norm": "batch"})[2]
    train_parts = {"precision": "float64", "steps": 40, "eval_every": 1}
    always = run(type(sink)(), "sample:iris", ["cross_entropy"], model={"norm": "batch"}, train=train_parts)[2]
    for one, other in zip(often.members, always.members, strict=True):
        assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
