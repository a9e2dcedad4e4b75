import math

import pytest

from ui.words import amount, happened, sentence


def event(kind: str, where: str, value: float, layer: str = "", detail: str = "as it is") -> dict[str, object]:
    return {"kind": kind, "where": where, "value": value, "layer": layer, "detail": detail}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (event("nonfinite", "loss", math.inf), "the loss became infinite"),
        (event("nonfinite", "loss", math.nan), "the loss became NaN (not a number)"),
        (event("nonfinite", "gradient", math.inf, "hidden 2"), "the gradient of layer hidden 2 became infinite"),
        (event("nonfinite", "parameter", math.nan, "output"), "a weight of layer output became NaN (not a number)"),
        (event("nonfinite", "activation", -math.inf, "hidden 1"), "an activation of layer hidden 1 became infinite"),
        (event("explosion", "loss", 21456.2), "the loss reached 21,456"),
        (
            event("explosion", "gradient", 169.3085, "output"),
            "the gradient norm reached 169, most of it in layer output",
        ),
        (event("explosion", "gradient", 2.1e12), "the gradient norm reached 2.1e+12"),
        (event("spike", "loss", 5.0), "as it is"),
    ],
)
def test_an_event_is_said_in_plain_words(row: dict[str, object], said: str) -> None:
    assert happened(row) == said


def test_what_blew_up_is_compared_with_what_was_before() -> None:
    assert happened(event("explosion", "loss", 1530.0), 1.244) == "the loss reached 1,530, 1,230 times what it began at"
    assert happened(event("explosion", "gradient", 13.4, "output"), 0.1) == (
        "the gradient norm reached 13.4, 134 times what it usually was, most of it in layer output"
    )
    assert happened(event("explosion", "loss", 9.0), 0.0) == "the loss reached 9"


def test_numbers_are_short() -> None:
    assert [amount(v) for v in (0.01234, 999.4, 1000.0, -1e5, 1e6)] == ["0.0123", "999", "1,000", "-100,000", "1e+06"]


def test_a_detail_becomes_a_sentence() -> None:
    assert sentence("the worker was killed by SIGKILL (out of memory?)") == (
        "The worker was killed by SIGKILL (out of memory?)."
    )
    assert sentence("Done. ") == "Done."
    assert sentence("") == ""
