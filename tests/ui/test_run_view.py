"""Which yardsticks a logarithmic axis may show."""

from lossdiag.registry import YARDSTICKS
from ui.run_view import _falls_to_zero


def test_shares_and_what_may_be_negative_stay_on_a_linear_axis() -> None:
    assert {name for name in YARDSTICKS if _falls_to_zero(name)} == {"mae", "rmse", "ece", "log_loss"}
