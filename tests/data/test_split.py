"""The split is a function of the seed, leaves no row out, and keeps the classes in proportion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.data.split import MIN_ROWS, split_rows
from lossdiag.errors import DataError

shares = st.floats(0.05, 0.9)
seeds = st.integers(0, 2**31 - 1)


@given(st.integers(MIN_ROWS, 300), shares, seeds)
@settings(derandomize=True, deadline=None)
def test_every_row_is_on_one_side(rows: int, share: float, seed: int) -> None:
    split = split_rows("t", rows, share, seed)
    assert sorted([*split.train, *split.val]) == list(range(rows))
    assert len(split.train) >= 1
    assert len(split.val) == np.clip(round(rows * share), 1, rows - 1)
    assert np.array_equal(split.val, split_rows("t", rows, share, seed).val)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), shares, seeds)
@settings(derandomize=True, deadline=None)
def test_each_class_has_its_share(sizes: list[int], share: float, seed: int) -> None:
    rows = sum(sizes)
    if rows < MIN_ROWS:
        return
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    names = [f"c{i}" for i in range(len(sizes))]
    split = split_rows("t", rows, share, seed, codes, names)
    assert sorted([*split.train, *split.val]) == list(range(rows))
    assert len(split.val) >= 1
    held = np.bincount(codes[split.val], minlength=len(sizes))
    for size, count in zip(sizes, held, strict=True):
        if size > 1:
            assert 1 <= count <= size - 1
            assert abs(count - size * share) <= 1
    alone = [name for name, size in zip(names, sizes, strict=True) if size == 1]
    assert all(name in "".join(split.notes) for name in alone)
    assert bool(alone) == bool(split.notes)


def test_seeds_differ_and_few_rows_are_refused() -> None:
    assert not np.array_equal(split_rows("t", 100, 0.25, 0).val, split_rows("t", 100, 0.25, 1).val)
    with pytest.raises(DataError, match="t: 3 usable rows, at least 4 are needed"):
        split_rows("t", 3, 0.25, 0)


def test_all_classes_of_one_row() -> None:
    split = split_rows("t", 4, 0.25, 0, np.arange(4), "abcd")
    assert len(split.val) == 1
