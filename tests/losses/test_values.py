"""Every loss against an independent implementation, row by row, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import metrics

from lossdiag import losses

mpmath.mp.dps = 50
quick = settings(derandomize=True, deadline=None, max_examples=80)

reals = st.floats(-1e3, 1e3) | st.floats(-1e-6, 1e-6) | st.just(0.0)
logits = st.floats(-30.0, 30.0) | st.just(0.0)
labels = st.sampled_from([0.0, 1.0])
Row = Sequence[tuple[float, float]]  # the (pred, target) pairs of one row's D columns


def rows_of(pred: st.SearchStrategy[float], target: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    def rows(width: int) -> st.SearchStrategy[list[Row]]:
        return st.lists(st.lists(st.tuples(pred, target), min_size=width, max_size=width), min_size=1, max_size=4)

    return st.integers(1, 3).flatmap(rows)


def check(name: str, rows: list[Row], element: Callable[[float, float], float], **params: float) -> None:
    """Compare the loss of `rows` with the mean of `element` over each row's columns."""
    table = torch.tensor(rows, dtype=torch.float64)
    got = losses.get(name)(table[..., 0], table[..., 1], **params)
    want = [np.mean([float(element(p, t)) for p, t in row]) for row in rows]
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-14)


@quick
@given(rows=rows_of(reals, reals))
def test_mse(rows: list[Row]) -> None:
    check("mse", rows, lambda p, t: metrics.mean_squared_error([t], [p]))


@quick
@given(rows=rows_of(reals, reals))
def test_mae(rows: list[Row]) -> None:
    check("mae", rows, lambda p, t: metrics.mean_absolute_error([t], [p]))


@quick
@given(rows=rows_of(reals, reals), delta=st.floats(0.001, 1000.0))
def test_huber(rows: list[Row], delta: float) -> None:
    check("huber", rows, lambda p, t: special.huber(delta, p - t), delta=delta)


@quick
@given(rows=rows_of(reals, reals | st.sampled_from([1e-3, 0.5, 1.0])))
def test_log_cosh(rows: list[Row]) -> None:
    check("log_cosh", rows, lambda p, t: mpmath.log(mpmath.cosh(mpmath.mpf(p) - mpmath.mpf(t))))


@quick
@given(rows=rows_of(reals, reals), q=st.floats(0.01, 0.99))
def test_quantile(rows: list[Row], q: float) -> None:
    check("quantile", rows, lambda p, t: metrics.mean_pinball_loss([t], [p], alpha=q), q=q)


@quick
@given(rows=rows_of(st.floats(-8.0, 8.0), st.integers(0, 60).map(float)))
def test_poisson_nll(rows: list[Row]) -> None:
    def element(z: float, t: float) -> float:
        return -stats.poisson.logpmf(t, np.exp(z)) - special.gammaln(t + 1.0)

    table = torch.tensor(rows, dtype=torch.float64)
    got = losses.get("poisson_nll")(table[..., 0], table[..., 1])
    want = [np.mean([element(z, t) for z, t in row]) for row in rows]
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-9)  # logpmf and log(t!) cancel


@quick
@given(rows=rows_of(logits, labels | st.floats(0.0, 1.0)), pos_weight=st.just(1.0) | st.floats(0.001, 1000.0))
def test_bce_with_logits(rows: list[Row], pos_weight: float) -> None:
    def element(z: float, t: float) -> float:
        return -pos_weight * t * special.log_expit(z) - (1.0 - t) * special.log_expit(-z)

    check("bce_with_logits", rows, element, pos_weight=pos_weight)


@quick
@given(rows=rows_of(logits, labels))
def test_hinge(rows: list[Row]) -> None:
    # scikit-learn needs rows of both classes: the mirrored row has the same loss.
    check("hinge", rows, lambda z, t: metrics.hinge_loss([t, 1.0 - t], [z, -z]))


@quick
@given(rows=rows_of(st.floats(-12.0, 12.0), labels))
def test_brier(rows: list[Row]) -> None:
    check("brier", rows, lambda z, t: metrics.brier_score_loss([t], [special.expit(z)], labels=[0.0, 1.0]))


