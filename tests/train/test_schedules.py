"""Every schedule against the torch scheduler of the same name, stepped after every update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lossdiag.spec import ScheduleSpec
from lossdiag.train.schedules import Plateau, lr_table

Make = Callable[[torch.optim.Optimizer, ScheduleSpec, float, int], lr_scheduler.LRScheduler]
quick = settings(derandomize=True, deadline=None, max_examples=60)
rates = st.floats(1e-5, 10.0)
lengths = st.integers(1, 80)
gammas = st.floats(0.05, 1.0)


def cosine(optimizer: torch.optim.Optimizer, spec: ScheduleSpec, lr: float, total: int) -> lr_scheduler.LRScheduler:
    rest = max(1, total - spec.warmup)
    if not spec.warmup:
        return lr_scheduler.CosineAnnealingLR(optimizer, rest, eta_min=spec.floor * lr)
    rise = lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=spec.warmup)
    fall = lr_scheduler.CosineAnnealingLR(optimizer, rest, eta_min=spec.floor * lr)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[spec.warmup])


MAKE: dict[str, Make] = {
    "constant": lambda o, s, lr, total: lr_scheduler.ConstantLR(o, factor=1.0),
    "step": lambda o, s, lr, total: lr_scheduler.StepLR(o, s.every, s.gamma),
    "exponential": lambda o, s, lr, total: lr_scheduler.ExponentialLR(o, s.gamma ** (1.0 / s.every)),
    "cosine": cosine,
    "one_cycle": lambda o, s, lr, total: lr_scheduler.OneCycleLR(
        o, lr, total_steps=total, pct_start=s.peak_at, cycle_momentum=False
    ),
}


def torch_rates(spec: ScheduleSpec, lr: float, total: int) -> np.ndarray:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = MAKE[spec.name](optimizer, spec, lr, total)
    found = []
    for t in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t < total - 1:
            scheduler.step()
    return np.array(found)


def check(spec: ScheduleSpec, lr: float, total: int) -> None:
    # torch reaches each rate from the one before; near zero its rounding is relative to where it came from.
    np.testing.assert_allclose(
        lr_table(spec, lr, total, 0, total), torch_rates(spec, lr, total), rtol=1e-12, atol=1e-12 * lr
    )


@pytest.mark.parametrize("name", ["constant", "step", "exponential"])
@quick
@given(lr=rates, total=lengths, every=st.integers(1, 30), gamma=gammas)
def test_constant_step_and_exponential(name: str, lr: float, total: int, every: int, gamma: float) -> None:
    check(ScheduleSpec(name=name, every=every, gamma=gamma), lr, total)


@quick
@given(lr=rates, total=lengths, warmup=st.integers(0, 90), floor=st.floats(0.0, 1.0))
def test_cosine_with_warm_up_even_longer_than_the_run(lr: float, total: int, warmup: int, floor: float) -> None:
    check(ScheduleSpec(name="cosine", warmup=warmup, floor=floor), lr, total)


@quick
@given(lr=rates, total=lengths, peak_at=st.floats(0.01, 0.99))
def test_one_cycle(lr: float, total: int, peak_at: float) -> None:
    if peak_at * total != 1.0:  # torch divides by zero
        check(ScheduleSpec(name="one_cycle", peak_at=peak_at), lr, total)


def test_one_cycle_without_a_rise_starts_at_its_peak() -> None:
    table = lr_table(ScheduleSpec(name="one_cycle", peak_at=0.25), 0.1, 4, 0, 4)
    assert table[0] == pytest.approx(0.1)
    assert np.all(np.diff(table) < 0)


@pytest.mark.parametrize("name", [*MAKE, "plateau"])
def test_a_table_in_pieces_is_the_table(name: str) -> None:
    spec = ScheduleSpec(name=name, warmup=7, every=5)
    whole = lr_table(spec, 0.3, 50, 0, 50)
    pieces = [lr_table(spec, 0.3, 50, start, 10) for start in range(0, 50, 10)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert lr_table(spec, 0.3, 50, 50, 0).shape == (0,)


losses = st.floats(-2.0, 2.0) | st.sampled_from([1.0, 0.99995, 0.9998, 0.0, np.nan, np.inf])


@quick
@given(
    curves=st.lists(st.tuples(losses, losses), min_size=1, max_size=30),
    gamma=st.floats(0.1, 0.9),
    patience=st.integers(0, 4),
    lr=st.floats(1e-8, 1.0),
)
def test_plateau_is_torchs_for_every_member(
    curves: list[tuple[float, float]], gamma: float, patience: int, lr: float
) -> None:
    ours = Plateau([lr, lr], gamma, [patience, patience + 1])
    optimizers = [torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr) for _ in range(2)]
    theirs = [
        lr_scheduler.ReduceLROnPlateau(o, mode="min", factor=gamma, patience=patience + k)
        for k, o in enumerate(optimizers)
    ]
    for pair in curves:
        got = ours.step(pair)
        for k in range(2):
            theirs[k].step(pair[k])
            assert got[k] == pytest.approx(optimizers[k].param_groups[0]["lr"], rel=1e-12)


def test_plateau_goes_on_from_a_snapshot() -> None:
    plateau = Plateau(np.array([0.1, 0.2]), 0.5, 1)
    plateau.step([1.0, 1.0])
    plateau.step([2.0, 0.5])
    snapshot = plateau.state()
    first = [plateau.step(pair) for pair in ([2.0, 2.0], [2.0, 2.0])]
    plateau.load(snapshot)
    np.testing.assert_array_equal([plateau.step(pair) for pair in ([2.0, 2.0], [2.0, 2.0])], first)
    np.testing.assert_allclose(first[-1], [0.05, 0.1])
    np.testing.assert_allclose(plateau.lr, first[-1])
