"""Every rule against torch.optim on the same gradients, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lossdiag.errors import TrainError
from lossdiag.train.optimizers import HYPERPARAMETERS, Optimizer, make_optimizer

NAMES = ("sgd", "adam", "adamw", "rmsprop")
DEFAULTS = {
    "momentum": 0.0,
    "nesterov": False,
    "beta1": 0.9,
    "beta2": 0.999,
    "alpha": 0.99,
    "eps": 1e-8,
    "weight_decay": 0.0,
}
Hyper = Mapping[str, float]

zero_or = st.sampled_from([0.0, 0.5, 0.9]) | st.floats(0.0, 0.99)
hypers = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-4, 1.0),
        "momentum": zero_or,
        "nesterov": st.booleans(),
        "beta1": zero_or,
        "beta2": st.floats(0.5, 0.9999),
        "alpha": zero_or,
        "eps": st.sampled_from([1e-8, 1e-4, 0.1]),
        "weight_decay": st.sampled_from([0.0, 0.01]) | st.floats(0.0, 0.5),
    }
).map(lambda h: {**h, "nesterov": h["nesterov"] and h["momentum"] > 0})


def torch_optimizer(name: str, weights: Tensor, h: Hyper) -> torch.optim.Optimizer:
    betas = (h["beta1"], h["beta2"])
    decay = {"lr": h["lr"], "weight_decay": h["weight_decay"]}
    make: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD([weights], momentum=h["momentum"], nesterov=bool(h["nesterov"]), **decay),
        "adam": lambda: torch.optim.Adam([weights], betas=betas, eps=h["eps"], **decay),
        "adamw": lambda: torch.optim.AdamW([weights], betas=betas, eps=h["eps"], **decay),
        "rmsprop": lambda: torch.optim.RMSprop(
            [weights], alpha=h["alpha"], eps=h["eps"], momentum=h["momentum"], **decay
        ),
    }
    return make[name]()


def torch_path(name: str, start: Tensor, grads: Tensor, h: Hyper) -> Tensor:
    """Weights [T, P] after each of the gradients [T, P]."""
    weights = start.clone().requires_grad_()
    optimizer = torch_optimizer(name, weights, h)
    path = []
    for grad in grads:
        weights.grad = grad.clone()
        optimizer.step()
        path.append(weights.detach().clone())
    return torch.stack(path)


def stack_of(name: str, members: list[Hyper], parameters: int, *, skippable: bool = False) -> tuple[Optimizer, Tensor]:
    hyper = {key: torch.tensor([[float(h[key])] for h in members], dtype=torch.float64) for key in HYPERPARAMETERS}
    lr = torch.tensor([[h["lr"]] for h in members], dtype=torch.float64)
    optimizer = make_optimizer(
        name, len(members), parameters, hyper, device="cpu", dtype=torch.float64, skippable=skippable
    )
    return optimizer, lr


def stack_path(optimizer: Optimizer, lr: Tensor, start: Tensor, grads: Tensor) -> Tensor:
    """Weights [T, K, P] after each of the gradients [T, K, P]."""
    weights, out, path = start.clone(), torch.empty_like(start), []
    for grad in grads:
        weights = weights - optimizer.update(weights, grad, lr, out)
        path.append(weights)
    return torch.stack(path)


def draw(members: int, steps: int, parameters: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(members * 1000 + steps)
    start = torch.randn(members, parameters, dtype=torch.float64, generator=generator)
    return start, torch.randn(steps, members, parameters, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("name", NAMES)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(members=st.lists(hypers, min_size=1, max_size=4))
def test_every_member_follows_torch_with_its_own_hyperparameters(name: str, members: list[Hyper]) -> None:
    start, grads = draw(len(members), steps=25)
    got = stack_path(*stack_of(name, members, start.shape[1]), start, grads)
    for k, h in enumerate(members):
        torch.testing.assert_close(got[:, k], torch_path(name, start[k], grads[:, k], h), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("same", [True, False], ids=["members agree", "members differ"])
def test_curve_on_a_quadratic_is_torchs(name: str, same: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    slopes = torch.rand(2, 6, dtype=torch.float64, generator=generator) + 0.1
    base = {**DEFAULTS, "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
    members = [base, base if same else {**base, "lr": 0.2, "beta1": 0.5, "beta2": 0.9, "momentum": 0.0}]
    optimizer, lr = stack_of(name, members, 6)
    stack, out = torch.ones(2, 6, dtype=torch.float64), torch.empty(2, 6, dtype=torch.float64)
    plain = [torch.ones(6, dtype=torch.float64).requires_grad_() for _ in members]
    rules = [torch_optimizer(name, w, h) for w, h in zip(plain, members, strict=True)]
    for _ in range(200):
        stack = stack - optimizer.update(stack, slopes * stack, lr, out)
        for k, (w, rule) in enumerate(zip(plain, rules, strict=True)):
            w.grad = slopes[k] * w.detach()
            rule.step()
    torch.testing.assert_close(stack, torch.stack(plain).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_overflow_comes_and_goes_as_in_torch(name: str) -> None:
    start, grads = draw(1, steps=6)
    grads[2] = 1e200  # its square is infinite, the gradient is not
    for h in ({**DEFAULTS, "lr": 0.1}, {**DEFAULTS, "lr": 0.1, "beta2": 0.9, "momentum": 0.9}):
        other = {**h, "beta1": 0.8, "alpha": 0.8}
        got = stack_path(*stack_of(name, [h, other], 7), start.repeat(2, 1), grads.repeat(1, 2, 1))
        for k, own in enumerate((h, other)):
            want = torch_path(name, start[0], grads[:, 0], own)
            torch.testing.assert_close(got[:, k], want, rtol=1e-10, atol=1e-10, equal_nan=True)


def test_a_member_that_failed_leaves_the_others_alone() -> None:
    start, grads = draw(2, steps=10)
    h = {**DEFAULTS, "lr": 0.1}
    want = torch_path("adam", start[1], grads[:, 1], h)
    grads[3:, 0] = torch.nan
    got = stack_path(*stack_of("adam", [h, h], 7), start, grads)
    torch.testing.assert_close(got[:, 1], want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@settings(derandomize=True, deadline=None, max_examples=15)
@given(members=st.lists(hypers, min_size=2, max_size=2), pattern=st.lists(st.booleans(), min_size=24, max_size=24))
def test_a_skipped_step_never_happened(name: str, members: list[Hyper], pattern: list[bool]) -> None:
    start, grads = draw(2, steps=12)
    skips = torch.tensor(pattern).view(12, 2, 1)
    optimizer, lr = stack_of(name, members, 7, skippable=True)
    weights, out = start.clone(), torch.empty_like(start)
    for grad, skip in zip(grads, skips, strict=True):
        weights = weights - optimizer.update(weights, torch.where(skip, torch.inf, grad), lr, out, skip)
    for k, h in enumerate(members):
        taken = grads[:, k][~skips[:, k, 0]]
        want = torch_path(name, start[k], taken, h)[-1] if len(taken) else start[k]
        torch.testing.assert_close(weights[k], want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skippable", [True, False])
def test_snapshot_goes_on_where_it_was_taken(name: str, skippable: bool) -> None:
    start, grads = draw(3, steps=20)
    members = [{**DEFAULTS, "lr": 0.1, "momentum": m, "weight_decay": 0.01} for m in (0.0, 0.5, 0.9)]
    optimizer, lr = stack_of(name, members, 7, skippable=skippable)
    half = stack_path(optimizer, lr, start, grads[:10])[-1]
    snapshot = {key: value.clone() for key, value in optimizer.state().items()}
    end = stack_path(optimizer, lr, half, grads[10:])
    optimizer.load(snapshot)
    assert torch.equal(stack_path(optimizer, lr, half, grads[10:]), end)
    for k in range(3):  # each member alone, the first of which has no use for the stack's momentum
        alone, own_lr = stack_of(name, [members[k]], 7)
        alone.load({key: value[k : k + 1] for key, value in snapshot.items()})
        torch.testing.assert_close(
            stack_path(alone, own_lr, half[k : k + 1], grads[10:, k : k + 1])[:, 0], end[:, k], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone_and_float32_works(name: str) -> None:
    hyper = {key: torch.full((2, 1), float(value), dtype=torch.float64) for key, value in DEFAULTS.items()}
    hyper["weight_decay"][:] = 0.1
    optimizer = make_optimizer(name, 2, 3, hyper, device="cpu", dtype=torch.float32)
    weights, grads, lr = torch.ones(2, 3), torch.full((2, 3), 2.0), torch.full((2, 1), 0.1)
    before = copy.deepcopy((weights, grads, lr))
    out = torch.empty(2, 3)
    assert optimizer.update(weights, grads, lr, out) is out
    assert out.isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip((weights, grads, lr), before, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("skippable", [True, False])
def test_an_update_never_waits_for_the_device(name: str, skippable: bool) -> None:
    # Tensors without data refuse whatever would have to read a value back to the host.
    hyper = {key: torch.tensor([[float(value)], [0.5]], dtype=torch.float64) for key, value in DEFAULTS.items()}
    optimizer = make_optimizer(name, 2, 3, hyper, device="meta", dtype=torch.float32, skippable=skippable)
    weights, grads, out = (torch.empty(2, 3, device="meta") for _ in range(3))
    lr, skip = torch.empty(2, 1, device="meta"), torch.empty(2, 1, device="meta", dtype=torch.bool)
    for _ in range(2):
        assert optimizer.update(weights, grads, lr, out, skip if skippable else None).is_meta
    assert all(value.shape[0] == 2 for value in optimizer.state().values())


def test_refusals_say_what_came_and_what_was_expected() -> None:
    optimizer, lr = stack_of("adam", [{**DEFAULTS, "lr": 0.1}], 3)
    with pytest.raises(TrainError, match="'square'.*nothing.*expected shape \\(1, 3\\)"):
        optimizer.load({"step": torch.ones(1, 1), "mean": torch.zeros(1, 3)})
    with pytest.raises(TrainError, match="skippable=True"):
        optimizer.update(torch.ones(1, 3), torch.ones(1, 3), lr, torch.empty(1, 3), torch.ones(1, 1).bool())
    hyper = {key: torch.ones(2, 1) for key in HYPERPARAMETERS}
    with pytest.raises(TrainError, match="'adam'"):
        make_optimizer("adm", 2, 3, hyper, device="cpu", dtype=torch.float32)
    with pytest.raises(TrainError, match=r"'momentum': got shape \(2, 1\), expected \(3, 1\)"):
        make_optimizer("adam", 3, 3, hyper, device="cpu", dtype=torch.float32)
