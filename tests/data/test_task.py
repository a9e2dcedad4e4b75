"""The task follows from the target's values, and is refused where it cannot be."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from lossdiag.data import load, read_table
from lossdiag.data.task import check_task, encode_target, infer_task
from lossdiag.errors import DataError
from lossdiag.registry import Task
from lossdiag.spec import DataSpec

ROWS = 40


def _target(values: object, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"y": values, **more})


INFERRED: dict[str, tuple[pd.DataFrame, Task, tuple[str, ...]]] = {
    "bool": (_target([True, False] * 20), "binary", ("False", "True")),
    "zero one": (_target([1, 0] * 20), "binary", ("0", "1")),
    "minus one": (_target([1, -1] * 20), "binary", ("-1", "1")),
    "two texts": (_target(["yes", "no"] * 20), "binary", ("no", "yes")),
    "texts": (_target(["b", "a", "c", "a"] * 10), "multiclass", ("a", "b", "c")),
    "few whole": (_target([10, 2, 3, 2] * 10), "multiclass", ("2", "3", "10")),
    "many whole": (_target(range(ROWS)), "regression", ()),
    "rare whole": (_target([*range(14), *[0] * 26]), "regression", ()),
    "real": (_target(np.linspace(0, 1, ROWS)), "regression", ()),
    "two reals": (_target([0.5, 1.5] * 20), "regression", ()),
    "labels": (_target([0, 1] * 20, z=[1, 1, 0, 0] * 10), "multilabel", ()),
    "two numbers": (_target(range(ROWS), z=[1, 0] * 20), "regression", ()),
}


@pytest.mark.parametrize("case", INFERRED)
def test_inference(case: str) -> None:
    target, task, classes = INFERRED[case]
    assert infer_task("t", target) == task
    assert check_task("t", target, task) == classes


REFUSED: dict[str, tuple[pd.DataFrame, Task | None, str]] = {
    "constant": (_target([3.0] * ROWS), None, r"t: column 'y': the target has only one value \(3\.0\) in all 40 rows"),
    "one class": (_target(["a"] * ROWS), None, "t: column 'y': the target has only one value .a. in all 40 rows"),
    "constant label": (_target([0, 1] * 20, z=[1] * ROWS), "multilabel", "column 'z': the target has only one value"),
    "names": (
        _target([f"n{i}" for i in range(ROWS)]),
        None,
        "column 'y': the target has 40 distinct values in 40 rows",
    ),
    "dates": (_target(pd.date_range("2024-01-01", periods=ROWS)), None, "column 'y': holds dates"),
    "infinite": (
        _target([*np.linspace(0, 1, ROWS - 1), np.inf]),
        None,
        "column 'y', data row 40: the target is infinite",
    ),
    "slip": (_target(["oops", *map(str, range(ROWS - 1))]), None, "column 'y', data row 1: 'oops' is not a number"),
    "binary of three": (
        _target([1, 2, 3, 3] * 10),
        "binary",
        r"needs two distinct values, this target has 3 \(1, 2, 3\); use multiclass",
    ),
    "binary of reals": (_target(np.linspace(0, 1, ROWS)), "binary", "this target has 40 .*use regression"),
    "binary of two columns": (_target([0, 1] * 20, z=[1, 0] * 20), "binary", "takes one target column, got 2"),
    "count below zero": (
        _target([1, 2, -3, 4] * 10),
        "count",
        "column 'y', data row 3: task count needs whole numbers from 0, got -3",
    ),
    "count of reals": (_target([1, 2.5, 3, 4] * 10), "count", "column 'y', data row 2: .*got 2.5; use regression"),
    "regression of texts": (
        _target(["a", "b"] * 20),
        "regression",
        "data row 1: task regression needs numbers, got 'a'",
    ),
    "classes of reals": (
        _target(np.linspace(0.5, 9, ROWS)),
        "multiclass",
        r"holds real numbers \(0\.5\); use regression",
    ),
    "classes of ids": (_target(range(ROWS)), "multiclass", "40 distinct values in 40 rows"),
    "labels of two": (
        _target([0, 1, 2, 1] * 10),
        "multilabel",
        "column 'y', data row 3: task multilabel needs 0 or 1 .*got 2",
    ),
    "labels of texts": (_target(["a", "b"] * 20), "multilabel", "column 'y', data row 1: .*got a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal(case: str) -> None:
    target, task, said = REFUSED[case]
    with pytest.raises(DataError, match=said):
        check_task("t", target, task or infer_task("t", target))


def test_codes_follow_the_order_of_the_classes() -> None:
    target = _target(["b", "a", "c", "a"])
    assert encode_target(target, "multiclass", ("a", "b", "c")).tolist() == [1, 0, 2, 0]
    codes = encode_target(_target([5, -5]), "binary", ("-5", "5"))
    assert codes.dtype == np.float64
    assert codes.tolist() == [[1.0], [0.0]]
    both = encode_target(_target([True, False], z=[0, 1]), "multilabel", ())
    assert both.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_every_task_can_be_given(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(ROWS)))
    for task in get_args(Task):
        assert load(DataSpec(source=f"file:{path}", task=task)).task == task


def test_rows_without_a_target_are_dropped_and_said(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'' if i in (2, 5) else i % 2}\n" for i in range(ROWS)))
    dataset = load(DataSpec(source=f"file:{path}"))
    assert dataset.task == "binary"
    assert dataset.classes == ("0", "1"), "not 0.0 and 1.0"
    assert dataset.notes[0] == "2 of 40 rows dropped: no target"
    assert 2 not in dataset.frame.index
    assert dataset.frame["x"].tolist() == dataset.frame.index.tolist(), "the index is the row in the file"
    path.write_text("x,y\nstray,\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(ROWS)))
    kept = load(DataSpec(source=f"file:{path}")).frame
    assert kept["x"].dtype == np.float64, "the text went with its row"
    assert kept.index.tolist() == list(range(1, ROWS + 1))
    path.write_text("x,y\n1,\n2,\n")
    with pytest.raises(DataError, match=r"t\.csv: column 'y': the target is missing in all 2 rows"):
        load(DataSpec(source=f"file:{path}"))


def test_a_row_is_named_as_it_stands_in_the_file(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,\n2,3\n3,4\n4,-1\n5,2\n")
    assert read_table(path).shape == (5, 2)
    with pytest.raises(DataError, match=r"t\.csv: column 'y', data row 4: task count needs whole numbers"):
        load(DataSpec(source=f"file:{path}", task="count"))
