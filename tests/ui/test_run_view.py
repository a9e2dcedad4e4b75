import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lossdiag.registry import YARDSTICKS
from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore, schema
from ui.run_view import _falls_to_zero, _wide

SPEC = ExperimentSpec.parse({"losses": ["mse", "mae"], "data": {"source": "sample:diabetes"}, "seeds": 1})


def _steps(losses: dict[int, list[float]]) -> pa.RecordBatch:
    count = sum(map(len, losses.values()))
    columns = {name: np.zeros(count, np.float32) for name in schema("steps").names}
    columns["step"] = np.concatenate([np.arange(len(own), dtype=np.int32) for own in losses.values()])
    columns["member"] = np.concatenate([np.full(len(own), m, np.int16) for m, own in losses.items()])
    columns["loss"] = np.concatenate([np.array(own, np.float32) for own in losses.values()])
    return pa.RecordBatch.from_pydict(columns, schema=schema("steps"))


@pytest.mark.parametrize(
    ("losses", "wide"),
    [
        ({0: [1.0, 1e-3, 1e-12, 0.0], 1: [1.0, 0.5, 0.2, 0.1]}, False),  # a loss that is learned to nothing
        ({0: [1.0, 50.0, 2e6, math.inf], 1: [1.0, 0.5, 0.2, 0.1]}, True),
        ({0: [math.nan, math.nan], 1: [math.inf]}, False),
        ({0: [0.0, 0.0], 1: [0.0]}, False),
    ],
)
def test_only_a_loss_that_grew_far_starts_on_a_log_axis(
    tmp_path: Path, losses: dict[int, list[float]], wide: bool
) -> None:
    store = RunStore(tmp_path)
    run = store.create(SPEC)
    with store.writer(run) as writer:
        writer.append("steps", _steps(losses))
        writer.finish("finished")
    assert _wide(store.open(run)) is wide


def test_shares_and_what_may_be_negative_stay_on_a_linear_axis() -> None:
    assert {name for name in YARDSTICKS if _falls_to_zero(name)} == {"mae", "rmse", "ece", "log_loss"}
