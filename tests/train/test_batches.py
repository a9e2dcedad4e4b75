"""The order of the rows: a function of the seed alone, however it is drawn."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.train import batch_order
from lossdiag.train.batches import BatchStream
from lossdiag.train.dropout import DropoutStream
from lossdiag.train.feed import Feed


@settings(derandomize=True, deadline=None, max_examples=40)
@given(n=st.integers(1, 40), size=st.integers(1, 50), seed=st.integers(0, 2**31 - 1))
def test_every_epoch_shows_each_row_at_most_once(n: int, size: int, seed: int) -> None:
    per_epoch = n // min(n, size)
    batches = list(itertools.islice(batch_order(seed, n, size), 3 * per_epoch))
    for epoch in range(3):
        rows = torch.cat(batches[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert len(rows.unique()) == len(rows) == per_epoch * min(n, size)
        assert rows.min() >= 0
        assert rows.max() < n


def test_it_is_randperm_under_a_generator_of_that_seed() -> None:
    generator = torch.Generator().manual_seed(7)
    expected = torch.cat([torch.randperm(10, generator=generator)[:9].view(3, 3) for _ in range(2)])
    assert torch.equal(torch.stack(list(itertools.islice(batch_order(7, 10, 3), 6))), expected)


def test_a_batch_larger_than_the_data_is_all_rows_in_the_order_of_the_permutation() -> None:
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(next(batch_order(1, 5, 100)), torch.randperm(5, generator=generator))


@settings(derandomize=True, deadline=None, max_examples=25)
@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_stream_gives_the_same_batches_however_it_is_cut(counts: list[int]) -> None:
    stream = BatchStream([3, 5], 11, 4)
    drawn = torch.cat([stream.draw(count) for count in counts])
    for i, seed in enumerate([3, 5]):
        expected = torch.stack(list(itertools.islice(batch_order(seed, 11, 4), sum(counts))))
        assert torch.equal(drawn[:, i], expected)


def test_a_feed_gathers_each_member_s_rows() -> None:
    x, y = torch.arange(20.0).view(10, 2), torch.arange(10)
    index = torch.tensor([[[0, 1], [2, 3]], [[4, 5], [6, 7]]])  # two batches of two seeds
    got = list(Feed(x, y).batches(index, torch.tensor([1, 0, 1])))
    assert len(got) == 2
    features, target = got[1]
    assert target.tolist() == [[6, 7], [4, 5], [6, 7]]
    assert torch.equal(features, x[target])


def dropout(seeds: list[int], members: list[int], p: list[float]) -> DropoutStream:
    return DropoutStream(seeds, torch.tensor(members), torch.tensor(p), (2, 500, 8))


def test_masks_keep_the_mean_and_drop_the_share() -> None:
    masks = dropout([0, 1], [0, 1], [0.2, 0.7]).draw()
    for mask, p in zip(masks, (0.2, 0.7), strict=True):
        assert abs((mask == 0).float().mean().item() - p) < 0.02
        torch.testing.assert_close(mask[mask != 0], torch.full_like(mask[mask != 0], 1 / (1 - p)))


def test_masks_depend_on_the_seed_and_not_on_the_company() -> None:
    together = dropout([0, 4, 9], [0, 1, 2, 1], [0.5] * 4)
    alone = dropout([4], [0], [0.5])
    for _ in range(3):
        masks = together.draw()
        assert torch.equal(masks[1], masks[3])
        assert torch.equal(masks[1], alone.draw()[0])
        assert not torch.equal(masks[0], masks[1])


def test_masks_can_be_drawn_again() -> None:
    stream = dropout([0], [0], [0.5])
    stream.draw()
    state = stream.state()
    first = stream.draw()
    stream.load(state)
    assert torch.equal(stream.draw(), first)
