import numpy as np
import pandas as pd
import pytest

from lossdiag.figures.fitted import fit_curve
from lossdiag.figures.outcome import confusion_matrices, paired_differences, predicted_vs_true
from lossdiag.figures.style import PALETTE, Theme, note

pytestmark = pytest.mark.parametrize("theme", ["light", "dark"])


def test_confusion_matrices_hold_counts_and_row_shares(theme: Theme, sent, decode) -> None:
    counts = np.array([[50, 10], [5, 35]])
    figure = sent(confusion_matrices({"mse": counts, "mae": counts.T}, ["no", "yes"], theme=theme))
    first, second = figure.traces
    assert first["text"] == [["50", "10"], ["5", "35"]]
    np.testing.assert_allclose(decode(first["z"]), counts / counts.sum(axis=1, keepdims=True), rtol=1e-6)
    assert second["text"] == [["50", "5"], ["10", "35"]]
    assert first["x"] == ["no", "yes"]


def test_a_class_without_rows_has_no_share(theme: Theme, sent, decode) -> None:
    figure = sent(confusion_matrices({"mse": np.array([[3, 1], [0, 0]])}, ["a", "b"], theme=theme))
    np.testing.assert_array_equal(np.isnan(decode(figure.traces[0]["z"])), [[False, False], [True, True]])


def test_equal_and_hostile_class_names_stay_apart(theme: Theme, sent) -> None:
    figure = sent(confusion_matrices({"mse": np.eye(3)}, ["a", "a", "<a href='x'>"], theme=theme))
    assert figure.traces[0]["x"] == ["a #0", "a #1", "&lt;a href='x'&gt;"]


def test_predictions_are_drawn_against_truth(theme: Theme, sent) -> None:
    true = np.array([1.0, 2.0, 3.0])
    figure = predicted_vs_true(true, {"mse": np.array([1.5, np.nan, 2.5])}, unit="cm", theme=theme)
    out = sent(figure)
    np.testing.assert_array_equal(out.array("mse", "x"), [1, 3])
    np.testing.assert_array_equal(out.array("mse", "y"), [1.5, 2.5])
    np.testing.assert_array_equal(out.array("mse: not finite", "x"), [2])
    assert note(figure) == "Not finite: 1 prediction."
    assert figure.layout.xaxis.title.text == "true (cm)"


def test_runaway_predictions_stand_at_the_edge_and_flatten_nothing(theme: Theme, sent, decode) -> None:
    true = np.linspace(0, 10, 11)
    wild = np.r_[true[:9], 1e20, -1e20]
    figure = predicted_vs_true(true, {"mse": wild, "mae": true + 5}, looks={"mse": 4, "mae": 1}, theme=theme)
    out = sent(figure)
    (mark,) = out.named("mse: beyond")
    np.testing.assert_array_equal(decode(mark["y"]), [15, -5])
    np.testing.assert_array_equal(decode(mark["customdata"]), [1e20, -1e20])
    assert mark["marker"]["color"] == PALETTE[4]
    np.testing.assert_array_equal(out.array("mse", "y"), true[:9])
    np.testing.assert_array_equal(out.array("mae", "y"), true + 5)
    assert note(figure) == "mse: 2 predictions far beyond the true values, at the edge."


def test_many_predictions_are_sampled_and_it_says_so(theme: Theme, sent) -> None:
    true = np.arange(100_000.0)
    figure = predicted_vs_true(true, {"a": true, "b": true + 1}, theme=theme)
    out = sent(figure)
    assert len(out.array("a", "x")) == 2000
    np.testing.assert_array_equal(out.array("b", "y"), out.array("b", "x") + 1)
    assert note(figure) == "2,000 of 100,000 points are drawn."
    assert out.size < 300_000


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_to_draw_is_said(theme: Theme, value: float) -> None:
    assert note(predicted_vs_true(np.array([]), {}, theme=theme)) == "No predictions were recorded."
    assert "not finite" in note(predicted_vs_true(np.array([value]), {"a": np.array([value])}, theme=theme))
    assert note(confusion_matrices({}, [], theme=theme))
    assert note(fit_curve(np.array([]), np.array([]), np.array([]), {}, theme=theme))


def test_a_fit_over_seeds_has_mean_and_range(theme: Theme, sent) -> None:
    grid = np.linspace(0, 1, 5)
    seeds = np.stack([grid, grid + 2, grid + 4])
    out = sent(fit_curve(grid, grid, grid, {"mse": seeds, "mae": grid}, theme=theme))
    np.testing.assert_allclose(out.array("mse", "y"), grid + 2, rtol=1e-6)
    np.testing.assert_allclose(out.array("mse low", "y"), grid, rtol=1e-6)
    np.testing.assert_allclose(out.array("mse high", "y"), grid + 4, rtol=1e-6)
    np.testing.assert_allclose(out.array("mae", "y"), grid, rtol=1e-6)


def test_paired_differences_show_interval_and_verdict(theme: Theme, sent) -> None:
    table = pd.DataFrame(
        {
            "label": ["b - a", "c - a", "d - a", "e - a"],
            "mean": [0.2, 0.1, np.nan, 0.3],
            "low": [0.1, -0.1, np.nan, np.nan],
            "high": [0.3, 0.3, np.nan, np.nan],
            "n": [5, 5, 0, 1],
        }
    )
    figure = paired_differences(table, metric="accuracy", theme=theme)
    out = sent(figure)
    clear, unclear = out.named("interval excludes 0")[0], out.named("cannot tell")[0]
    assert clear["y"] == ["b - a"]
    assert clear["marker"]["color"] == PALETTE[0]
    assert unclear["y"] == ["c - a", "e - a"]
    np.testing.assert_allclose(out.array("interval excludes 0", "x"), [0.2], rtol=1e-6)
    assert figure.layout.xaxis.title.text == "difference in accuracy"
    assert "without a finite difference: 1 pair." in note(figure)
    assert "No pair" in note(paired_differences(table.iloc[2:3], metric="accuracy", theme=theme))
