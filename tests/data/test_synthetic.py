"""Generators against their formulas, and the knobs against what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from lossdiag.data import load, prepare
from lossdiag.data.synthetic import LINEAR_BIAS, LINEAR_WEIGHTS, RECIPES, class_sizes
from lossdiag.spec import SYNTHETIC, DataSpec

CLASSES = [name for name in SYNTHETIC if RECIPES[name].n_classes]
REGRESSION = [name for name in SYNTHETIC if not RECIPES[name].n_classes]


def _arrays(name: str, **knobs: float) -> tuple[np.ndarray, np.ndarray]:
    dataset = load(DataSpec(source=f"synthetic:{name}", **knobs))
    return dataset.frame.to_numpy(), dataset.target.to_numpy()[:, 0]


def test_there_is_a_recipe_for_every_name() -> None:
    assert set(RECIPES) == set(SYNTHETIC)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_same_seed_same_rows(name: str) -> None:
    knobs = {"n": 200, "outliers": 0.1, "label_noise": 0.1, "imbalance": 2.0}
    x, y = _arrays(name, seed=1, **knobs)
    again, labels = _arrays(name, seed=1, **knobs)
    other, _ = _arrays(name, seed=2, **knobs)
    assert np.array_equal(x, again)
    assert np.array_equal(y, labels)
    assert not np.array_equal(x, other)
    assert x.shape == (200, RECIPES[name].n_features)
    assert load(DataSpec(source=f"synthetic:{name}")).task == RECIPES[name].task


def test_linear_regression_finds_the_weights() -> None:
    x, y = _arrays("linear", n=5000, noise=0.5)
    fit = LinearRegression().fit(x, y)
    np.testing.assert_allclose(fit.coef_, LINEAR_WEIGHTS, atol=0.05)
    np.testing.assert_allclose(fit.intercept_, LINEAR_BIAS, atol=0.05)
    np.testing.assert_allclose(np.std(y - fit.predict(x)), 0.5, rtol=0.05)


def test_regression_formulas_without_noise() -> None:
    x, y = _arrays("sine", noise=0)
    np.testing.assert_allclose(y, np.sin(2 * x[:, 0]), atol=1e-15)
    x, y = _arrays("heteroscedastic", noise=0)
    np.testing.assert_allclose(y, np.sin(x[:, 0]) + x[:, 0] / 2, atol=1e-15)
    x, y = _arrays("friedman1", noise=0)
    first = 10 * np.sin(np.pi * x[:, 0] * x[:, 1])
    np.testing.assert_allclose(y, first + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4], atol=1e-13)
    assert x.min() >= 0
    assert x.max() <= 1


def test_heteroscedastic_noise_grows_with_x() -> None:
    x, y = _arrays("heteroscedastic", n=20_000, noise=0.3)
    rest = (y - np.sin(x[:, 0]) - x[:, 0] / 2) / x[:, 0]
    for low in (0, 1, 2, 3):
        part = rest[(x[:, 0] >= low) & (x[:, 0] < low + 1)]
        np.testing.assert_allclose(part.std(), 0.3, rtol=0.05)


def test_class_shapes_without_noise() -> None:
    x, y = _arrays("circles", noise=0)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.where(y == 0, 1, 0.5), atol=1e-12)
    x, y = _arrays("moons", noise=0)
    np.testing.assert_allclose(np.linalg.norm(x - [[0, 0], [1, 0.5]][0], axis=1)[y == 0], 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(x - [1, 0.5], axis=1)[y == 1], 1, atol=1e-12)
    assert x[y == 0, 1].min() >= 0
    assert x[y == 1, 1].max() <= 0.5
    x, y = _arrays("checkerboard", noise=0)
    assert np.array_equal(np.floor(x).sum(axis=1) % 2, y)
    assert np.abs(x).max() <= 2
    assert len(np.unique(np.floor(x), axis=0)) == 16
    x, y = _arrays("spirals", noise=0)
    radius = np.linalg.norm(x, axis=1)
    angle = radius / 2 * 3 * np.pi + np.pi * y
    np.testing.assert_allclose(x, radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), atol=1e-9)
    x, y = _arrays("blobs", n=30_000, noise=0.3)
    for c in range(3):
        centre = np.array([np.cos(np.pi / 2 + 2 * np.pi * c / 3), np.sin(np.pi / 2 + 2 * np.pi * c / 3)])
        np.testing.assert_allclose(x[y == c].mean(axis=0), centre, atol=0.02)
        np.testing.assert_allclose(x[y == c].var(axis=0), 0.04 + 0.09, rtol=0.05)


@pytest.mark.parametrize("name", CLASSES)
def test_noise_moves_points_by_its_standard_deviation(name: str) -> None:
    still, _ = _arrays(name, n=5000, noise=0)
    moved, _ = _arrays(name, n=5000, noise=0.5)
    np.testing.assert_allclose((moved - still).std(axis=0), 0.5, rtol=0.05)


@given(st.integers(20, 5000), st.integers(2, 3), st.floats(1, 1000))
@settings(derandomize=True, deadline=None)
def test_class_sizes(n: int, classes: int, imbalance: float) -> None:
    sizes = class_sizes(n, classes, imbalance)
    assert sizes.sum() == n
    assert sizes.min() >= 2
    assert np.all(np.diff(sizes) <= 0)
    if sizes.min() > 50:
        np.testing.assert_allclose(sizes[0] / sizes[-1], imbalance, rtol=0.05)


@pytest.mark.parametrize("name", CLASSES)
def test_imbalance_holds_on_both_sides(name: str) -> None:
    spec = DataSpec(source=f"synthetic:{name}", n=2000, imbalance=9)
    done = prepare(load(spec), spec)
    np.testing.assert_allclose(done.class_counts[0] / done.class_counts[-1], 9, rtol=0.05)
    held = np.bincount(done.y_val.reshape(-1).astype(int))
    np.testing.assert_allclose(held[0] / held[-1], 9, rtol=0.1)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_corruption_touches_the_chosen_training_rows_only(name: str) -> None:
    plain = DataSpec(source=f"synthetic:{name}", n=400)
    spec = plain.model_copy(update={"outliers": 0.1, "label_noise": 0.2})
    before, after = load(plain), load(spec)
    assert before.clean.all()
    corruption = after.corruption
    assert corruption is not None
    done = prepare(after, spec)
    assert np.array_equal(done.val_rows, prepare(before, plain).val_rows)
    assert not corruption.outlier[done.val_rows].any()
    assert not corruption.mislabelled[done.val_rows].any()
    assert (corruption.outlier.sum(), corruption.mislabelled.sum()) == (30, 60)
    assert np.array_equal(done.clean, ~(corruption.outlier | corruption.mislabelled)[done.train_rows])
    same_x = (before.frame.to_numpy() == after.frame.to_numpy()).all(axis=1)
    same_y = (before.target.to_numpy() == after.target.to_numpy())[:, 0]
    if name in CLASSES:
        assert np.array_equal(~same_x, corruption.outlier)
        assert np.array_equal(~same_y, corruption.mislabelled)
        distance = (after.frame.to_numpy() - before.frame.to_numpy())[corruption.outlier] / before.frame.to_numpy().std(
            axis=0
        )
        assert np.linalg.norm(distance, axis=1).min() >= 5
        assert np.linalg.norm(distance, axis=1).max() <= 10
    else:
        assert same_x.all()
        assert np.array_equal(~same_y, corruption.outlier | corruption.mislabelled)
        moved = corruption.outlier & ~corruption.mislabelled
        shift = np.abs(after.target.to_numpy() - before.target.to_numpy())[moved, 0] / before.target.to_numpy().std()
        assert shift.min() >= 4.99
        assert shift.max() <= 10.01
    assert any("30 training rows were turned into outliers" in note for note in done.notes)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_all_rows_corrupted(name: str) -> None:
    spec = DataSpec(source=f"synthetic:{name}", n=40, outliers=1, label_noise=1)
    assert not prepare(load(spec), spec).clean.any()


def test_scale_multiplies_the_features() -> None:
    x, y = _arrays("moons", outliers=0.1)
    scaled, labels = _arrays("moons", outliers=0.1, scale=1000)
    np.testing.assert_allclose(scaled, 1000 * x)
    assert np.array_equal(y, labels)


@pytest.mark.parametrize("name", REGRESSION)
def test_imbalance_of_a_regression_is_said_to_be_ignored(name: str) -> None:
    assert load(DataSpec(source=f"synthetic:{name}", imbalance=2)).notes == (
        "imbalance was not applied: it is for classes",
    )
