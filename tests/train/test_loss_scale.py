"""The per-member loss scale against torch.amp.GradScaler on the same overflows."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.train.loss_scale import LossScale


def torch_scales(overflows: list[bool], **options: float) -> list[float]:
    scaler = torch.amp.GradScaler("cpu", **options)
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scales = []
    for overflow in overflows:
        weight.grad = None
        scaler.scale((weight * (torch.inf if overflow else 1.0)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    pattern=st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=40),
    init=st.sampled_from([65536.0, 2.0**126, 1e-3]),
    interval=st.integers(1, 5),
    growth=st.sampled_from([2.0, 4.0, 1.5]),
    backoff=st.sampled_from([0.5, 0.25]),
)
def test_every_members_scale_is_grad_scalers(
    pattern: list[tuple[bool, ...]], init: float, interval: int, growth: float, backoff: float
) -> None:
    ours = LossScale(3, device="cpu", init=init, growth=growth, backoff=backoff, interval=interval)
    got = []
    for found in pattern:
        ours.update(torch.tensor(found))
        got.append(ours.scale.tolist())
    for k in range(3):
        theirs = torch_scales(
            [found[k] for found in pattern],
            init_scale=init,
            growth_interval=interval,
            growth_factor=growth,
            backoff_factor=backoff,
        )
        assert [row[k] for row in got] == theirs


def test_defaults_are_grad_scalers() -> None:
    scaler, ours = torch.amp.GradScaler("cpu"), LossScale(1, device="cpu")
    assert ours.scale.item() == torch_scales([True])[0] / scaler.get_backoff_factor()
    for _ in range(scaler.get_growth_interval() - 1):
        ours.update(torch.tensor([False]))
    assert ours.scale.item() == 65536.0
    ours.update(torch.tensor([False]))
    assert ours.scale.item() == 65536.0 * scaler.get_growth_factor()


def test_unscale_divides_each_member_and_finds_its_overflow() -> None:
    ours = LossScale(3, device="cpu")
    ours.update(torch.tensor([False, True, False]))
    grads = torch.tensor([[1.0, 2.0], [1.0, -torch.inf], [torch.nan, 0.0]])
    scaled = grads * ours.scale[:, None]
    assert ours.unscale(scaled).tolist() == [False, True, True]
    assert torch.equal(scaled[0], grads[0])
    assert scaled[1, 0] == 1.0


def test_snapshot_goes_on_where_it_was_taken() -> None:
    ours = LossScale(2, device="cpu", interval=3)
    pattern = torch.tensor([[False, True], [False, False], [False, False], [True, False]])
    ours.update(pattern[0])
    snapshot = {key: value.clone() for key, value in ours.state().items()}
    for found in pattern[1:]:
        ours.update(found)
    end = ours.scale.clone()
    ours.load(snapshot)
    for found in pattern[1:]:
        ours.update(found)
    assert torch.equal(ours.scale, end)
    alone = LossScale(1, device="cpu", interval=3)
    alone.load({key: value[1:] for key, value in snapshot.items()})
    for found in pattern[1:]:
        alone.update(found[1:])
    assert torch.equal(alone.scale, end[1:])
    assert snapshot["scale"].tolist() == [65536.0, 32768.0]


def test_nothing_waits_for_the_device() -> None:
    # Tensors without data refuse whatever would have to read a value back to the host.
    ours = LossScale(2, device="meta")
    ours.update(ours.unscale(torch.empty(2, 3, device="meta")))
    assert ours.scale.is_meta
