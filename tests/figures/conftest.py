import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pytest

from lossdiag.spec import ExperimentSpec
from lossdiag.store import Recording, RunStore, RunWriter


def decoded(value: Any) -> np.ndarray:
    """An array as the browser will decode it."""
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
        return array.reshape([int(n) for n in str(value["shape"]).split(",")]) if "shape" in value else array
    return np.asarray(value)


class Sent:
    """A figure as it goes to the browser: traces by name with decoded arrays, and the size."""

    def __init__(self, figure: go.Figure) -> None:
        text = figure.to_json()
        self.size = len(text)
        self.plain = json.loads(text)
        self.traces = self.plain["data"]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [t for t in self.traces if t.get("name") == name]

    def array(self, name: str, key: str) -> np.ndarray:
        (trace,) = self.named(name)
        return decoded(trace[key])


@pytest.fixture
def sent() -> type[Sent]:
    return Sent


@pytest.fixture
def decode() -> Any:
    return decoded


def fill(writer: RunWriter, table: Any, **columns: Any) -> None:
    """Append rows, NaN (or 0 in whole numbers) in the columns that are not given."""
    n = max(np.size(c) for c in columns.values())
    arrays = []
    for field in writer.schema(table):
        empty = np.nan if pa.types.is_floating(field.type) else "" if pa.types.is_string(field.type) else 0
        values = columns.get(field.name, empty)
        arrays.append(pa.array(np.broadcast_to(values, n), field.type))
    writer.append(table, pa.record_batch(arrays, schema=writer.schema(table)))


Losses = Mapping[int, Any]
More = Callable[[RunWriter, Callable[..., None]], None]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Recording]:
    """Record a run: `losses` by member, and whatever `more` writes."""

    def make(
        losses: Losses,
        more: Callable[[RunWriter, Callable[..., None]], None] | None = None,
        /,
        finish: bool = True,
        **spec: Any,
    ) -> Recording:
        store = RunStore(tmp_path / "runs")
        run = store.create(ExperimentSpec.parse(spec))
        with store.writer(run) as writer:
            for member, values in losses.items():
                steps = np.arange(len(values))
                fill(writer, "steps", step=steps, member=member, loss=values, lr=0.01, grad_norm=np.abs(values) + 1)
            if more is not None:
                more(writer, fill)
            if finish:
                writer.finish("finished")
        return store.open(run)

    return make
