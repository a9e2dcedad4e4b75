"""The statistics of a race against scipy's paired t test, and honesty about members that failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lossdiag.compare import final_table, paired_differences
from lossdiag.errors import SpecError
from lossdiag.spec import ExperimentSpec
from lossdiag.store import Recording, RunStore

SPEC = ExperimentSpec.parse({"losses": ["bce_with_logits", "hinge"], "seeds": [3, 5, 8, 13, 21]})
METRICS = ("accuracy", "log_loss", "loss")


def record(root: Path, values: np.ndarray, *, lost: tuple[int, ...] = (), spec: ExperimentSpec = SPEC) -> Recording:
    """Store `values` [members, metrics] as the last of two evaluations; members in `lost` went non-finite."""
    store = RunStore(root)
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        for step, factor in ((0, 0.5), (10, 1.0)):
            for member, row in enumerate(values):
                columns = [[step] * 3, [member] * 3, ["val"] * 3, list(METRICS), list(row * factor)]
                fields = writer.schema("evals")
                arrays = [pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)]
                writer.append("evals", pa.record_batch(arrays, schema=fields))
        for member in lost:
            writer.event("nonfinite", step=4, member=member, where="loss", detail="loss is nan")
        # A gradient that was infinite once ends nobody.
        writer.event("nonfinite", step=2, member=0, where="gradient", detail="the gradient norm is inf")
        writer.finish("finished")
    return store.open(run_id)


def table_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.8, 0.1, (10, 3))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**16), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_paired_differences_agree_with_scipy(
    tmp_path_factory: pytest.TempPathFactory, seed: int, confidence: float
) -> None:
    values = table_of(seed)
    found = paired_differences(record(tmp_path_factory.mktemp("runs"), values), "accuracy", confidence=confidence)
    a, b = values[5:, 0], values[:5, 0]
    expected = stats.ttest_rel(a, b).confidence_interval(confidence)
    (row,) = found.to_dict("records")
    assert (row["config"], row["baseline"], row["n"]) == ("hinge", "bce_with_logits", 5)
    assert row["mean"] == pytest.approx((a - b).mean(), abs=1e-12)
    assert row["sd"] == pytest.approx((a - b).std(ddof=1), abs=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_final_table_gives_mean_and_spread_of_the_last_evaluation(tmp_path: Path) -> None:
    values = table_of(1)
    table = final_table(record(tmp_path, values)).set_index(["config", "metric"])
    assert list(dict.fromkeys(table.index.get_level_values("metric"))) == list(METRICS)
    row = table.loc[("hinge", "log_loss")]
    assert row["mean"] == pytest.approx(values[5:, 1].mean())
    assert row["sd"] == pytest.approx(values[5:, 1].std(ddof=1))
    assert (row["n"], row["failed"]) == (5, 0)


def test_failed_members_are_left_out_counted_and_named(tmp_path: Path) -> None:
    values = table_of(2)
    recording = record(tmp_path, values, lost=(6,))
    row = final_table(recording).set_index(["config", "metric"]).loc[("hinge", "accuracy")]
    assert row["mean"] == pytest.approx(np.delete(values[5:, 0], 1).mean())
    assert (row["n"], row["failed"], row["failed_members"]) == (4, 1, ("seed 5: not finite",))
    (pair,) = paired_differences(recording, "accuracy").to_dict("records")
    assert (pair["n"], pair["lost_seeds"]) == (4, (5,))
    assert pair["mean"] == pytest.approx(np.delete(values[5:, 0] - values[:5, 0], 1).mean())


def test_members_that_were_never_evaluated_are_named(tmp_path: Path) -> None:
    table = final_table(record(tmp_path, table_of(3)[:9]))
    row = table.set_index(["config", "metric"]).loc[("hinge", "accuracy")]
    assert (row["n"], row["failed_members"]) == (4, ("seed 21: not evaluated",))


def test_an_undefined_yardstick_is_no_failure_but_gives_no_difference(tmp_path: Path) -> None:
    values = table_of(4)
    values[5:, 1] = np.nan
    recording = record(tmp_path, values)
    row = final_table(recording).set_index(["config", "metric"]).loc[("hinge", "log_loss")]
    assert (row["n"], row["failed"]) == (0, 0)
    assert np.isnan(row["mean"])
    (pair,) = paired_differences(recording, "log_loss").to_dict("records")
    assert pair["n"] == 0
    assert np.isnan([pair["mean"], pair["sd"], pair["low"], pair["high"]]).all()


def test_one_seed_gives_a_difference_without_an_interval(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"seeds": (0,)})
    (pair,) = paired_differences(record(tmp_path, table_of(5)[:2], spec=spec), "accuracy").to_dict("records")
    assert np.isfinite(pair["mean"])
    assert np.isnan([pair["sd"], pair["low"], pair["high"]]).all()


def test_raw_losses_of_different_units_are_never_subtracted(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="different units"):
        paired_differences(record(tmp_path, table_of(6)), "loss")


def test_raw_losses_of_one_loss_may_be(tmp_path: Path) -> None:
    spec = ExperimentSpec.parse({"losses": "hinge", "seeds": 5, "grid": {"optimizer.lr": [0.1, 0.01]}})
    (pair,) = paired_differences(record(tmp_path, table_of(7), spec=spec), "loss").to_dict("records")
    assert pair["n"] == 5


def test_a_baseline_is_subtracted_from_every_other(tmp_path: Path) -> None:
    spec = ExperimentSpec.parse({"losses": ["bce_with_logits", "focal_binary", "hinge"], "seeds": 3})
    recording = record(tmp_path, table_of(8)[:9], spec=spec)
    against: pd.DataFrame = paired_differences(recording, "accuracy", "focal_binary")
    assert list(zip(against["config"], against["baseline"], strict=True)) == [
        ("bce_with_logits", "focal_binary"),
        ("hinge", "focal_binary"),
    ]
    assert len(paired_differences(recording, "accuracy")) == 3


@pytest.mark.parametrize(("metric", "baseline", "hint"), [("acuracy", None, "accuracy"), ("accuracy", "hing", "hinge")])
def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path, metric: str, baseline: str, hint: str) -> None:
    with pytest.raises(SpecError, match=f"Did you mean '{hint}'"):
        paired_differences(record(tmp_path, table_of(9)), metric, baseline)
