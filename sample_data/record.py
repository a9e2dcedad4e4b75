"""Record the race that the first screen shows: ``python sample_data/record.py`` from the repository's root.

A sine with one outlier in ten rows, under three losses. Squares of outliers make gradients large enough that some
seeds of mse run away, while mae and huber, whose gradients are bounded, stay. Nothing is arranged: it is what the
engine records for this spec.
"""

import shutil
import tempfile
from pathlib import Path

from lossdiag.spec import ExperimentSpec
from lossdiag.store import RunStore
from lossdiag.train import train

SPEC = ExperimentSpec.parse(
    {
        "name": "A sine with outliers: mse, mae, huber",
        "data": {"source": "synthetic:sine", "n": 400, "outliers": 0.1},
        "model": {"width": 32, "activation": "tanh"},
        "losses": ["mse", "mae", "huber"],
        "optimizer": {"name": "sgd", "momentum": 0.9, "lr": 0.15},
        "train": {"steps": 600, "device": "cpu"},
        "seeds": 5,
    }
)
RECORDED = Path(__file__).parent / "recorded_run"


def main() -> None:
    """Train, and put the run's folder in the place of the old one."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        run_id = store.create(SPEC)
        with store.writer(run_id) as writer:
            outcome = train(SPEC, writer, uploads=store.uploads)
            writer.finish(outcome.status)
        shutil.rmtree(RECORDED, ignore_errors=True)
        shutil.copytree(store.path(run_id), RECORDED, ignore=shutil.ignore_patterns("run.lock", "worker.log"))


if __name__ == "__main__":
    main()
