"""Hold out validation rows, the same ones for the same seed, each class in proportion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lossdiag.data.dataset import Rows, Split
from lossdiag.data.limits import bad

MIN_ROWS = 4
_STREAM = 1


def split_rows(
    name: str, rows: int, share: float, seed: int, codes: NDArray[np.int64] | None = None, classes: Sequence[str] = ()
) -> Split:
    """Return a random split.

    Args:
        name: of the data set, for messages.
        rows: how many there are.
        share: of the rows, to validate on.
        seed: the split is a function of this and of the other arguments.
        codes: [rows] class of each row, to stratify by; every class then has its share on both sides, and at least
            one row on each where it has two.
        classes: names of the classes.

    Raises:
        DataError: fewer than four rows.
    """
    if rows < MIN_ROWS:
        raise bad(name, f"{rows} usable rows, at least {MIN_ROWS} are needed to train and to validate")
    rng = np.random.default_rng([_STREAM, seed])
    order = rng.permutation(rows)
    if codes is None:
        held = int(np.clip(round(rows * share), 1, rows - 1))
        return Split(np.sort(order[held:]), np.sort(order[:held]))
    counts = np.bincount(codes)
    held_of = _held_per_class(counts, share)
    val = np.sort(np.concatenate([order[codes[order] == c][:held] for c, held in enumerate(held_of)]))
    train = np.setdiff1d(np.arange(rows), val, assume_unique=True)
    alone = [str(classes[c]) if classes else str(c) for c in np.flatnonzero(counts == 1).tolist()]
    notes = (f"not stratified for {', '.join(alone)}: one row each, which is in training",) if alone else ()
    return Split(train, val, notes)


def _held_per_class(counts: NDArray[np.int64], share: float) -> Rows:
    """Share out round(share * rows) validation rows by largest remainder, one row of each class on either side."""
    quota = counts * share
    held: Rows = np.floor(quota).astype("int64")
    short = round(counts.sum() * share) - int(held.sum())
    held[np.argsort(held - quota, kind="stable")[:short]] += 1
    held = np.clip(held, np.minimum(counts - 1, 1).clip(0), (counts - 1).clip(0))
    if not held.any():
        held[int(np.argmax(counts))] = 1
    return held
