"""What recording every step costs: stacks with everything recorded against plain PyTorch loops that record nothing.

Both sides are run in turns in one process with one thread, so that a busy machine slows both; the ratio of each pair is
what counts. The plain side is the idiomatic loop: nn.Sequential, torch.optim.Adam, zero_grad, forward, loss, backward,
step, on the same batches.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from lossdiag.data import Prepared, load, prepare
from lossdiag.losses import bind
from lossdiag.spec import ExperimentSpec, LossSpec
from lossdiag.store import RunStore
from lossdiag.train import batch_order, train

SIX_LOSSES = [
    "bce_with_logits",
    {"name": "focal_binary", "params": {"gamma": 1}},
    {"name": "focal_binary", "params": {"gamma": 2}},
    {"name": "focal_binary", "params": {"gamma": 3}},
    "hinge",
    "brier",
]
SEEDS = 10
ROUNDS = 3


def plain_loop(data: Prepared, loss: LossSpec, seed: int, steps: int) -> float:
    """Train one network as a tutorial would; return its seconds."""
    x, y = torch.tensor(data.x_train, dtype=torch.float32), torch.tensor(data.y_train, dtype=torch.float32)
    batches = [batch for batch, _ in zip(batch_order(seed, len(x), 32), range(steps), strict=False)]
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(data.n_features, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, data.n_outputs)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    loss_fn = nn.BCEWithLogitsLoss() if loss.name == "bce_with_logits" else _mean(bind(loss.name, loss.values))
    begin = time.perf_counter()
    for rows in batches:
        optimizer.zero_grad()
        value = loss_fn(model(x[rows]), y[rows])
        value.backward()
        optimizer.step()
    return time.perf_counter() - begin


def recorded(data: Prepared, losses: Sequence[object], seeds: int, steps: int, root: Path) -> float:
    """Train a stack into a run store with everything recorded; return its seconds, the last flush included."""
    spec = ExperimentSpec.parse({"losses": losses, "seeds": seeds, "train": {"steps": steps, "device": "cpu"}})
    store = RunStore(root)
    with store.writer(store.create(spec)) as writer:
        begin = time.perf_counter()
        train(spec, writer, data=data)
        seconds = time.perf_counter() - begin
        writer.finish("finished")
    return seconds


def main(rounds: int = ROUNDS) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    data = prepare(load(ExperimentSpec().data), ExperimentSpec().data)
    losses = [LossSpec.model_validate(loss) for loss in SIX_LOSSES]
    print(f"{'what':44} {'plain':>10} {'recorded':>10}  ratio (lowest .. highest)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain_loop(data, losses[0], 0, 200)  # the first optimizer imports half of torch
        recorded(data, SIX_LOSSES, 2, 200, root)
        # As in a worker: what lives once torch is warm is not searched for garbage again and again, on either side.
        gc.collect()
        gc.freeze()
        for steps in (300, 1000, 3000):
            pairs = [
                (plain_loop(data, losses[0], 0, steps), recorded(data, SIX_LOSSES[:1], 1, steps, root))
                for _ in range(rounds)
            ]
            _row(f"K = 1, {steps} steps: recorded / plain", pairs, lambda plain, own: own / plain)
        for steps, times in ((300, rounds), (1000, rounds), (3000, 1)):
            pairs = [_many(data, losses, SEEDS, steps, root) for _ in range(times)]
            _row(f"K = 60, {steps} steps: 60 plain / recorded", pairs, lambda plain, own: plain / own)
        pairs = [_many(data, losses[:4], 250, 300, root)]
        _row("K = 1000, 300 steps: 1000 plain / recorded", pairs, lambda plain, own: plain / own)


def _many(data: Prepared, losses: Sequence[LossSpec], seeds: int, steps: int, root: Path) -> tuple[float, float]:
    """Time a stack against one plain loop for each of its members, half of them before it and half after."""
    loops = [(loss, seed) for seed in range(seeds) for loss in losses]
    half = len(loops) // 2
    before = sum(plain_loop(data, loss, seed, steps) for loss, seed in loops[:half])
    own = recorded(data, [loss.model_dump() for loss in losses], seeds, steps, root)
    after = sum(plain_loop(data, loss, seed, steps) for loss, seed in loops[half:])
    return before + after, own


def _row(what: str, pairs: list[tuple[float, float]], ratio: Callable[[float, float], float]) -> None:
    plain, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(ratio(p, r) for p, r in pairs)
    middle = statistics.median(ratios)
    print(f"{what:44} {plain:9.3f}s {own:9.3f}s {middle:6.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f})", flush=True)


def _mean(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda pred, target: loss(pred, target).mean()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
