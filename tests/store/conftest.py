from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import lossdiag
from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, Table, schema

Rows = Callable[..., pa.RecordBatch]
Child = Callable[..., "subprocess.Popen[str]"]

NOW = datetime(2025, 1, 31, 12, 30, tzinfo=UTC)


@pytest.fixture
def spec() -> ExperimentSpec:
    return ExperimentSpec(name="two by two", losses=("mse", "mae"), seeds=2, data={"source": "synthetic:sine"})


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs", clock=lambda: NOW)


@pytest.fixture
def rows() -> Rows:
    """Rows of steps first..last of members 0..members-1, each measured value `step * 1000 + member`."""

    def make(
        first: int, last: int, *, members: int = 4, table: Table = "steps", double: bool = False
    ) -> pa.RecordBatch:
        step = np.repeat(np.arange(first, last, dtype=np.int32), members)
        member = np.tile(np.arange(members, dtype=np.int16), last - first)
        columns = [step, member]
        for field in schema(table, double=double):
            if field.name == "layer":
                columns.append(np.zeros(len(step), np.int16))
            elif field.name not in ("step", "member"):
                columns.append((step * 1000 + member).astype(field.type.to_pandas_dtype()))
        return pa.record_batch(columns, schema=schema(table, double=double))

    return make


@pytest.fixture
def child() -> Child:
    """Start a fresh Python process on a piece of code."""

    def start(code: str, *args: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
            env={**os.environ, "PYTHONPATH": str(Path(lossdiag.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
