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
    assert figure.layout.yaxis2.ticktext == ("nonfinite", "spike", "stop")
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
