import numpy as np
import pytest

from lossdiag.errors import StoreError
from lossdiag.figures import activation_panels, gradient_heatmap, heatmap, layer_curves, note, update_ratio_curves
from lossdiag.figures.style import Theme

SPEC = {"losses": ["mse"], "seeds": 2, "data": {"source": "synthetic:sine"}}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_cell_is_the_log_of_its_norm(theme: Theme, sent, decode) -> None:
    norms = np.array([[1.0, 0.01], [10.0, 0.001], [0.0, 1.0]])
    figure = heatmap(np.arange(3), norms, ["in", "out"], quantity="gradient norm", theme=theme)
    out = sent(figure)
    np.testing.assert_allclose(decode(out.traces[0]["z"]), [[0, 1, -4], [-2, -3, 0]], atol=1e-6)
    np.testing.assert_array_equal(decode(out.traces[0]["x"]), [0, 1, 2, 3])
    assert "Exactly 0 (lowest colour): 1 cell." in note(figure)


def test_a_spike_of_one_step_survives_and_nonfinite_cells_take_the_alarm(sent, decode) -> None:
    norms = np.full((100_000, 3), 1e-3)
    norms[41_234, 1] = 1e5
    norms[77_777, 2] = np.nan
    figure = heatmap(np.arange(100_000), norms, ["a", "b", "c"], quantity="gradient norm")
    out = sent(figure)
    z, edges = decode(out.traces[0]["z"]), decode(out.traces[0]["x"])
    assert z.shape == (3, 400)
    (column,) = np.flatnonzero(z[1] > 4.9)
    assert edges[column] <= 41_234 < edges[column + 1]
    (alarm,) = out.named("not finite")
    (row, column) = np.argwhere(decode(alarm["z"]) == 1).ravel()
    assert row == 2
    assert edges[column] <= 77_777 < edges[column + 1]
    assert out.size <= 300_000
    assert "100,000 steps in 400 columns" in note(figure)


def test_a_range_is_drawn_in_finer_columns(sent, decode) -> None:
    norms = np.random.default_rng(0).random((100_000, 2)) + 0.1
    out = sent(heatmap(np.arange(100_000), norms, ["a", "b"], quantity="norm", x_range=(500, 699)))
    np.testing.assert_allclose(decode(out.traces[0]["z"]), np.log10(norms[500:700]).T, rtol=1e-4)


def test_empty_and_all_nan_are_drawn() -> None:
    assert note(heatmap(np.empty(0, int), np.empty((0, 2)), ["a", "b"], quantity="norm"))
    assert "Not finite (alarm colour): 4 values." in note(
        heatmap(np.arange(2), np.full((2, 2), np.nan), ["a", "b"], quantity="n")
    )


def layered(writer, fill) -> None:
    for member, factor in ((0, 1.0), (1, 3.0)):
        for layer in (0, 1):
            steps = np.arange(4)
            norms = factor * 10.0 ** -(layer + steps)
            fill(writer, "layers", step=steps, member=member, layer=layer, grad_norm=norms, update_ratio=1e-3)
            fill(writer, "activations", step=[0, 2], member=member, layer=layer, mean=0.5, std=1.0, zero_share=0.25)
    writer.describe(layers=["linear_0", "linear_1"])


def test_member_and_mean_over_a_configuration(record, sent, decode) -> None:
    recording = record({}, layered, **SPEC)
    own = sent(gradient_heatmap(recording, member=1)).traces[0]
    np.testing.assert_allclose(10 ** decode(own["z"])[1], 3 * 10.0 ** -np.arange(1, 5), rtol=1e-5)
    figure = gradient_heatmap(recording, config="mse")
    mean = sent(figure).traces[0]
    np.testing.assert_allclose(10 ** decode(mean["z"])[0], 2 * 10.0 ** -np.arange(4), rtol=1e-5)
    assert figure.layout.yaxis.ticktext == ("linear_0", "linear_1")


