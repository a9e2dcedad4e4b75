import numpy as np
import pytest

from lossdiag.errors import StoreError
from lossdiag.figures import (
    generalisation_gap,
    loss_curves,
    lr_curve,
    note,
    overlay_runs,
    step_curves,
    yardstick_curves,
)
from lossdiag.figures.style import ALARM, Theme

TWO = {"losses": ["mse", "mae"], "seeds": 2, "data": {"source": "synthetic:sine"}}
ONE = {"losses": ["mse"], "seeds": 1, "data": {"source": "synthetic:sine"}}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_mean_and_band_are_those_of_numpy(theme: Theme, record, sent) -> None:
    rng = np.random.default_rng(0)
    losses = {m: rng.random(50).astype(np.float32) for m in range(4)}
    figure = loss_curves(record(losses, **TWO), theme=theme)
    out = sent(figure)
    for label, members in (("mse", [0, 1]), ("mae", [2, 3])):
        both = np.stack([losses[m] for m in members]).astype(np.float64)
        np.testing.assert_array_equal(out.array(label, "x"), np.arange(50))
        np.testing.assert_allclose(out.array(label, "y"), both.mean(axis=0), rtol=1e-6)
        np.testing.assert_array_equal(out.array(f"{label} low", "y"), both.min(axis=0).astype(np.float32))
        np.testing.assert_array_equal(out.array(f"{label} high", "y"), both.max(axis=0).astype(np.float32))
    assert "band: the lowest to the highest" in note(figure)


def test_losses_in_different_units_never_share_an_axis_unsaid(record, sent) -> None:
    recording = record({m: np.ones(5) for m in range(4)}, **TWO)
    apart = loss_curves(recording)
    assert [apart.layout.yaxis.title.text, apart.layout.yaxis2.title.text] == ["loss", "loss"]
    assert {a.text for a in apart.layout.annotations} >= {"mse", "mae"}
    assert [t["yaxis"] for t in sent(apart).traces if t["name"] in ("mse", "mae")] == ["y", "y2"]
    assert "own unit" in loss_curves(recording, panels="one").layout.yaxis.title.text
    assert loss_curves(record({0: np.ones(3)}, **ONE)).layout.yaxis.title.text == "loss"


def test_every_nonfinite_value_is_marked_at_its_step(record, sent) -> None:
    values = np.ones(500, np.float32)
    values[[41, 300, 499]] = [np.nan, np.inf, -np.inf]
    figure = loss_curves(record({0: values}, **ONE))
    out = sent(figure)
    np.testing.assert_array_equal(out.array("not finite", "x"), [41, 300, 499])
    (marks,) = out.named("not finite")
    assert marks["text"][0] == "NaN in loss, mse seed 0, step 41"
    assert [t.split()[0] for t in marks["text"]] == ["NaN", "+inf", "-inf"]
    assert marks["marker"] == {"symbol": "x", "size": 9, "color": ALARM}
    assert "Not finite (x): 3 values." in note(figure)


def test_a_long_stretch_is_marked_at_both_ends(record, sent) -> None:
    values = np.ones(1000, np.float32)
    values[200:] = np.nan
    out = sent(loss_curves(record({0: values}, **ONE)))
    np.testing.assert_array_equal(out.array("not finite", "x"), [200, 999])
    assert out.named("not finite")[0]["text"][0] == "NaN in loss, mse seed 0, step 200 to 999 (800 values)"


def test_the_line_breaks_where_values_are_not_finite(record, sent) -> None:
    values = np.array([1, 2, np.nan, np.nan, 5], np.float32)
    out = sent(loss_curves(record({0: values}, **ONE)))
    np.testing.assert_array_equal(out.array("mse", "y"), [1, 2, np.nan, 5])


def test_a_million_steps_keep_spikes_and_stay_small(record, sent) -> None:
    values = np.random.default_rng(0).normal(1, 0.1, 1_000_000).astype(np.float32)
    spikes = np.random.default_rng(1).choice(len(values), 50, replace=False)
    values[spikes] = np.random.default_rng(2).uniform(50, 60, 50)
    odd = np.setdiff1d(np.random.default_rng(3).choice(len(values), 30, replace=False), spikes)
    values[odd] = np.nan
    figure = loss_curves(record({0: values}, **ONE), smoothing=0.9)
    out = sent(figure)
    assert np.isin(spikes, out.array("raw mse", "x")).all()
    np.testing.assert_array_equal(out.array("not finite", "x"), np.sort(odd))
    assert out.size <= 300_000
    assert "999,970 -> " in note(figure)


