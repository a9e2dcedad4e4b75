import numpy as np
import pytest

from lossdiag.figures.boundary import Points, Surface, decision_boundary
from lossdiag.figures.style import ALARM, Theme, note


def surface(frames: int = 5, size: int = 8, seed: int = 0) -> Surface:
    values = np.random.default_rng(seed).random((frames, size, size))
    return Surface(np.linspace(-1, 1, size), np.linspace(0, 2, size), np.arange(frames) * 10, values)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_recorded_picture_is_a_frame_that_the_slider_reaches(theme: Theme, sent, decode) -> None:
    one, two = surface(seed=1), surface(seed=2)
    out = sent(decision_boundary({"mse": one, "mae": two}, theme=theme)).plain
    assert [f["name"] for f in out["frames"]] == ["0", "10", "20", "30", "40"]
    for i, frame in enumerate(out["frames"]):
        for trace, source in zip(frame["data"], (one, two), strict=True):
            np.testing.assert_array_equal(decode(trace["z"]), np.round(source.values[i] * 254))
    slider = out["layout"]["sliders"][0]
    assert [s["args"][0][0] for s in slider["steps"]] == [f["name"] for f in out["frames"]]
    np.testing.assert_array_equal(decode(out["data"][0]["z"]), np.round(one.values[-1] * 254))


def test_members_recorded_at_other_steps_show_their_latest_picture(sent, decode) -> None:
    late = Surface(np.arange(2.0), np.arange(2.0), np.array([0, 25]), np.stack([np.zeros((2, 2)), np.ones((2, 2))]))
    out = sent(decision_boundary({"a": surface(), "b": late})).plain
    drawn = {f["name"]: decode(f["data"][1]["z"])[0, 0] for f in out["frames"]}
    assert drawn == {"0": 0, "10": 0, "20": 0, "25": 254, "30": 254, "40": 254}


def test_a_prediction_that_is_not_finite_takes_the_alarm_colour(sent, decode) -> None:
    values = np.array([[[0.0, np.nan], [np.inf, 1.0]]])
    broken = Surface(np.arange(2.0), np.arange(2.0), np.array([3]), values)
    for output in ("probability", "classes", "value"):
        out = sent(decision_boundary({"a": broken}, output=output)).plain
        z = decode(out["data"][0]["z"])
        assert z[0, 1] == z[1, 0] == 255
        assert z[0, 0] == 0
        assert z[1, 1] == 254
        assert out["layout"]["coloraxis"]["colorscale"][-1] == [1.0, ALARM]


def test_many_pictures_are_thinned_to_what_a_chart_may_send(sent) -> None:
    figure = decision_boundary({"a": surface(200, 50), "b": surface(200, 50)})
    out = sent(figure)
    assert out.size <= 300_000
    names = [f["name"] for f in out.plain["frames"]]
    assert names[0] == "0"
    assert names[-1] == "1990"
    assert note(figure) == f"{len(names)} of 200 recorded pictures are kept."


def test_points_are_drawn_by_class_in_every_panel(sent) -> None:
    points = Points(np.array([0.0, 1.0, 2.0]), np.array([5.0, 6.0, 7.0]), np.array([0, 1, 1]))
    out = sent(decision_boundary({"a": surface(), "b": surface()}, points, classes=("no", "yes")))
    assert len(out.named("yes")) == 2
    assert [t["showlegend"] for t in out.named("yes")] == [True, False]
    by_value = sent(decision_boundary({"a": surface()}, points, output="value"))
    np.testing.assert_array_equal(by_value.array("data", "y"), [5, 6, 7])


def test_one_picture_needs_no_slider_and_none_is_said() -> None:
    assert not decision_boundary({"a": surface(1)}).layout.sliders
    assert note(decision_boundary({"a": surface(0)}))


def test_the_alarm_colour_is_on_the_scale_only_if_it_is_needed(sent) -> None:
    for output in ("probability", "classes", "value"):
        axis = sent(decision_boundary({"a": surface()}, output=output)).plain["layout"]["coloraxis"]
        assert axis["cmax"] == 254
        assert ALARM not in str(axis["colorscale"])