def test_a_layer_without_a_value_at_a_step_stays_blank(record, sent, decode) -> None:
    def uneven(writer, fill) -> None:
        fill(writer, "layers", step=[0, 1, 2], member=0, layer=0, grad_norm=1.0)
        fill(writer, "layers", step=[1], member=0, layer=1, grad_norm=1.0)

    out = sent(gradient_heatmap(record({}, uneven, **SPEC), member=0))
    np.testing.assert_array_equal(decode(out.traces[0]["z"]), [[0, 0, 0], [np.nan, 0, np.nan]])
    assert not out.named("not finite")


def test_lines_by_layer(record, sent) -> None:
    recording = record({}, layered, **SPEC)
    figure = update_ratio_curves(recording, member=0, layer_names=["first", "second"])
    np.testing.assert_allclose(sent(figure).array("second", "y"), np.full(4, 1e-3), rtol=1e-6)
    assert sorted((s.y0, s.y1) for s in figure.layout.shapes) == [(1e-4, 1e-2), (1e-3, 1e-3)]
    norms = sent(layer_curves(recording, "grad_norm", member=0))
    np.testing.assert_allclose(norms.array("linear_0", "y"), 10.0 ** -np.arange(4), rtol=1e-6)
    panels = activation_panels(recording, member=1)
    assert panels.layout.yaxis.title.text == "mean"
    drawn = [t for t in sent(panels).traces if t["name"] == "hidden 2"]
    assert [t["yaxis"] for t in drawn] == ["y", "y2", "y3", "y4"]
    assert [t["showlegend"] for t in drawn] == [True, False, False, False]


def test_what_a_run_does_not_have_is_refused_or_said(record) -> None:
    recording = record({}, **SPEC)
    with pytest.raises(StoreError, match="no member 7; it has 0 to 1"):
        gradient_heatmap(recording, member=7)
    with pytest.raises(StoreError, match="no configuration 'mae'; it has mse"):
        gradient_heatmap(recording, config="mae")
    with pytest.raises(StoreError, match="either a member or a configuration"):
        gradient_heatmap(recording)
    assert note(gradient_heatmap(recording, member=0)) == "No gradient norms were recorded."
    assert note(activation_panels(recording, member=0)) == "No activation statistics were recorded."


def test_a_member_has_the_layer_names_of_its_own_stack(record) -> None:
    def stacks(writer, fill) -> None:
        fill(writer, "layers", step=[0], member=1, layer=0, grad_norm=1.0)
        writer.describe(layers=[], stacks=[{"members": [0], "layers": ["a"]}, {"members": [1], "layers": ["b"]}])

    assert gradient_heatmap(record({}, stacks, **SPEC), member=1).layout.yaxis.ticktext == ("b",)


def test_an_explosion_does_not_take_the_colours_from_the_other_steps(sent) -> None:
    norms = 10.0 ** np.random.default_rng(0).uniform(-2, 0, (300, 3))
    norms[100:103] = 1e25
    figure = heatmap(np.arange(300), norms, ["a", "b", "c"], quantity="gradient norm")
    trace = sent(figure).traces[0]
    assert trace["zmin"] <= -2
    assert 0 < trace["zmax"] < 6
    assert "Above the colour scale (up to 1e25): 9 cells." in note(figure)
    healthy = sent(heatmap(np.arange(50), norms[:50], ["a", "b", "c"], quantity="gradient norm"))
    assert "zmax" not in healthy.traces[0]


def test_activation_shares_are_shown_whole(record) -> None:
    def rare(writer, fill) -> None:
        share = np.r_[np.full(50, 0.01), 0.9]
        fill(
            writer, "activations", step=np.arange(51), member=0, layer=0, zero_share=share, mean=np.r_[share[:50], 1e9]
        )

    figure = activation_panels(record({}, rare, **SPEC), member=0)
    assert figure.layout.yaxis.range[1] < 1
    assert figure.layout.yaxis3.range is None