def test_members_as_colours_and_as_thin_lines(record, sent) -> None:
    losses = {m: np.full(5, m, np.float32) for m in range(4)}
    recording = record(losses, **TWO)
    out = sent(loss_curves(recording, by="member", members=[1, 2]))
    np.testing.assert_array_equal(out.array("mse seed 1", "y"), np.full(5, 1))
    np.testing.assert_array_equal(out.array("mae seed 0", "y"), np.full(5, 2))
    assert not out.named("mse seed 0")
    thin = sent(loss_curves(recording, singles=True))
    np.testing.assert_array_equal(thin.array("mae seed 1", "y"), np.full(5, 3))
    # A subset keeps the colours of the whole.
    whole, part = (sent(loss_curves(recording, members=m)) for m in (None, [2, 3]))
    assert whole.named("mae")[0]["line"] == part.named("mae")[0]["line"]


def test_smoothing_leaves_the_raw_line_visible(record, sent) -> None:
    values = np.random.default_rng(0).random(100).astype(np.float32)
    out = sent(loss_curves(record({0: values}, **ONE), smoothing=0.8))
    np.testing.assert_array_equal(out.array("raw mse", "y"), values)
    weights = 0.8 ** np.arange(99, -1, -1)
    np.testing.assert_allclose(out.array("mse", "y")[-1], weights @ values / weights.sum(), rtol=1e-5)


def test_a_log_axis_says_what_it_cannot_show(record) -> None:
    figure = loss_curves(record({0: np.array([1.0, 0.0, -1.0, 2.0])}, **ONE), log_y=True)
    assert figure.layout.yaxis.type == "log"
    assert "not on the log axis: 2 values." in note(figure)


def test_members_that_stop_early_leave_the_mean_to_the_others(record, sent) -> None:
    spec = {**ONE, "seeds": 2}
    out = sent(loss_curves(record({0: np.array([1.0, 1.0, 1.0]), 1: np.array([3.0, np.nan])}, **spec)))
    np.testing.assert_array_equal(out.array("mse", "y"), [2, 1, 1])
    np.testing.assert_array_equal(out.array("mse", "customdata"), [2, 1, 1])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_and_only_nan_are_drawn_without_an_exception(theme: Theme, record, sent) -> None:
    assert note(loss_curves(record({}, **ONE), theme=theme)) == "No step has been recorded yet."
    only = loss_curves(record({0: np.full(4, np.nan)}, **ONE), smoothing=0.5, theme=theme)
    assert "Not finite (x): 4 values." in note(only)
    np.testing.assert_array_equal(sent(only).array("not finite", "x"), [0, 3])


def test_values_beyond_float32_survive(record, sent) -> None:
    out = sent(loss_curves(record({0: np.array([1e300, 1.0])}, **ONE, train={"precision": "float64"})))
    np.testing.assert_array_equal(out.array("mse", "y"), [1e300, 1])


def test_events_stand_on_a_rail_under_the_curve(record, sent) -> None:
    def events(writer, fill) -> None:
        writer.event("nonfinite", step=2, member=0, where="loss", detail="loss is NaN <b>here</b>")
        writer.event("spike", step=1, member=1, detail="loss rose")
        writer.event("stop", step=4, detail="done")

    recording = record({0: np.ones(5), 1: np.ones(5)}, events, **{**ONE, "seeds": 2})
    figure = loss_curves(recording)
    out = sent(figure)
    np.testing.assert_array_equal(out.array("nonfinite", "x"), [2])
    assert out.named("nonfinite")[0]["text"] == ["member 0, loss is NaN &lt;b&gt;here&lt;/b&gt;"]
    assert out.named("stop")[0]["text"] == ["the whole run, done"]
    assert figure.layout.yaxis2.ticktext == ("broke", "spike", "stopped")
    assert not sent(loss_curves(recording, members=[0])).named("spike")
    assert not sent(loss_curves(recording, rail=False)).named("stop")


def test_other_step_quantities(record, sent) -> None:
    recording = record({0: np.array([1.0, 2.0])}, **ONE)
    norms = step_curves(recording, "grad_norm")
    np.testing.assert_array_equal(sent(norms).array("mse", "y"), [2, 3])
    assert norms.layout.yaxis.type == "log"
    np.testing.assert_allclose(sent(lr_curve(recording)).array("mse", "y"), [0.01, 0.01], rtol=1e-6)
    assert step_curves(recording, "update_ratio").layout.shapes[0].y0 == 1e-4


