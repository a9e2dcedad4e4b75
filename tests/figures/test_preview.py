import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossdiag.figures.preview import class_balance, histogram, scatter2d
from lossdiag.figures.style import note


@settings(derandomize=True, deadline=None, max_examples=60)
@given(hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_a_histogram_counts_every_finite_value(values: np.ndarray) -> None:
    figure = histogram(values, name="x")
    finite = int(np.isfinite(values).sum())
    counted = sum(int(np.sum(t.y)) for t in figure.data)
    assert counted == finite
    if finite < values.size:
        assert note(figure)


def test_a_histogram_agrees_with_numpy(sent, decode) -> None:
    values = np.random.default_rng(0).normal(size=1000)
    (bars,) = sent(histogram(values, name="x", bins=20)).traces
    counts, edges = np.histogram(values, bins=20)
    np.testing.assert_array_equal(decode(bars["y"]), counts)
    np.testing.assert_allclose(decode(bars["customdata"])[:, 0], edges[:-1])


def test_class_balance_has_a_bar_per_class_and_split(sent) -> None:
    out = sent(class_balance({"train": {"a": 30, "b": 10}, "validation": {"b": 4}}, theme="dark"))
    np.testing.assert_array_equal(out.array("train", "x"), [30, 10])
    np.testing.assert_array_equal(out.array("validation", "x"), [0, 4])
    assert note(class_balance({}))


def test_scatter_by_class_and_by_value(sent, decode) -> None:
    x, y = np.array([1.0, 2.0, np.nan]), np.array([3.0, 4.0, 5.0])
    figure = scatter2d(x, y, x_name="a", y_name="b", colour=["p", "<q>", "p"])
    out = sent(figure)
    np.testing.assert_array_equal(out.array("p", "x"), [1])
    np.testing.assert_array_equal(out.array("&lt;q&gt;", "y"), [4])
    assert note(figure) == "Left out, without two finite values: 1 row."
    (by_value,) = sent(scatter2d(x, y, x_name="a", y_name="b", colour=y, colour_name="b")).traces
    np.testing.assert_array_equal(decode(by_value["marker"]["color"]), [3, 4])


def test_a_scatter_of_many_rows_is_sampled(sent) -> None:
    rows = np.arange(50_000.0)
    figure = scatter2d(rows, -rows, x_name="a", y_name="b")
    out = sent(figure)
    assert len(out.array("rows", "x")) == 4000
    np.testing.assert_array_equal(out.array("rows", "x"), -out.array("rows", "y"))
    assert note(figure) == "4,000 of 50,000 rows are drawn."
    assert note(scatter2d(rows * np.nan, rows, x_name="a", y_name="b"))
