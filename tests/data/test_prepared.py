"""Encoding and scaling: fitted on training rows only, and visible in what they drop, fill and gather."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lossdiag.data import Dataset, boundary_grid, load, prepare
from lossdiag.errors import DataError
from lossdiag.spec import DataSpec

ROWS = 60
RNG = np.random.default_rng(0)


def _dataset(frame: pd.DataFrame, **more: object) -> Dataset:
    target = pd.DataFrame({"y": RNG.normal(size=len(frame))}, index=frame.index)
    return Dataset(frame, target, "t", "regression", **more)


def _x(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"x": RNG.normal(size=ROWS), **columns})


@given(st.integers(0, 1000), st.floats(0.05, 0.9))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_scaling_is_that_of_scikit_learn_on_the_training_rows(seed: int, share: float) -> None:
    spec = DataSpec(source="sample:diabetes", seed=seed, validation=share)
    dataset = load(spec)
    done = prepare(dataset, spec)
    raw = dataset.frame.to_numpy(dtype=float)
    scaler = StandardScaler().fit(raw[done.train_rows])
    np.testing.assert_allclose(done.x_train, scaler.transform(raw[done.train_rows]), atol=1e-12)
    np.testing.assert_allclose(done.x_val, scaler.transform(raw[done.val_rows]), atol=1e-12)
    y = dataset.target.to_numpy(dtype=float)
    np.testing.assert_allclose(done.y_train.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(done.y_train.std(), 1, atol=1e-12)
    np.testing.assert_allclose(done.y_val * done.target_std + done.target_mean, y[done.val_rows], atol=1e-9)


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=30)
def test_validation_rows_leak_nothing(data: st.DataObject) -> None:
    """Whatever the validation rows hold, the training arrays are the same to the last bit."""
    words = data.draw(st.lists(st.sampled_from("abcde"), min_size=ROWS, max_size=ROWS))
    frame = _x(word=pd.Series(words, dtype="str"), n=RNG.integers(0, 9, ROWS))
    frame.loc[::7, "x"] = np.nan
    dataset, spec = _dataset(frame), DataSpec(seed=data.draw(st.integers(0, 99)))
    before = prepare(dataset, spec)
    changed, target = frame.copy(), dataset.target.copy()
    changed.loc[before.val_rows, "x"] = data.draw(st.floats(-1e9, 1e9) | st.none())
    changed.loc[before.val_rows, "word"] = data.draw(st.sampled_from(["a", "never seen"]))
    changed.loc[before.val_rows, "n"] = 1000
    target.loc[before.val_rows, "y"] = 1e6
    after = prepare(Dataset(changed, target, "t", "regression"), spec)
    assert after.feature_names == before.feature_names
    assert after.encoder == before.encoder
    assert np.array_equal(after.x_train, before.x_train)
    assert np.array_equal(after.y_train, before.y_train)
    assert np.isfinite(after.x_val).all()


def test_one_hot_is_that_of_scikit_learn() -> None:
    words = pd.Series(RNG.choice(["red", "green", "blue"], ROWS), dtype="str")
    done = prepare(_dataset(pd.DataFrame({"colour": words})), DataSpec())
    oracle = OneHotEncoder(sparse_output=False).fit(words.to_numpy(dtype=object)[done.train_rows, None])
    expected = oracle.transform(words.to_numpy(dtype=object)[done.val_rows, None])
    assert done.feature_names == ("colour = blue", "colour = green", "colour = red")
    assert np.array_equal(done.x_val, expected)


def test_two_texts_and_truth_values_are_one_column_of_zeros_and_ones() -> None:
    frame = _x(sex=pd.Series(["f", "m"] * 30, dtype="str"), smoker=[True, False, False] * 20)
    done = prepare(_dataset(frame), DataSpec())
    assert done.feature_names == ("x", "sex = m", "smoker")
    assert np.array_equal(done.x_train[:, 1], (frame["sex"] == "m").to_numpy(dtype=float)[done.train_rows])
    assert np.array_equal(done.x_val[:, 2], frame["smoker"].to_numpy(dtype=float)[done.val_rows])


def test_many_texts_share_a_column() -> None:
    words = [f"w{i % 19:02d}" for i in range(380)] + [f"rare{i // 2}" for i in range(20)]
    frame = pd.DataFrame({"word": pd.Series(words, dtype="str"), "x": np.arange(400.0) ** 2})
    done = prepare(_dataset(frame), DataSpec(validation=0.05))
    assert done.n_features == 21
    assert done.feature_names[19] == "word = (other)"
    assert np.all(done.x_train[:, :20].sum(axis=1) == 1)
    rare = pd.Series(words).str.startswith("rare").to_numpy(dtype=float)
    assert np.array_equal(done.x_train[:, 19], rare[done.train_rows])
    assert any("29 distinct texts; the 19 most frequent have a column each" in note for note in done.notes)


def test_what_is_dropped_is_said() -> None:
    names = pd.Series([f"name {i}" for i in range(ROWS)], dtype="str")
    done = prepare(_dataset(_x(same=[7] * ROWS, name=names, id=range(100, 100 + ROWS))), DataSpec(validation=0.05))
    assert done.feature_names == ("x", "id")
    notes = "\n".join(done.notes)
    assert "dropped, the same in all training rows: same" in notes
    assert "dropped 'name': 57 distinct texts in 57 rows" in notes


def test_a_column_that_numbers_the_rows_is_said() -> None:
    note = "column 'id' numbers the rows; consider leaving it out (data.drop)"
    assert note in prepare(_dataset(_x(id=range(ROWS))), DataSpec()).notes
    assert note not in prepare(_dataset(_x(id=np.arange(ROWS) ** 2)), DataSpec()).notes


def test_missing_values_are_filled_and_marked() -> None:
    frame = _x(truth=pd.array([True, None, False] * 20, dtype="boolean"))
    frame["word"] = pd.Series(["a", "b", None] * 20, dtype="str")
    frame.loc[::4, "x"] = np.nan
    done = prepare(_dataset(frame), DataSpec())
    assert done.feature_names == ("x", "x missing", "truth", "truth missing", "word = a", "word = b", "word missing")
    missing = frame["x"].isna().to_numpy()[done.train_rows]
    assert np.array_equal(done.x_train[:, 1], missing.astype(float))
    assert np.allclose(done.x_train[missing, 0], 0), "the training mean, scaled"
    present = frame["truth"].to_numpy(dtype=float, na_value=np.nan)[done.train_rows]
    assert np.allclose(done.x_train[:, 2], np.where(np.isnan(present), np.nanmean(present), present))
    assert np.all(done.x_train[:, 4:].sum(axis=1) == 1)
    assert any(
        note.startswith("missing values filled, and marked in a column of their own: x (") for note in done.notes
    )


def test_a_constant_with_gaps_keeps_its_mark() -> None:
    frame = _x(c=[5.0, np.nan] * 30)
    done = prepare(_dataset(frame), DataSpec())
    assert done.feature_names == ("x", "c", "c missing")
    assert np.all(done.x_train[:, 1] == 0)


def test_missing_rows_can_be_dropped() -> None:
    frame = _x()
    frame.loc[::4, "x"] = np.nan
    done = prepare(_dataset(frame), DataSpec(missing="drop"))
    assert done.feature_names == ("x",)
    assert not set(range(0, ROWS, 4)) & {*done.train_rows, *done.val_rows}
    assert "15 of 60 rows dropped: a feature is missing" in done.notes
    frame["z"] = np.where(frame["x"].isna(), 1.0, np.nan)
    with pytest.raises(DataError, match="t: every row misses some value; fill them instead"):
        prepare(_dataset(frame), DataSpec(missing="drop"))


def test_a_class_may_go_with_its_rows() -> None:
    frame = _x()
    frame.loc[::3, "x"] = np.nan
    target = pd.DataFrame({"y": ["rare", "a", "b"] * 20})
    dataset = Dataset(frame, target, "t", "multiclass", ("a", "b", "rare"))
    done = prepare(dataset, DataSpec(missing="drop"))
    assert (done.classes, done.n_outputs, done.class_counts.tolist()) == (("a", "b"), 2, [15, 15])
    assert "no row is left of class rare" in done.notes
    target.loc[2::3, "y"] = "a"
    with pytest.raises(DataError, match=r"t: column 'y': the target has only one value \(a\) in all 40 rows"):
        prepare(Dataset(frame, target, "t", "binary", ("a", "rare")), DataSpec(missing="drop"))


def test_what_only_validation_rows_hold_is_said() -> None:
    frame = _x(word=pd.Series(["a", "b", "c"] * 20, dtype="str"))
    dataset = _dataset(frame)
    val = prepare(dataset, DataSpec()).val_rows
    frame.loc[val[:2], "x"] = np.nan
    frame.loc[val[:3], "word"] = "new"
    done = prepare(dataset, DataSpec())
    assert "column 'x': missing in 2 validation rows but in no training row: the training mean" in done.notes
    assert "column 'word': 3 validation rows hold texts not seen in training: zeros" in done.notes
    assert np.allclose(done.x_val[:2, 0], 0)
    assert np.all(done.x_val[:3, 1:] == 0)


def test_unscaled_on_request() -> None:
    done = prepare(load(DataSpec(source="sample:diabetes")), DataSpec(standardize=False))
    raw = load(DataSpec(source="sample:diabetes"))
    assert np.array_equal(done.x_train, raw.frame.to_numpy(dtype=float)[done.train_rows])
    assert np.array_equal(done.y_val, raw.target.to_numpy(dtype=float)[done.val_rows])
    assert (done.target_mean, done.target_std) == (0, 1)


REFUSED: dict[str, tuple[pd.DataFrame, str]] = {
    "infinite": (_x(z=[*np.zeros(ROWS - 1), -np.inf]), "t: column 'z', data row 60: the value is infinite"),
    "all missing": (_x(z=[np.nan] * ROWS), r"t: column 'z': every value is missing; .*data\.drop"),
    "dates": (_x(z=pd.date_range("2024-01-01", periods=ROWS)), r"t: column 'z': holds dates or times \(2024-01-01"),
    "date texts": (_x(z=pd.Series(["3.12.2024"] * ROWS, dtype="str")), r"t: column 'z': holds dates .*\(3\.12\.2024\)"),
    "slip": (
        _x(z=pd.Series([*map(str, range(30)), "3o", *map(str, range(29))], dtype="str")),
        "t: column 'z', data row 31: '3o' is not a number",
    ),
    "too large": (
        _x(z=np.where(np.arange(ROWS) % 2, 1e308, -1e308)),
        r"t: column 'z': values up to 1e\+308 are too large",
    ),
    "nothing left": (
        pd.DataFrame({"z": [1] * ROWS}),
        "t: no feature column is left .*the same in all training rows: z",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal(case: str) -> None:
    frame, said = REFUSED[case]
    with pytest.raises(DataError, match=f"^{said}"):
        prepare(_dataset(frame), DataSpec())


def test_texts_among_few_numbers_are_categories() -> None:
    grades = pd.Series(["1", "2", "3", "A", "B"] * 12, dtype="str")
    assert prepare(_dataset(_x(grade=grades)), DataSpec()).n_features == 6


def test_targets_of_every_task(tmp_path: Path) -> None:
    rows = range(ROWS)
    frame = pd.DataFrame({"x": RNG.normal(size=ROWS), "k": [i % 3 for i in rows], "b": [i % 2 for i in rows]})
    frame["c"], frame["r"] = [i % 5 == 0 for i in rows], RNG.normal(5, 3, ROWS)
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)

    def done(task: str, *target: str):
        spec = DataSpec(source=f"file:{path}", target=target, task=task)
        return prepare(load(spec), spec)

    multiclass = done("multiclass", "k")
    assert (multiclass.y_train.dtype, multiclass.y_train.ndim, multiclass.n_outputs) == (np.int64, 1, 3)
    assert multiclass.class_counts.sum() == len(multiclass.train_rows)
    assert np.array_equal(multiclass.y_val, frame["k"].to_numpy()[multiclass.val_rows])
    binary = done("binary", "b")
    assert (binary.y_train.shape, binary.n_outputs) == ((45, 1), 1)
    assert binary.class_counts.tolist() == [int((binary.y_train == 0).sum()), int((binary.y_train == 1).sum())]
    multilabel = done("multilabel", "b", "c")
    assert (multilabel.y_train.shape, multilabel.n_outputs, multilabel.classes) == ((45, 2), 2, ())
    assert multilabel.class_counts.tolist() == multilabel.y_train.sum(axis=0).tolist()
    count = done("count", "k")
    assert np.array_equal(count.y_train[:, 0], frame["k"].to_numpy()[count.train_rows]), "counts are never scaled"
    assert (count.target_mean, count.target_std) == (0, 1)
    both = done("regression", "r", "x")
    assert both.n_outputs == 2
    assert both.feature_names == ("k", "b", "c")
    np.testing.assert_allclose(both.y_train.std(axis=0), 1)
    np.testing.assert_allclose(
        both.y_train * both.target_std + both.target_mean, frame[["r", "x"]].iloc[both.train_rows]
    )


def test_boundary_grid_is_in_raw_units() -> None:
    spec = DataSpec(source="synthetic:moons", scale=100)
    dataset = load(spec)
    done = prepare(dataset, spec)
    grid = boundary_grid(done, resolution=5, margin=0)
    assert grid.names == ("x1", "x2")
    train = dataset.frame.iloc[done.train_rows]
    assert (grid.across[0], grid.across[-1]) == (train["x1"].min(), train["x1"].max())
    mean, std = train.to_numpy().mean(axis=0), train.to_numpy().std(axis=0)
    np.testing.assert_allclose(grid.x[1 * 5 + 3] * std + mean, [grid.across[3], grid.up[1]])
    assert boundary_grid(done, ("x2", "x1")).x.shape == (3600, 2)
    with pytest.raises(DataError, match="moons: a boundary needs two number columns, got x1, z; there are x1, x2"):
        boundary_grid(done, ("x1", "z"))


def test_boundary_grid_holds_the_other_columns_still() -> None:
    frame = _x(z=np.arange(ROWS) * 2.0, w=np.ones(ROWS) + np.eye(ROWS)[0])
    frame["word"] = pd.Series(["a"] * 40 + ["b"] * 10 + ["c"] * 10, dtype="str")
    done = prepare(_dataset(frame), DataSpec(seed=3))
    grid = boundary_grid(done, ("x", "z"), resolution=4)
    others = [i for i, name in enumerate(done.feature_names) if name not in ("x", "z")]
    assert np.ptp(grid.x[:, others], axis=0).max() == 0
    assert grid.x[0, done.feature_names.index("word = a")] == 1
