import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.figures.axis import flat_range, robust_range, wants_log

STEPS = np.arange(600)


def noisy(level: float, seed: int = 0, n: int = 600) -> np.ndarray:
    return level * (1 + 0.1 * np.random.default_rng(seed).standard_normal(n))


def exploding(seed: int = 0, end: int = 118) -> np.ndarray:
    values = noisy(1.0, seed, end)
    values[-23:] *= 10.0 ** np.linspace(0, 36, 23)
    return np.r_[values, np.inf]


def test_an_explosion_wants_a_log_axis_and_a_healthy_decay_does_not() -> None:
    assert wants_log([noisy(1.0), exploding()])
    assert not wants_log([10.0 ** np.linspace(0, -3, 600)])
    assert not wants_log([noisy(1.0)])
    assert not wants_log([])
    assert not wants_log([np.array([np.nan, np.inf])])


def test_what_is_not_positive_throughout_stays_linear() -> None:
    assert not wants_log([np.r_[0.0, exploding()]])
    assert not wants_log([np.r_[-1.0, exploding()]])


def test_a_single_tiny_batch_or_a_cosine_end_is_no_reason_for_a_log_axis() -> None:
    values = noisy(1.0)
    values[300] = 1e-7
    assert not wants_log([values])
    assert not wants_log([(1 + np.cos(np.pi * STEPS / 600.01)) / 2])
    assert wants_log([10.0 ** np.linspace(-7, 1, 600)])


def test_exploding_seeds_are_cut_and_the_others_fill_the_axis() -> None:
    curves = [noisy(1.0, 1), noisy(1.0, 2), noisy(0.5, 3), exploding(4), exploding(5, end=99)]
    low, high = robust_range(curves)
    assert 0 <= low < min(c[np.isfinite(c)].min() for c in curves)
    assert max(c.max() for c in curves[:3]) < high < 10


def test_one_member_of_five_that_stays_far_away_is_cut() -> None:
    _, high = robust_range([*(noisy(1.0, seed) for seed in range(4)), np.r_[1.0, noisy(1e6)]])
    assert high < 10


@pytest.mark.parametrize(
    "curves",
    [
        [0.95 - 0.45 * np.exp(-STEPS / 5)],
        [0.1 + 2.9 * np.exp(-STEPS / 3)],
        [100 * 0.5**STEPS + 0.1],
        [noisy(0.5), noisy(100.0)],
        [np.exp(STEPS / 60)],
        [np.where(STEPS < 400, 1.0, 1e6)],
        [np.zeros(600), np.r_[np.zeros(599), 1.0]],
        [np.full(600, np.nan)],
        [np.r_[np.ones(599), 0.5]],
        [],
    ],
    ids=["accuracy", "decay", "start", "two levels", "growth", "third", "zeros", "nan", "dip", "nothing"],
)
def test_what_the_curves_as_a_whole_do_is_never_cut(curves: list[np.ndarray]) -> None:
    assert robust_range(curves) is None


def test_below_is_cut_as_above() -> None:
    values = noisy(0.8)
    values[100] = -1e20
    low, high = robust_range([values])
    assert low > -5
    mirrored_low, mirrored_high = robust_range([-values])
    assert (mirrored_low, mirrored_high) == pytest.approx((-high, -low))


def test_a_log_axis_keeps_four_decades_around_and_what_has_to_be_on_it() -> None:
    low, high = robust_range([noisy(1.0, 1), noisy(1.0, 2), exploding()], log=True)
    assert 1e-2 < low < 0.7
    assert 1e2 < high < 1e6
    assert robust_range([10.0 ** np.linspace(0, 8, 600)], log=True) is None
    low, _ = robust_range([noisy(1.0, 1), noisy(1.0, 2), exploding()], log=True, keep=(1e-4, 1e-2))
    assert low <= 1e-4


def test_edges_stay_put_while_a_run_grows() -> None:
    curves = [noisy(1.0, 1), noisy(1.0, 2), noisy(1.0, 3), exploding()]
    edges = {robust_range([c[:n] for c in curves]) for n in range(250, 600, 10)}
    assert len(edges) <= 2


@settings(derandomize=True, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_any_values_give_a_finite_range_that_holds_every_start(curves: list[list[float]], log: bool) -> None:
    arrays = [np.array(values) for values in curves]
    shown = robust_range(arrays, log=log)
    if shown is None:
        return
    low, high = shown
    assert np.isfinite(np.log10(shown) if log else shown).all()
    assert low < high
    for values in arrays:
        usable = values[np.isfinite(values) & ((values > 0) | (not log))]
        if usable.size:
            assert low <= usable[0] <= high


def test_constant_curves_get_an_axis_from_zero() -> None:
    assert flat_range([np.full(5, 0.2), np.full(3, 0.2)]) == (0, pytest.approx(0.3))
    assert flat_range([np.full(5, -2.0)]) == (-3, 0)
    assert flat_range([np.zeros(5)]) == (-0.1, 1)
    assert flat_range([np.ones(5), np.zeros(5)]) is None
    assert flat_range([np.full(5, np.nan)]) is None