def evaluated(writer, fill) -> None:
    for member, offset in enumerate((0.0, 0.2, 0.5, 0.7)):
        for split, value in (("train", 0.25), ("val", 0.125)):
            for step in (10, 0):
                fill(writer, "evals", step=[step], member=member, split=split, metric="mae", value=value + offset)
        log_loss = 0.5 if member < 2 else np.nan
        fill(writer, "evals", step=[0], member=member, split="val", metric="log_loss", value=log_loss)


def test_yardsticks_share_one_panel(record, sent) -> None:
    recording = record({}, evaluated, **TWO)
    out = sent(yardstick_curves(recording, "mae"))
    np.testing.assert_array_equal(out.array("mse", "x"), [0, 10])
    np.testing.assert_allclose(out.array("mse", "y"), [0.225, 0.225], rtol=1e-6)
    assert {t["yaxis"] for t in out.traces} == {"y"}
    np.testing.assert_allclose(sent(yardstick_curves(recording, "mae", split="train")).array("mae", "y"), 0.85)
    np.testing.assert_allclose(sent(generalisation_gap(recording, "mae")).array("mse", "y"), [0.125, 0.125])


def test_a_yardstick_that_a_loss_cannot_have_is_no_alarm(record, sent) -> None:
    figure = yardstick_curves(record({}, evaluated, **TWO), "log_loss")
    assert not sent(figure).named("not finite")
    assert note(figure).startswith("log_loss is not defined for mae.")
    assert not sent(overlay_runs({"one": record({}, evaluated, **TWO)}, "log_loss")).named("not finite")


def test_an_unknown_yardstick_is_refused_with_those_there_are(record) -> None:
    with pytest.raises(StoreError, match="no yardstick 'maee'; it has log_loss, mae. Did you mean 'mae'"):
        yardstick_curves(record({}, evaluated, **TWO), "maee")
    assert note(yardstick_curves(record({}, **TWO), "mae")) == "Nothing has been evaluated yet."


def test_runs_are_overlaid_with_colours_of_their_own(record, sent) -> None:
    recording = record({}, evaluated, **TWO)
    out = sent(overlay_runs({"one": recording, "two": recording}, "mae"))
    assert len({t["line"]["color"] for t in out.traces if t["line"]["width"]}) == 4
    np.testing.assert_allclose(out.array("two: mae", "y"), 0.725, rtol=1e-6)
    with pytest.raises(StoreError, match="no yardstick"):
        overlay_runs({"one": recording}, "r3")


def test_a_thousand_members_stay_within_what_a_chart_may_send(record, sent) -> None:
    losses = {m: np.random.default_rng(m).random(400) for m in range(1000)}
    recording = record(losses, **{**ONE, "seeds": 1000})
    figure = loss_curves(recording, by="member")
    assert sent(figure).size <= 300_000
    assert "Left out: 880 lines" in note(figure)
    assert sent(loss_curves(recording, by="config")).size <= 300_000


def runaway(last: float = 1e30) -> dict[int, np.ndarray]:
    """Four members of 300 steps; the first runs away from step 90 on and ends at 101."""
    values = {m: 1 + 0.1 * np.random.default_rng(m).standard_normal(300) for m in range(4)}
    values[0] = np.r_[values[0][:90], np.geomspace(10, last, 11), np.inf]
    return values


FOUR = {**ONE, "seeds": 4}


def test_a_runaway_seed_gets_a_log_axis_of_its_own_panel_only(record) -> None:
    figure = loss_curves(record(runaway(), **{**TWO, "seeds": 2}), rail=False)
    assert [figure.layout.yaxis.type, figure.layout.yaxis2.type] == ["log", "linear"]
    assert figure.layout.yaxis2.range is None


