from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

import lossdiag
from lossdiag.store import STATUSES, TABLES, schema

DOCS = Path(lossdiag.__file__).parents[1] / "docs" / "recordings.md"


@pytest.mark.parametrize("table", TABLES)
def test_float64_runs_differ_in_measured_values_only(table):
    single, double = schema(table), schema(table, double=True)
    assert single.names == double.names
    for a, b in zip(single, double, strict=True):
        assert a == b or (a.type, b.type) == (pa.float32(), pa.float64())


def test_the_page_on_recordings_lists_every_table_column_and_status():
    text = DOCS.read_text(encoding="utf-8")
    listed = {
        row[0]: re.findall(r"`(\w+)`", row[1]) for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE)
    }
    assert listed == {table: schema(table).names for table in TABLES}
    assert all(f"`{status}`" in text for status in STATUSES)
