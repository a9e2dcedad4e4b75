from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossdiag.figures.decimate import CHART_BYTES, band, decimate, points_each, smooth, spikes

ANY = st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])
FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def noisy(draw):
    """A curve of several hundred values with some planted spikes and non-finite values, and a small budget."""
    n = draw(st.integers(50, 3000))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    values = (rng.standard_normal(n) * draw(st.sampled_from([0, 1e-3, 1, 1e30]))).astype(np.float32)
    for place in draw(st.lists(st.integers(0, n - 1), max_size=12)):
        values[place] = draw(ANY)
    steps = np.cumsum(rng.integers(1, 4, n)).astype(np.int32)
    return steps, values, draw(st.integers(4, 400))


def places(steps, found):
    return np.searchsorted(steps, found)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(noisy())
def test_the_result_is_an_ordered_part_with_ends_extremes_and_all_that_is_not_finite(curve):
    steps, values, n_out = curve
    thin = decimate(steps, values, n_out)
    assert (np.diff(thin.steps) > 0).all()
    kept = places(steps, thin.steps)
    np.testing.assert_array_equal(values[kept], thin.values)
    assert (thin.steps.dtype, thin.values.dtype) == (steps.dtype, values.dtype)
    assert {0, len(steps) - 1} <= set(kept)

    odd = ~np.isfinite(values)
    np.testing.assert_array_equal(thin.nonfinite_steps, steps[odd])
    assert thin.nonfinite_kinds.tolist() == [str(v) for v in values[odd]]

    finite = values[~odd]
    if len(finite) and len(steps) > n_out:
        size = -(-len(finite) // (n_out // 2))
        drawn = values[kept][np.isfinite(values[kept])]
        place = np.cumsum(~odd) - 1  # of each value among the finite
        bucket = place[kept][np.isfinite(values[kept])] // size
        for index in range(-(-len(finite) // size)):
            whole, part = finite[index * size : (index + 1) * size], drawn[bucket == index]
            assert (part.min(), part.max()) == (whole.min(), whole.max())


@settings(derandomize=True, deadline=None, max_examples=200)
@given(noisy())
def test_gaps_join_consecutive_values_of_one_kind_and_break_the_line(curve):
    steps, values, n_out = curve
    thin = decimate(steps, values, n_out)
    expected = []
    for i, value in enumerate(values):
        if not np.isfinite(value):
            if i and str(values[i - 1]) == str(value):
                expected[-1][1] = steps[i]
            else:
                expected.append([steps[i], steps[i], str(value)])
    assert [list(gap) for gap in zip(thin.gap_first, thin.gap_last, thin.gap_kinds, strict=True)] == expected
    if len(expected) <= n_out // 4:
        for first, last, _ in expected:
            edges = places(steps, [first, last])
            around = np.clip(np.concatenate([edges - 1, edges, edges + 1]), 0, len(steps) - 1)
            assert set(steps[around]) <= set(thin.steps)


@settings(derandomize=True, deadline=None)
@given(hnp.arrays(np.float32, st.integers(0, 60), elements=ANY), st.integers(60, 100))
def test_a_curve_within_the_budget_is_returned_whole(values, n_out):
    steps = np.arange(len(values), dtype=np.int32)
    thin = decimate(steps, values, n_out)
    np.testing.assert_array_equal(thin.values, values)
    again = decimate(thin.steps, thin.values, n_out)
    np.testing.assert_array_equal(again.values, thin.values)
    assert thin.kept == f"{len(values)} points, all kept"


def naive_spikes(values):
    """Spikes by the words of the definition, one value at a time."""
    values = values.astype(np.float64)
    n = len(values)
    blocks = max((n - 1) // 256, 1)
    found = []
    for i in range(n):
        block = min(i // 256, blocks - 1)
        change = np.abs(np.diff(values))[block * 256 : (block + 1) * 256]
        around = [values[min(max(j, 0), n - 1)] for j in range(i - 3, i + 4)]
        if abs(values[i] - np.median(around)) > 12 * np.median(change):
            found.append(i)
    return found


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.integers(7, 900),
    st.integers(0, 2**31),
    st.sampled_from(["normal", "cauchy", "flat", "steps"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.floats(-1e3, 1e3)), max_size=8),
)
def test_spikes_are_those_of_the_definition(n, seed, kind, planted):
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.standard_normal(n),
        "cauchy": rng.standard_cauchy(n),
        "flat": np.ones(n),
        "steps": np.repeat(rng.standard_normal(-(-n // 5)), 5)[:n],
    }[kind]
    for place, height in planted:
        values[int(place * n)] += height
    found, strength = spikes(values)
    assert found.tolist() == naive_spikes(values)
    assert (strength > 1).all()


def test_gaussian_noise_has_no_spikes_and_trends_are_none():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(300_000)
    assert len(spikes(values)[0]) == 0
    assert len(spikes(np.exp(-np.arange(100_000) / 1e3) + 1e-3 * rng.standard_normal(100_000))[0]) == 0
    assert len(spikes(np.repeat([1.0, 0.1], 500))[0]) == 0


def test_the_curve_that_trackers_get_wrong():
    rng = np.random.default_rng(0)
    n = 100_000
    steps = np.arange(n, dtype=np.int32)
    values = (1 + np.exp(-steps / 1e4) + 0.02 * rng.standard_normal(n)).astype(np.float32)
    planted, lost = [1_234, 50_000, 50_002, 50_004, 99_990], [20_000, 20_001, 77_777]
    values[planted] += 3
    values[lost] = [np.nan, np.nan, np.inf]
    thin = decimate(steps, values, 1000)
    assert set(planted) | set(lost) <= set(thin.steps)
    assert len(thin.steps) < 1020
    assert thin.kept == f"100,000 -> {len(thin.steps):,} points, 5/5 spikes, 3/3 non-finite kept"
    assert thin.nonfinite_kinds.tolist() == ["nan", "nan", "inf"]
    assert thin.gap_first.tolist() == [20_000, 77_777]
    assert thin.gap_last.tolist() == [20_001, 77_777]


def test_a_window_is_refined_and_the_line_leaves_it():
    steps = np.arange(0, 100_000, 10, dtype=np.int32)
    values = np.random.default_rng(0).standard_normal(len(steps)).astype(np.float32)
    thin = decimate(steps, values, 100, window=(40_005, 40_095))
    assert thin.steps.tolist() == list(range(40_000, 40_101, 10))
    assert thin.kept == "11 points, all kept"
    assert len(decimate(steps, values, 100, window=(-5, 1e9)).steps) == len(decimate(steps, values, 100).steps)
    assert decimate(steps, values, 100, window=(1e8, 1e9)).steps.tolist() == [99_990]
    assert decimate(steps[:0], values[:0], 100, window=(0, 1)).steps.tolist() == []


def test_the_number_of_points_is_bounded_whatever_the_curve():
    n = 200_000
    steps = np.arange(n, dtype=np.int32)
    rng = np.random.default_rng(0)
    half_lost = rng.standard_normal(n).astype(np.float32)
    half_lost[::2] = np.nan
    for values in (rng.standard_cauchy(n), half_lost, np.full(n, np.nan), np.zeros(n), rng.integers(0, 2, n) * 1.0):
        assert len(decimate(steps, values, 400).steps) <= 1.75 * 400 + 10
    cauchy = decimate(steps, rng.standard_cauchy(n), 400)
    kept, there = cauchy.kept.removesuffix(" spikes kept").split(" points, ")[1].split("/")
    assert int(kept) == 200
    assert int(there.replace(",", "")) > 2000


def test_a_chart_of_many_curves_stays_in_its_bytes():
    assert points_each(1) == 2000
    for curves in (1, 7, 60, 1000):
        assert curves * 1.75 * points_each(curves) * 8 * 4 / 3 <= CHART_BYTES


def test_large_values_do_not_overflow():
    steps = np.arange(5000, dtype=np.int32)
    values = np.where(steps % 2, 3e38, -3e38).astype(np.float32)
    assert len(decimate(steps, values, 100).steps) >= 100
    assert len(decimate(steps, np.where(steps % 2, 1.7e308, -1.7e308), 100).steps) >= 100


@pytest.mark.parametrize(("steps", "values", "n_out"), [((3,), (4,), 10), ((2, 2), (2, 2), 10), ((3,), (3,), 3)])
def test_what_is_no_curve_is_refused(steps, values, n_out):
    with pytest.raises(ValueError, match="expected two"):
        decimate(np.zeros(steps, np.int32), np.zeros(values), n_out)


@settings(derandomize=True, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(0, 50), elements=FINITE | st.sampled_from([np.nan, np.inf, -np.inf])),
    st.floats(0, 0.99),
)
def test_smoothing_is_the_debiased_average_of_the_finite_values(values, weight):
    expected, total, norm = [], 0.0, 0.0
    for value in values:
        if np.isfinite(value):
            total, norm = weight * total + (1 - weight) * value, weight * norm + (1 - weight)
            expected.append(total / norm)
        else:
            expected.append(value)
    np.testing.assert_allclose(smooth(values, weight), np.array(expected, np.float64), rtol=1e-9, atol=1e-6)


def test_smoothing_with_weight_0_changes_nothing_and_1_is_refused():
    values = np.array([1.0, np.nan, -3.0], np.float32)
    np.testing.assert_array_equal(smooth(values, 0), values)
    for weight in (1, -0.1, np.nan):
        with pytest.raises(ValueError, match="smoothing weight"):
            smooth(values, weight)


@settings(derandomize=True, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 30), FINITE | st.sampled_from([np.nan, np.inf]), max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_a_band_is_over_the_finite_values_of_each_step(curves):
    arrays = [(np.array(sorted(c), np.int32), np.array([c[s] for s in sorted(c)], np.float32)) for c in curves]
    found = band(arrays)
    assert found.steps.tolist() == sorted({s for c in curves for s in c})
    for i, step in enumerate(found.steps):
        there = [np.float32(c[step]) for c in curves if step in c and np.isfinite(c[step])]
        assert found.n[i] == len(there)
        if there:
            assert (found.low[i], found.high[i]) == (min(there), max(there))
            np.testing.assert_allclose(found.mean[i], np.mean(there, dtype=np.float64), rtol=1e-12, atol=1e-9)
        else:
            assert np.isnan([found.mean[i], found.low[i], found.high[i]]).all()


def test_members_that_stopped_early_share_the_steps_of_the_longest():
    long = (np.arange(4, dtype=np.int32), np.array([1.0, 2, 3, 4]))
    found = band([(long[0][:2], np.array([3.0, 4.0])), long])
    assert found.steps is long[0]
    assert found.mean.tolist() == [2, 3, 3, 4]
    assert found.n.tolist() == [2, 2, 1, 1]
    with pytest.raises(ValueError, match="at least one curve"):
        band([])
