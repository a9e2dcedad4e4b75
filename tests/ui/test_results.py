import math

import pandas as pd
import pytest

from ui.results import difference_view, final_view


def final(rows: list[tuple[str, str, float, float, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["config", "metric", "mean", "sd", "n", "failed"])


def test_the_best_mean_is_starred_in_its_own_direction() -> None:
    rows = [
        ("a", "accuracy", 0.9, 0.01, 5, 0),
        ("a", "log_loss", 0.5, 0.1, 5, 0),
        ("b", "accuracy", 0.8, 0.01, 4, 1),
        ("b", "log_loss", 0.4, 0.1, 4, 1),
    ]
    view = final_view(final(rows)).set_index("configuration")
    assert view.loc["a"].tolist() == ["5 of 5", "0.9 ± 0.01 ★", "0.5 ± 0.1"]
    assert view.loc["b"].tolist() == ["4 of 5", "0.8 ± 0.01", "0.4 ± 0.1 ★"]


def test_equals_undefined_and_own_units_get_no_star() -> None:
    rows = [
        ("a", "accuracy", 0.5, 0.0, 5, 0),
        ("a", "loss", 0.1, 0.0, 5, 0),
        ("a", "ece", math.nan, math.nan, 0, 0),
        ("b", "accuracy", 0.5, 0.0, 5, 0),
        ("b", "loss", 9.0, 0.0, 5, 0),
        ("b", "ece", math.nan, math.nan, 0, 0),
    ]
    view = final_view(final(rows))
    assert list(view.columns) == ["configuration", "seeds", "Accuracy", "Calibration error"]
    assert "★" not in view.to_string()
    assert view["Calibration error"].tolist() == ["–", "–"]


@pytest.mark.parametrize(
    ("low", "high", "metric", "says"),
    [
        (0.1, 0.3, "accuracy", "the first is better"),
        (-0.3, -0.1, "accuracy", "the second is better"),
        (0.1, 0.3, "log_loss", "the second is better"),
        (-0.3, -0.1, "loss", "the first is better"),
        (-0.1, 0.1, "accuracy", "no clear difference"),
        (math.nan, math.nan, "accuracy", "cannot tell"),
    ],
)
def test_an_interval_says_which_is_better_or_that_it_cannot_tell(
    low: float, high: float, metric: str, says: str
) -> None:
    row = {"config": "a", "baseline": "b", "mean": 0.2, "sd": 0.1, "low": low, "high": high, "n": 5, "lost_seeds": (3,)}
    view = difference_view(pd.DataFrame([row]), metric)
    assert view["says"][0] == says
    assert view["difference"][0] == "a − b"
    assert view["left out"][0] == "seed 3"


@pytest.mark.parametrize(("seeds", "said"), [(0, "no seed is left"), (1, "needs two seeds")])
def test_where_there_is_no_interval_it_says_why(seeds: int, said: str) -> None:
    row = {"config": "a", "baseline": "b", "mean": 0.2, "sd": math.nan, "low": math.nan, "high": math.nan}
    view = difference_view(pd.DataFrame([row | {"n": seeds, "lost_seeds": ()}]), "accuracy")
    assert view["95 % interval"][0] == said