def test_values_beyond_the_axis_are_marked_with_what_they_are(record, sent) -> None:
    figure = loss_curves(record(runaway(), **FOUR), log_y=False)
    out = sent(figure)
    high = figure.layout.yaxis.range[1]
    assert high < 3
    (marks,) = out.named("mse beyond the axis")
    np.testing.assert_array_equal(out.array("mse beyond the axis", "x"), [90, 100])
    assert (out.array("mse beyond the axis", "y") < high).all()
    assert marks["marker"]["color"] == out.named("mse")[0]["line"]["color"]
    assert marks["marker"]["symbol"] == ["triangle-up", "triangle-up"]
    assert marks["text"][1].startswith("mse seed 0, step 100: 1e+30, above the axis")
    assert "11 values from step 90 to 100 lie above, the farthest is 1e30" in marks["text"][0]
    assert "11 values lie above the axis (up to 1e30, mse seed 0): double-click shows all." in note(figure)
    np.testing.assert_array_equal(out.array("not finite", "x"), [101])
    assert np.nanmax(out.array("mse", "y")) > 1e28  # nothing is taken from the line itself


def test_short_stretches_are_marked_value_by_value_on_both_sides(record, sent) -> None:
    values = 1 + 0.1 * np.random.default_rng(0).standard_normal(300)
    values[[50, 51, 70]] = [1e9, 2e9, -1e9]
    figure = loss_curves(record({0: values}, **ONE))
    out = sent(figure)
    np.testing.assert_array_equal(out.array("mse beyond the axis", "x"), [50, 51, 70])
    symbols = ["triangle-up", "triangle-up", "triangle-down"]
    assert out.named("mse beyond the axis")[0]["marker"]["symbol"] == symbols
    assert (
        "2 values lie above the axis (up to 2e9, mse seed 0) and 1 value lies below the axis "
        "(down to -1e9, mse seed 0): double-click shows all." in note(figure)
    )


def test_a_healthy_run_has_no_cut_axis(record, sent) -> None:
    losses = {m: 0.1 + 2.9 * np.exp(-np.arange(300) / 5) for m in range(4)}
    figure = loss_curves(record(losses, **FOUR))
    assert (figure.layout.yaxis.type, figure.layout.yaxis.range) == ("linear", None)
    assert not sent(figure).named("mse beyond the axis")
    assert "axis" not in note(figure)


def test_yardsticks_gaps_and_overlays_keep_to_what_most_curves_do(record) -> None:
    def wild(writer, fill) -> None:
        for split, factor in (("train", 1.0), ("val", 0.5)):
            for member, values in runaway().items():
                finite = values[np.isfinite(values)] * factor
                fill(
                    writer, "evals", step=np.arange(len(finite)), member=member, split=split, metric="mae", value=finite
                )

    recording = record({}, wild, **FOUR)
    figures = (
        yardstick_curves(recording, "mae"),
        generalisation_gap(recording, "mae"),
        overlay_runs({"one": recording}, "mae"),
    )
    for figure in figures:
        assert figure.layout.yaxis.range[1] < 3
        assert "11 values lie above the axis (up to 5e29, mse seed 0)" in note(figure)


def test_norms_are_cut_on_their_log_axis_and_schedules_never(record) -> None:
    recording = record(runaway(1e20), **FOUR)
    norms = step_curves(recording, "grad_norm")
    assert norms.layout.yaxis.type == "log"
    assert 2 < norms.layout.yaxis.range[1] < 6
    assert "above the axis" in note(norms)

    def warm_up(writer, fill) -> None:
        fill(writer, "steps", step=np.arange(300), member=0, lr=np.r_[np.geomspace(1e-7, 1, 20), np.ones(280)])

    assert lr_curve(record({}, warm_up, **ONE)).layout.yaxis.range is None
    assert lr_curve(record({}, warm_up, **ONE)).layout.yaxis.type == "linear"


def test_single_members_look_like_their_configurations(record, sent) -> None:
    recording = record({m: np.full(5, m, np.float32) for m in range(4)}, **TWO)
    by_config, by_member = (sent(loss_curves(recording, members=[1, 2], by=by)) for by in ("config", "member"))
    assert by_config.named("mae")[0]["line"] == by_member.named("mae seed 0")[0]["line"]
    several = sent(loss_curves(recording, by="member"))
    assert len({str(several.named(f"{loss} seed {i}")[0]["line"]) for loss in ("mse", "mae") for i in (0, 1)}) == 4


def test_more_marks_than_a_chart_takes_are_counted(record, sent) -> None:
    values = np.ones(20_000)
    values[10:12_010:12] = np.random.default_rng(0).uniform(1e6, 1e9, 1000)
    figure = loss_curves(record({0: values}, **ONE), log_y=False)
    assert len(sent(figure).array("mse beyond the axis", "x")) == 500
    assert "Marks left out: 500." in note(figure)
    assert sent(figure).size <= 300_000
