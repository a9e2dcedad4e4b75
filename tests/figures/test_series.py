import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.figures.series import Curve, align, oddities, thin


def curve(values: list[float], start: int = 0) -> Curve:
    return Curve("m", np.arange(start, start + len(values)), np.array(values))


def test_align_fills_what_a_member_lacks_with_nan() -> None:
    steps, values = align([curve([1, 2, 3]), curve([5], start=2), curve([7], start=9)])
    np.testing.assert_array_equal(steps, [0, 1, 2, 9])
    np.testing.assert_array_equal(values, [[1, 2, 3, np.nan], [np.nan, np.nan, 5, np.nan], [np.nan] * 3 + [7]])


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(st.sampled_from([1.0, np.nan, np.inf, -np.inf]), min_size=1, max_size=40))
def test_oddities_cover_exactly_what_is_not_finite(values: list[float]) -> None:
    own = curve(values, start=5)
    covered: dict[int, str] = {}
    for odd in oddities(own):
        assert odd.count == odd.last - odd.first + 1
        covered |= dict.fromkeys(range(odd.first, odd.last + 1), odd.kind)
    names = {step: f"{value:+}".replace("+nan", "NaN") for step, value in zip(own.steps.tolist(), values, strict=True)}
    assert covered == {step: name for step, name in names.items() if name != "+1.0"}


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6000), st.integers(32, 400))
def test_thin_keeps_extremes_and_the_budget(seed: int, n: int, points: int) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    values[values > 2.5] = np.nan
    at = thin(np.arange(n), values, points)
    finite = np.flatnonzero(np.isfinite(values))
    assert np.all(np.diff(at) > 0)
    assert np.isin(at, finite).all()
    if finite.size:
        assert values[at].max() == values[finite].max()
        assert values[at].min() == values[finite].min()
    if finite.size <= points:
        np.testing.assert_array_equal(at, finite)
    assert len(at) <= 2 * points + 64


def test_what_is_drawn_of_a_growing_series_mostly_stays() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    steps = np.arange(len(values))
    before, after = (set(thin(steps[:n], values[:n], 500).tolist()) for n in (90_000, 90_500))
    assert len(before & after) > 0.9 * len(after)


def test_a_window_gets_most_of_the_points() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    steps = np.arange(len(values))
    at = thin(steps, values, 1000, x_range=(50_000, 50_400))
    np.testing.assert_array_equal(at[(at >= 49_999) & (at <= 50_401)], np.arange(49_999, 50_402))
    assert at[0] == 0
    assert at[-1] == len(values) - 1
    assert len(at) < 2000
