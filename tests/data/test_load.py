"""Sources, targets and dropped columns; samples against scikit-learn; the catalog against the data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

import lossdiag.data.location
from lossdiag.data import app_root, catalog, load, load_table, prepare, sample_path
from lossdiag.errors import DataError
from lossdiag.spec import SAMPLES, SYNTHETIC, DataSpec

TABLE = "a,b,size,y\n" + "".join(f"{i},{i * i % 7},{i % 4 + 0.5},{i * 1.5}\n" for i in range(30))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize("entry", catalog(), ids=lambda entry: entry["source"])
def test_catalog_is_true(entry) -> None:
    spec = DataSpec(source=entry["source"])
    dataset = load(spec)
    assert (dataset.task, *dataset.frame.shape) == (entry["task"], entry["rows"], entry["columns"])
    assert list(dataset.target.columns) == [entry["target"]]
    done = prepare(dataset, spec)
    assert done.x_train.dtype == np.float64
    assert done.x_train.flags.c_contiguous
    assert len(done.x_train) + len(done.x_val) == entry["rows"]
    assert np.isfinite(done.x_train).all()
    assert np.isfinite(done.x_val).all()


def test_catalog_is_whole() -> None:
    assert {e["source"] for e in catalog()} == {f"sample:{n}" for n in SAMPLES} | {f"synthetic:{n}" for n in SYNTHETIC}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_hold_the_values_of_scikit_learn(name: str) -> None:
    options = {"scaled": False} if name == "diabetes" else {}
    oracle = getattr(datasets, f"load_{name}")(**options)
    dataset = load(DataSpec(source=f"sample:{name}"))
    assert np.array_equal(dataset.frame.to_numpy(dtype=float), oracle.data)
    target = dataset.target.iloc[:, 0]
    if dataset.classes:
        # Each class of ours is exactly one of theirs.
        assert len(set(zip(target, oracle.target, strict=True))) == len(dataset.classes) == len(set(oracle.target))
    else:
        assert np.array_equal(target.to_numpy(dtype=float), oracle.target)
    if name in ("breast_cancer", "iris"):
        assert target.tolist() == oracle.target_names[oracle.target].tolist()


def test_readme_names_every_sample() -> None:
    text = (app_root() / "sample_data" / "README.md").read_text()
    assert all(f"`{name}.csv`" in text for name in SAMPLES)


def test_targets_and_dropped_columns(table: Path) -> None:
    source = f"file:{table}"
    assert load(DataSpec(source=source)).target.columns.tolist() == ["y"]
    assert load(DataSpec(source=source, drop=("y",))).target.columns.tolist() == ["size"]
    chosen = load(DataSpec(source=source, target=("b", "a"), drop=("size",)))
    assert chosen.target.columns.tolist() == ["b", "a"]
    assert chosen.frame.columns.tolist() == ["y"]
    assert chosen.name == "table.csv"
    assert load_table(DataSpec(source=source)).columns.tolist() == ["a", "b", "size", "y"]
    assert load_table(DataSpec(source="synthetic:moons")).columns.tolist() == ["x1", "x2", "class"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"target": ("sise",)},
            r"table\.csv: there is no target column 'sise'; there are a, b, size, y\. Did you mean 'size'",
        ),
        ({"drop": ("bb",)}, r"table\.csv: there is no drop column 'bb'"),
        ({"target": ("a", "a")}, "column 'a' is named twice"),
        ({"target": ("a",), "drop": ("a",)}, "column 'a' is named twice"),
        ({"drop": ("a", "b", "size", "y")}, "every column is dropped"),
        ({"drop": ("a", "b", "size")}, r"no feature columns are left beside the target \(y\)"),
        ({"target": ("a", "b", "size", "y")}, "no feature columns are left"),
    ],
)
def test_columns_that_do_not_fit(table: Path, fields: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(DataSpec(source=f"file:{table}", **fields))


def test_sources_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"absent\.csv: there is no file .*absent\.csv"):
        load(DataSpec(source=f"file:{tmp_path}/absent.csv"))
    with pytest.raises(DataError, match="upload:0123456789abcdef: there is no folder of uploads here"):
        load(DataSpec(source="upload:0123456789abcdef"))
    with pytest.raises(DataError, match="upload:0123456789abcdef: the uploaded file is not in"):
        load(DataSpec(source="upload:0123456789abcdef"), tmp_path)
    with pytest.raises(DataError, match="no sample is named 'irisses'.* Did you mean 'iris'"):
        sample_path("irisses")
    monkeypatch.setattr("lossdiag.data.location.app_root", lambda: tmp_path)
    with pytest.raises(DataError, match=r"sample 'iris': .*iris\.csv is missing"):
        sample_path("iris")


def test_app_root_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (app_root() / "lossdiag" / "data").is_dir()
    module = tmp_path / "lossdiag" / "data" / "location.py"
    monkeypatch.setattr(lossdiag.data.location, "__file__", str(module))
    assert app_root() == tmp_path
    (tmp_path / "lossdiag" / "_app").mkdir(parents=True)
    assert app_root() == tmp_path / "lossdiag" / "_app"


def test_task_can_be_overruled(table: Path) -> None:
    assert load(DataSpec(source=f"file:{table}", target=("b",))).task == "multiclass"
    assert load(DataSpec(source=f"file:{table}", target=("b",), task="count")).task == "count"
    assert load(DataSpec(source="synthetic:moons", task="regression")).classes == ()


def test_a_decimal_comma(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x;word;y\n1,5;a,b;2,0\n-,5;c;3,25\n1,5e+3;d;4\n2;d;5\n")
    frame = load_table(DataSpec(source=f"file:{path}"))
    assert frame["x"].tolist() == [1.5, -0.5, 1500.0, 2.0]
    assert frame["y"].tolist() == [2.0, 3.25, 4.0, 5.0]
    assert frame["word"].tolist() == ["a,b", "c", "d", "d"]
    pd.testing.assert_index_equal(frame.columns, pd.Index(["x", "word", "y"], dtype="str"))
