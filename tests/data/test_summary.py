"""Preview figures against numpy."""

import numpy as np
import pandas as pd

from lossdiag.data import class_balance, load, load_table, read_table, suggest_target, summary
from lossdiag.spec import DataSpec


def test_summary_of_every_kind() -> None:
    frame = read_table(
        b"n,b,c,d,m,e\n1,true,p,2024-01-01,1,\n,false,q,2024-01-02,2,\n4,,p,2024-01-03,x,\n4,true,,2024-01-03,3,\n",
        "t.csv",
    )
    table = summary(frame).set_index("column")
    assert table["kind"].to_dict() == {
        "n": "number",
        "b": "bool",
        "c": "category",
        "d": "date",
        "m": "mixed",
        "e": "empty",
    }
    assert table["missing"].tolist() == [1, 1, 1, 0, 0, 4]
    assert table["distinct"].tolist() == [2, 2, 2, 3, 4, 0]
    assert table.loc["n", ["min", "mean", "max"]].tolist() == [1, 3, 4]
    assert table.loc["b", "mean"] == 2 / 3
    assert np.isnan(table.loc["c", "mean"])


def test_summary_of_a_data_set_ends_with_the_target() -> None:
    dataset = load(DataSpec(source="sample:diabetes", target=("sex",)))
    table = summary(dataset)
    assert len(table) == 11
    assert table["column"].iloc[-1] == "sex"
    np.testing.assert_allclose(table["mean"].iloc[0], dataset.frame.iloc[:, 0].mean())


def test_class_balance() -> None:
    iris = class_balance(load(DataSpec(source="sample:iris")))
    assert iris["rows"].tolist() == [50, 50, 50]
    np.testing.assert_allclose(iris["share"].sum(), 1)
    skewed = class_balance(load(DataSpec(source="synthetic:moons", imbalance=9)))
    assert (skewed["class"].tolist(), skewed["rows"].tolist()) == (["0", "1"], [540, 60])
    assert len(class_balance(load(DataSpec(source="sample:diabetes")))) == 0


def test_balance_of_labels(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,p,q\n" + "".join(f"{i},{i % 2},{int(i % 4 == 0)}\n" for i in range(20)))
    table = class_balance(load(DataSpec(source=f"file:{path}", target=("p", "q"))))
    assert table["rows"].tolist() == [10, 5]
    assert table["class"].tolist() == ["p", "q"]


def test_suggested_targets() -> None:
    frame = pd.DataFrame(
        {"Label": [0, 1, 1, 0], "when": pd.date_range("2024", periods=4), "a": [1, 2, 3, 4], "k": [1] * 4}
    )
    frame["name"] = pd.Series(list("wxyz"), dtype="str")
    assert suggest_target(frame) == ("Label", "a")
    assert suggest_target(load_table(DataSpec(source="sample:iris")))[0] == "species"
    assert suggest_target(load_table(DataSpec(source="synthetic:linear")))[0] == "y"
