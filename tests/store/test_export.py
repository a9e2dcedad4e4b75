from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lossdiag.errors import StoreError
from lossdiag.spec import from_yaml
from lossdiag.store import TABLES, export_csv, export_parquet, export_spec

ODD = [math.nan, math.inf, -math.inf, 1 / 3]


@pytest.fixture(params=["live", "ended"])
def run(request, store, spec, rows):
    run_id = store.create(spec)
    with store.writer(run_id) as writer:
        for at in range(0, 3000, 100):
            writer.append("steps", rows(at, at + 100))
        odd = rows(3000, 3001).set_column(2, "loss", pa.array(ODD, pa.float32()))
        writer.append("steps", odd)
        writer.event("crash", step=3, detail='a "quoted", text\nof two lines')
        writer.event("spike", step=4, member=3)
        frame = {"step": 0, "member": 1, "kind": "confusion", "shape": [2, 1], "values": [1.5, 2.0]}
        writer.append("frames", pa.RecordBatch.from_pylist([frame], schema=writer.schema("frames")))
        if request.param == "ended":
            writer.finish("finished")
        yield store.open(run_id)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("export", "read"), [(export_csv, pd.read_csv), (export_parquet, pd.read_parquet)])
def test_every_row_and_every_value(run, tmp_path, table, export, read):
    path = tmp_path / "table"
    original = getattr(run, table)
    assert export(run, table, path) == len(original)
    written = read(path, **({"keep_default_na": False, "na_values": ["nan"]} if export is export_csv else {}))
    assert list(written.columns) == ["step", "member", "label", *original.columns[2:]]
    for column in original.select_dtypes("number"):
        np.testing.assert_array_equal(written[column].astype(original[column].dtype), original[column])
    names = run.members["label"].to_dict() | {-1: ""}
    assert written["label"].tolist() == [names[m] for m in original["member"]]


def test_csv_spells_what_is_not_finite_and_arrays(run, tmp_path):
    path = tmp_path / "out.csv"
    export_csv(run, "steps", path)
    last = path.read_text().splitlines()[-4:]
    assert [line.split(",")[3] for line in last] == ["nan", "inf", "-inf", "0.33333334"]
    export_csv(run, "frames", path)
    assert path.read_text().splitlines()[1] == '0,1,"mse seed 1","confusion","[2, 1]","[1.5, 2.0]"'
    export_csv(run, "events", path)
    assert pd.read_csv(path)["detail"][0] == 'a "quoted", text\nof two lines'


def test_the_spec_can_be_run_again(run, tmp_path, spec):
    export_spec(run, tmp_path / "spec.yaml")
    assert from_yaml((tmp_path / "spec.yaml").read_text()) == spec


def test_nothing_half_written_is_left(run, tmp_path):
    with pytest.raises(StoreError, match="cannot write"):
        export_csv(run, "steps", tmp_path / "no" / "such" / "folder.csv")
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        export_parquet(run, "steps", tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir() if p.name != "runs"] == ["taken"]
