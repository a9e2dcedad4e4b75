import numpy as np
import pytest

from lossdiag.figures import Fit, SeedFit, fit_film, note
from lossdiag.figures.style import line_style

GRID = np.linspace(-1, 1, 200)
DATA = np.sin(GRID)


def seed(label: str, values: list[float], steps: tuple[int, ...] = (0, 10, 20), broke: int | None = None) -> SeedFit:
    return SeedFit(label, np.array(steps[: len(values)]), np.stack([np.full(200, v) for v in values]), broke)


def test_a_seed_counts_until_it_breaks() -> None:
    fit = Fit((seed("a", [1, 2, 3]), seed("b", [5, 6], broke=15)))
    np.testing.assert_array_equal(fit.at(9)[:, 0], [3, 1, 5])
    np.testing.assert_array_equal(fit.at(14)[:, 0], [4, 2, 6])
    np.testing.assert_array_equal(fit.at(15)[:, 0], [2, 2, 2])
    np.testing.assert_array_equal(fit.at(20)[:, 0], [3, 3, 3])
    alone = Fit((seed("b", [5, np.inf], broke=15),))
    assert np.isnan(alone.at(20)).all()
    np.testing.assert_array_equal(alone.at(5)[:, 0], [5, 5, 5])


def test_what_is_sent_is_thinned_to_what_a_chart_may_send(sent) -> None:
    steps = np.arange(100)
    many = {
        f"loss {i}": Fit(tuple(SeedFit(f"{i} {s}", steps, np.random.default_rng(s).random((100, 200))) for s in (0, 1)))
        for i in range(8)
    }
    figure = fit_film(GRID, DATA, GRID, many)
    out = sent(figure)
    assert out.size <= 300_000
    names = [frame["name"] for frame in out.plain["frames"]]
    assert (names[0], names[-1]) == ("0", "99")
    assert f"{len(names)} of 100 recorded pictures are kept." in note(figure)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_axis_keeps_to_the_data_and_the_note_names_who_is_outside(theme, sent) -> None:
    fits = {
        "mse": Fit((seed("mse seed 0", [0, -2e8], broke=117),), look=0),
        "mae": Fit((seed("mae seed 0", [0, 1, 50]),), look=3),
        "huber": Fit((seed("huber seed 0", [0, 0.1, 0.2]),), look=4),
    }
    figure = fit_film(GRID, DATA, GRID, fits, theme=theme)
    reach = np.ptp(DATA)
    assert figure.layout.yaxis.range == pytest.approx((DATA.min() - 0.15 * reach, DATA.max() + 0.15 * reach))
    assert "mae: its curve lies outside the picture." in note(figure)
    assert "huber" not in note(figure)
    assert sent(figure).named("mae")[0]["line"] == {**line_style(3), "width": 2}
    late = {"mse": Fit((seed("mse seed 0", [0, -2e8, -2e8], broke=17),))}
    assert "mse seed 0 broke at step 17: its curve lies outside the picture." in note(
        fit_film(GRID, DATA, GRID, late, theme=theme)
    )
    inside = {"mse": Fit((seed("mse seed 0", [0, 0.1], broke=7),))}
    assert "mse seed 0 broke at step 7: its curve is drawn as it was last pictured." in note(
        fit_film(GRID, DATA, GRID, inside, theme=theme)
    )


def test_without_data_the_axis_keeps_to_the_seeds_that_did_not_break() -> None:
    fits = {"mse": Fit((seed("mse seed 0", [0, -2e8], broke=5),)), "mae": Fit((seed("mae seed 0", [0, 1, 2]),))}
    figure = fit_film(np.empty(0), np.empty(0), GRID, fits)
    assert figure.layout.yaxis.range == (0, 4)
    assert fit_film(np.empty(0), np.empty(0), GRID, {"mse": fits["mse"]}).layout.yaxis.range is None
