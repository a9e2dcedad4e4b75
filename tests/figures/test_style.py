import itertools

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from lossdiag.figures import style

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)


def linear_rgb(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio."""
    low, high = sorted(float(linear_rgb(c) @ TO_XYZ[1]) for c in (first, second))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", [*style.PALETTE, style.ALARM])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_is_legible_in_both_themes(colour: str, theme: style.Theme) -> None:
    assert contrast(colour, style.BACKGROUND[theme]) >= 3


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart_for_the_colour_blind(vision: str) -> None:
    seen = {c: lab(VISION[vision] @ linear_rgb(c)) for c in (*style.PALETTE, style.ALARM)}
    dash = {style.line_style(i)["color"]: style.line_style(i)["dash"] for i in range(len(style.PALETTE))}
    for a, b in itertools.combinations(seen, 2):
        least = 20 if dash.get(a) == dash.get(b) else 10
        assert np.linalg.norm(seen[a] - seen[b]) >= least, (a, b)


def test_twenty_lines_look_different() -> None:
    looks = {tuple(style.line_style(i).values()) for i in range(20)}
    assert len(looks) == 20


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_template_does_not_depend_on_the_process_default(theme: style.Theme) -> None:
    before = pio.templates.default
    try:
        pio.templates.default = "plotly_dark"
        figure = style.base_figure(theme)
        assert figure.layout.template.layout.paper_bgcolor == style.BACKGROUND[theme]
        assert figure.layout.uirevision == "keep"
    finally:
        pio.templates.default = before


def test_a_sentence_figure_says_its_sentence() -> None:
    figure = style.sentence_figure("No steps yet.", "dark")
    assert figure.layout.annotations[0].text == style.note(figure) == "No steps yet."


def test_notes_are_joined() -> None:
    figure = go.Figure()
    assert style.note(figure) == ""
    style.set_note(figure, "One.", "", "Two.")
    assert style.note(figure) == "One. Two."


def test_fade() -> None:
    assert style.fade("#0059D5", 0.25) == "rgba(0,89,213,0.25)"


def test_numbers_in_notes_are_short() -> None:
    assert [style.short(v) for v in (2.2e23, -1.06e-7, 0.153, 1530.0, 5.0)] == [
        "2.2e23",
        "-1.1e-7",
        "0.15",
        "1.5e3",
        "5",
    ]
