"""A sink that keeps everything in memory, and the plain PyTorch loop that members are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from lossdiag.data import Prepared, load, prepare
from lossdiag.losses import bind
from lossdiag.nn import build_module
from lossdiag.spec import ExperimentSpec, Member
from lossdiag.store.schema import Table, schema
from lossdiag.train import batch_order


class MemorySink:
    """Checks every batch against the schema and keeps it."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self._batches: dict[str, list[pa.RecordBatch]] = {}

    def append(self, table: Table, batch: pa.RecordBatch) -> None:
        assert batch.schema in (schema(table), schema(table, double=True))
        batch.validate(full=True)
        self._batches.setdefault(table, []).append(batch)

    def describe(self, **facts: Any) -> None:
        self.facts.update(facts)

    def frame(self, table: Table) -> pd.DataFrame:
        if table not in self._batches:
            return schema(table).empty_table().to_pandas()
        return pa.Table.from_batches(self._batches[table]).to_pandas()

    def curve(self, member: int, column: str = "loss") -> np.ndarray:
        rows = self.frame("steps")
        return rows[rows.member == member].sort_values("step")[column].to_numpy()


@dataclass
class PlainRun:
    """What a plain loop saw, step by step."""

    losses: list[float] = field(default_factory=list)
    gradient_norms: list[list[float]] = field(default_factory=list)
    state: dict[str, Tensor] = field(default_factory=dict)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def new_sink() -> Callable[[], MemorySink]:
    return MemorySink


@pytest.fixture
def plain_run() -> Callable[..., PlainRun]:
    return _plain_run


def _plain_run(spec: ExperimentSpec, member: Member, data: Prepared | None = None) -> PlainRun:
    """Train one member as a tutorial would, stopping after the first loss that is not finite."""
    spec = spec.member_spec(member)
    data = data or prepare(load(spec.data), spec.data)
    dtype = torch.float64 if spec.train.precision == "float64" else torch.float32
    x, y = torch.tensor(data.x_train, dtype=dtype), torch.tensor(data.y_train)
    y = y if y.dtype == torch.int64 else y.to(dtype)
    torch.manual_seed(member.seed)
    model = build_module(spec.model, data.n_features, data.n_outputs).to(dtype)
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    counts = [int(c) for c in data.class_counts] or None
    loss_fn = bind(member.loss.name, member.loss.values, class_counts=counts, dtype=dtype)
    optimizer = _optimizer(spec, model)
    scheduler = _scheduler(spec, optimizer)
    batches = batch_order(member.seed, len(x), spec.train.batch_size)
    run = PlainRun()
    for _ in range(spec.train.steps):
        optimizer.zero_grad()
        total = 0.0
        for _ in range(spec.train.accumulate):
            rows = next(batches)
            loss = loss_fn(model(x[rows]), y[rows]).mean() / spec.train.accumulate
            loss.backward()
            total += loss.item()
        if spec.regularise.l1 or spec.regularise.l2:
            penalty = sum(spec.regularise.l1 * w.abs().sum() + spec.regularise.l2 * w.square().sum() for w in weights)
            penalty.backward()
        run.losses.append(total)
        run.gradient_norms.append([p.grad.double().norm().item() for p in model.parameters()])
        if spec.clip.norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), spec.clip.norm)
        if spec.clip.value is not None:
            nn.utils.clip_grad_value_(model.parameters(), spec.clip.value)
        optimizer.step()
        scheduler.step()
        if not math.isfinite(total):
            break
    run.state = model.state_dict()
    return run


def _optimizer(spec: ExperimentSpec, model: nn.Module) -> torch.optim.Optimizer:
    o = spec.optimizer
    common = {"params": model.parameters(), "lr": o.lr, "weight_decay": o.weight_decay}
    if o.name == "sgd":
        return torch.optim.SGD(**common, momentum=o.momentum, nesterov=o.nesterov)
    if o.name == "rmsprop":
        return torch.optim.RMSprop(**common, alpha=o.alpha, eps=o.eps, momentum=o.momentum)
    kind = torch.optim.Adam if o.name == "adam" else torch.optim.AdamW
    return kind(**common, betas=(o.beta1, o.beta2), eps=o.eps)


def _scheduler(spec: ExperimentSpec, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    s = spec.schedule
    if s.name == "step":
        return torch.optim.lr_scheduler.StepLR(optimizer, s.every, s.gamma)
    if s.name == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, spec.train.steps)
    assert s.name == "constant"
    return torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