def focal_by_paper(z: float, t: float, gamma: float, alpha: float) -> float:
    p = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
    p_t, alpha_t = (p, alpha) if t == 1.0 else (1 - p, 1 - mpmath.mpf(alpha))
    return float(-alpha_t * (1 - p_t) ** gamma * mpmath.log(p_t))


@quick
@given(
    rows=rows_of(logits, labels), gamma=st.sampled_from([0.0, 0.5, 2.0]) | st.floats(0.0, 10.0), a=st.floats(0.01, 0.99)
)
def test_focal_binary(rows: list[Row], gamma: float, a: float) -> None:
    check("focal_binary", rows, lambda z, t: focal_by_paper(z, t, gamma, a), gamma=gamma, alpha=a)


@st.composite
def classes(draw: st.DrawFn, size: float = 30.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits [B, C], class indices [B] and class weights [C]."""
    rows, count = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    z = [[draw(st.floats(-size, size)) for _ in range(count)] for _ in range(rows)]
    t = [draw(st.integers(0, count - 1)) for _ in range(rows)]
    w = [draw(st.floats(0.01, 10.0)) for _ in range(count)]
    return np.array(z), np.array(t), np.array(w)


@quick
@given(drawn=classes(), weighted=st.booleans(), smoothing=st.just(0.0) | st.floats(0.0, 0.9))
def test_cross_entropy(drawn: tuple[np.ndarray, ...], weighted: bool, smoothing: float) -> None:
    z, t, w = drawn
    w = w if weighted else np.ones_like(w)
    nll = -special.log_softmax(z, axis=1)
    true = w[t] * nll[np.arange(len(t)), t]
    spread = (w * nll).mean(1)
    want = ((1.0 - smoothing) * true + smoothing * spread) / w[t].mean()

    pred, target = torch.from_numpy(z), torch.from_numpy(t)
    weight = torch.from_numpy(w) if weighted else None
    got = losses.get("cross_entropy")(pred, target, weight=weight, label_smoothing=smoothing)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-14)
    criterion = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
    torch.testing.assert_close(got.mean(), criterion(pred, target), rtol=1e-12, atol=1e-14)


@quick
@given(drawn=classes(size=10.0))
def test_brier_multiclass(drawn: tuple[np.ndarray, ...]) -> None:
    z, t, _ = drawn
    p = special.softmax(z, axis=1)
    names = list(range(z.shape[1]))
    want = [metrics.brier_score_loss([k], p[i : i + 1], labels=names, scale_by_half=False) for i, k in enumerate(t)]
    got = losses.get("brier_multiclass")(torch.from_numpy(z), torch.from_numpy(t))
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-14)


@quick
@given(drawn=classes(), gamma=st.sampled_from([0.0, 0.5, 2.0]) | st.floats(0.0, 10.0), weighted=st.booleans())
def test_focal(drawn: tuple[np.ndarray, ...], gamma: float, weighted: bool) -> None:
    z, t, w = drawn
    weight = torch.from_numpy(w) if weighted else None
    got = losses.get("focal")(torch.from_numpy(z), torch.from_numpy(t), gamma=gamma, weight=weight)
    for row, k, value in zip(z, t, got.numpy(), strict=True):
        e = [mpmath.exp(mpmath.mpf(x)) for x in row]
        p_t = e[k] / mpmath.fsum(e)
        want = (w[k] if weighted else 1.0) * (1 - p_t) ** gamma * -mpmath.log(p_t)
        assert value == pytest.approx(float(want), rel=1e-6, abs=1e-300)


@quick
@given(z=st.floats(-20.0, 20.0), gamma=st.floats(0.0, 5.0), first=st.booleans())
def test_two_class_focal_is_the_binary_one(z: float, gamma: float, first: bool) -> None:
    two = torch.tensor([[z, 0.0]], dtype=torch.float64)
    binary = losses.get("focal_binary")(two[:, :1], torch.full((1, 1), float(first)).double(), gamma=gamma, alpha=0.5)
    many = losses.get("focal")(two, torch.tensor([0 if first else 1]), gamma=gamma)
    torch.testing.assert_close(2.0 * binary, many, rtol=1e-10, atol=1e-14)
