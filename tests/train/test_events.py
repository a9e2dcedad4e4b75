"""Events: quiet on healthy runs, exact on broken ones, the same however the run is cut into chunks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.spec import ExperimentSpec
from lossdiag.train import train
from lossdiag.train.baseline import STRIDE, WINDOW, Baseline
from lossdiag.train.events import Episodes, Watch
from lossdiag.train.ring import Figures
from lossdiag.train.stack_run import Chunk, Window


@pytest.mark.parametrize(
    "parts",
    [
        {"losses": ["bce_with_logits", "focal_binary", "hinge", "brier"]},
        {"losses": ["bce_with_logits"], "train": {"steps": 1000, "batch_size": 8}, "optimizer": {"lr": 0.003}},
        {"data": {"source": "synthetic:moons"}, "losses": ["bce_with_logits", "hinge"], "train": {"steps": 1000}},
        {"data": {"source": "sample:diabetes"}, "losses": ["mse", "huber"], "train": {"steps": 600}},
        {"data": {"source": "sample:iris"}, "losses": ["cross_entropy"], "train": {"steps": 1000, "batch_size": 8}},
    ],
    ids=str,
)
def test_healthy_runs_are_quiet(parts: dict[str, Any], sink: Any) -> None:
    train(ExperimentSpec.parse({"seeds": 10} | parts), sink)
    assert sink.frame("events").to_dict("records") == []


def chunks_of(loss: np.ndarray, cuts: list[int]) -> list[Chunk]:
    """Return chunks [F, K] of a run whose losses are these and whose norms are all one."""
    found = []
    for start, part in zip(np.cumsum([0, *cuts]), np.split(loss, np.cumsum(cuts)), strict=True):
        ones = np.ones_like(part)
        figures = Figures(part, ones, np.ones((len(part), 1, 3, loss.shape[1])), ones, ones)
        window = Window(int(start), None, None, 0.1 * ones)  # type: ignore[arg-type]
        found.append(Chunk(window, figures, np.ones(len(part)), [], [], []))
    return found


@pytest.mark.parametrize("cuts", [[], [300], [301], [100, 200, 60]])
def test_a_spike_that_lasts_is_told_of_once_at_its_first_high_step(cuts: list[int]) -> None:
    loss = np.random.default_rng(0).lognormal(-1.0, 0.2, size=(500, 2))
    loss[300:304, 1] = 1.2, 1.3, 1.1, 0.9
    watch = Watch([7, 9], ["output"], sudden_rates=[False] * 2)
    found = [e for chunk in chunks_of(loss, cuts) for e in watch.look(chunk, np.full(2, 10**6))]
    assert [(e.kind, e.member, e.step, e.value) for e in found] == [("spike", 9, 300, 1.2)]


def test_one_hard_row_is_no_spike_unless_it_is_enormous() -> None:
    loss = np.random.default_rng(0).lognormal(-1.0, 0.3, size=(500, 2))
    loss[300] = 1.3, 5.0
    watch = Watch([0, 1], ["output"], sudden_rates=[False] * 2)
    (chunk,) = chunks_of(loss, [])
    assert [(e.kind, e.member, e.step) for e in watch.look(chunk, np.full(2, 10**6))] == [("spike", 1, 300)]


def test_nothing_is_told_of_a_member_that_has_ended() -> None:
    loss = np.random.default_rng(0).lognormal(-1.0, 0.3, size=(500, 1))
    loss[300:] = np.inf
    watch = Watch([0], ["output"], sudden_rates=[False])
    (chunk,) = chunks_of(loss, [])
    assert watch.look(chunk, np.array([300])) == []


@settings(derandomize=True, deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_baselines_do_not_depend_on_the_cuts(cuts: list[int]) -> None:
    series = np.random.default_rng(0).lognormal(size=(sum(cuts), 3))
    whole = Baseline(3).follow(series)
    pieces = Baseline(3)
    parts = [pieces.follow(part) for part in np.split(series, np.cumsum(cuts)[:-1])]
    for name in ("median", "spread", "high"):
        joined = np.concatenate([getattr(p, name) for p in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_a_baseline_is_that_of_the_window_before_its_block() -> None:
    series = np.random.default_rng(1).normal(size=(400, 2))
    usual = Baseline(2).follow(series)
    assert np.isnan(usual.median[:STRIDE]).all()
    for step in (STRIDE, 200, 399):
        block = step // STRIDE * STRIDE
        window = np.sort(series[max(0, block - WINDOW) : block], axis=0)
        middle = window[len(window) // 2]
        np.testing.assert_allclose(usual.median[step], middle)
        np.testing.assert_allclose(usual.high[step], window[-4])
        deviation = np.sort(np.abs(window - middle), axis=0)[len(window) // 2]
        np.testing.assert_allclose(usual.spread[step], 1.4826 * deviation)
    np.testing.assert_allclose(usual.start[-1], np.median(series[:STRIDE], axis=0))


def test_an_episode_is_told_of_once_until_it_is_over() -> None:
    episodes = Episodes(1)
    high = np.array([0, 1, 1, 0, 1, 0, 1, 1], dtype=bool)[:, None]
    normal = np.array([1, 0, 0, 0, 0, 1, 0, 0], dtype=bool)[:, None]
    assert list(episodes.begin(high[:3], normal[:3])) == [(1, 0)]
    assert list(episodes.begin(high[3:], normal[3:])) == [(3, 0)]


def test_clipping_is_summed_up_at_the_end(sink: Any) -> None:
    train(ExperimentSpec.parse({"clip": {"norm": 0.05}, "losses": ["bce_with_logits"], "seeds": 2}), sink)
    steps, events = sink.frame("steps"), sink.frame("events").query("kind == 'clip'")
    assert len(events) == 2
    for event in events.to_dict("records"):
        clipped = steps[steps.member == event["member"]].clip_factor < 1
        assert event["value"] == pytest.approx(clipped.mean())


def test_clipping_is_summed_up_for_members_that_fail_in_the_last_chunk_too(sink: Any) -> None:
    spec = ExperimentSpec.parse(
        {
            "losses": ["bce_with_logits"],
            "seeds": 2,
            "clip": {"value": 1e-3},
            "model": {"activation": "exp"},
            "optimizer": {"name": "sgd", "lr": 1e4},
            "train": {"steps": 8},
        }
    )
    assert {m.reason for m in train(spec, sink).members} == {"nonfinite"}
    assert sorted(sink.frame("events").query("kind == 'clip'").member) == [0, 1]


def test_an_explosion_is_told_before_the_loss_is_not_finite(sink: Any) -> None:
    spec = ExperimentSpec.parse(
        {
            "data": {"source": "sample:diabetes"},
            "losses": ["mse"],
            "model": {"activation": "identity"},
            "optimizer": {"name": "sgd", "lr": 1.0},
            "seeds": 4,
        }
    )
    outcome = train(spec, sink)
    assert {m.reason for m in outcome.members} == {"nonfinite"}
    events = sink.frame("events").sort_values("step")
    for member in range(4):
        mine = events[events.member == member]
        kinds = list(zip(mine.kind, mine["where"], strict=True))
        assert ("explosion", "gradient") in kinds
        assert kinds.index(("explosion", "gradient")) < kinds.index(("nonfinite", "loss"))
        assert kinds.count(("explosion", "gradient")) == 1


@pytest.mark.parametrize(("peak", "told"), [(9.0, 0), (11.0, 1)])
def test_a_gradient_that_was_nearly_zero_does_not_explode_by_growing_to_a_common_size(peak: float, told: int) -> None:
    # As at the end of a fit that has become perfect, or on the plateau that a saturated start lies on.
    norm = np.random.default_rng(0).lognormal(-6.0, 0.2, size=(500, 1))
    norm[[3, 300], 0] = peak
    (chunk,) = chunks_of(np.ones_like(norm), [])
    chunk.figures.norms[:, 0, 2] = norm
    found = Watch([0], ["output"], sudden_rates=[False]).look(chunk, np.full(1, 10**6))
    assert [(e.kind, e.where, e.step) for e in found] == [("explosion", "gradient", s) for s in (3, 300)] * told


def test_step_schedules_report_every_change_and_smooth_ones_none(sink: Any) -> None:
    schedule = {"name": "step", "every": 70}
    grid = {"schedule.name": ["step", "cosine"]}
    spec = ExperimentSpec.parse({"schedule": schedule, "losses": ["hinge"], "seeds": 1, "grid": grid})
    train(spec, sink)
    events = sink.frame("events").query("kind == 'lr_change'")
    assert set(events.member) == {0}
    assert events.step.tolist() == [70, 140, 210, 280]
    np.testing.assert_allclose(events.value, [0.005, 0.0025, 0.00125, 0.000625])
