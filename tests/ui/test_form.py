import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.errors import SpecError
from lossdiag.registry import loss_cards
from lossdiag.spec import ExperimentSpec, LossSpec
from ui.form import member_count, read_number, read_seeds, read_values, seeds_text
from ui.losses import fitting, read_weights, slots


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=8, unique=True))
def test_seeds_written_are_the_seeds_read(seeds: list[int]) -> None:
    assert read_seeds(seeds_text(tuple(seeds))) == tuple(seeds)


@pytest.mark.parametrize(("text", "seeds"), [("3", (0, 1, 2)), (" 4, 9 ", (4, 9)), ("7,", (7,)), ("1;2 3", (1, 2, 3))])
def test_seeds_as_people_type_them(text: str, seeds: tuple[int, ...]) -> None:
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "1001", "-1", "1.5", "a", "1e3", "٣x", "9" * 30])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="seeds"):
        read_seeds(text)


def test_numbers_as_people_type_them() -> None:
    assert read_number("1e-3") == 0.001
    with pytest.raises(ValueError, match="a number"):
        read_number("fast")


def test_grid_values_keep_their_kind() -> None:
    assert read_values("1, 0.5, 1e-3, true, none, relu,") == (1, 0.5, 0.001, True, None, "relu")


def test_the_count_is_that_of_the_members() -> None:
    shared = ExperimentSpec.parse({"grid": {"optimizer.lr": [0.1, 1.0]}, "seeds": 3})
    assert member_count(shared).replace("\\", "") == "3 losses × 3 seeds × 2 × lr = 18 members"
    own = ExperimentSpec.parse({"grid": {"losses.1.params.gamma": [1.0, 2.0]}, "seeds": 3})
    assert member_count(own).replace("\\", "") == "3 losses × 3 seeds (some with several gamma) = 12 members"
    assert len(own.members()) == 12


def test_only_losses_of_the_task_are_offered() -> None:
    for task in ("regression", "count", "binary", "multiclass", "multilabel"):
        names = fitting(task)  # type: ignore[arg-type]
        assert names
        assert all(task in loss_cards()[name].tasks for name in names)


def test_slots_tell_losses_of_one_name_apart() -> None:
    twice = (
        LossSpec(name="focal_binary"),
        LossSpec(name="hinge"),
        LossSpec(name="focal_binary", params={"gamma": 1.0}),
    )
    assert list(slots(twice)) == ["focal_binary", "hinge", "focal_binary #2"]


@pytest.mark.parametrize(
    ("text", "weights"), [("none", "none"), (" balanced ", "balanced"), ("1, 2.5;3", (1.0, 2.5, 3.0))]
)
def test_class_weights_as_people_type_them(text: str, weights: object) -> None:
    assert read_weights(text) == weights


def test_class_weights_that_are_none_are_refused() -> None:
    with pytest.raises(SpecError, match="expected none, balanced, or numbers"):
        read_weights("heavy")
