"""Marks at a panel's edge: values that are not finite, and values that lie beyond the axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lossdiag.figures.series import Curve, Group, oddities
from lossdiag.figures.style import ALARM, line_style, number_of, short

MOST_MARKS = 500
_ALARM_AXIS = 100  # number of the first of the invisible axes that hold the alarm markers at the panels' top
_INSET = 0.02  # of the axis, so that a mark is not cut by its edge


@dataclass(slots=True)
class Tally:
    """What was drawn, for the note; `above` and `below` are the farthest value and whose it is."""

    total: int = 0
    drawn: int = 0
    nonfinite: int = 0
    unmarked: int = 0
    below_zero: int = 0
    unmarked_beyond: int = 0
    n_above: int = 0
    n_below: int = 0
    above: tuple[float, str] = (-np.inf, "")
    below: tuple[float, str] = (np.inf, "")

    def add_beyond(self, label: str, above: NDArray[np.float64], below: NDArray[np.float64]) -> None:
        """Count values of one curve that lie above and below the axis."""
        self.n_above += above.size
        self.n_below += below.size
        if above.size and above.max() > self.above[0]:
            self.above = (float(above.max()), label)
        if below.size and below.min() < self.below[0]:
            self.below = (float(below.min()), label)

    def beyond_sentence(self) -> list[str]:
        """Say how many values lie beyond the axis and how far the farthest is; empty if none does."""
        parts = []
        if self.n_above:
            parts.append(f"{_lie(self.n_above)} above the axis (up to {short(self.above[0])}, {self.above[1]})")
        if self.n_below:
            parts.append(f"{_lie(self.n_below)} below the axis (down to {short(self.below[0])}, {self.below[1]})")
        missing = f" Marks left out: {self.unmarked_beyond:,}." if self.unmarked_beyond else ""
        return [f"{' and '.join(parts)}: double-click shows all.{missing}"] if parts else []


def _lie(count: int) -> str:
    return f"{number_of(count, 'value')} {'lies' if count == 1 else 'lie'}"


@dataclass(frozen=True, slots=True)
class _Mark:
    step: int
    above: bool
    text: str


def draw_beyond(
    figure: go.Figure, groups: Sequence[Group], shown: tuple[float, float], log: bool, row: int, tally: Tally
) -> None:
    """Mark values outside the range `shown` by a triangle at the edge that they lie beyond, in their line's colour.

    A stretch of more than three such steps gets three marks: at its first, its farthest and its last.
    """
    low, high = np.log10(shown) if log else np.asarray(shown, np.float64)
    inset = _INSET * (high - low)
    bottom, top = low + inset, high - inset
    edges = (10**bottom, 10**top) if log else (bottom, top)
    left = MOST_MARKS
    for group in groups:
        marks = [m for c in group.curves for m in _beyond(c, shown, log, tally)]
        tally.unmarked_beyond += max(0, len(marks) - left)
        marks = marks[:left]
        left -= len(marks)
        if not marks:
            continue
        figure.add_trace(
            go.Scatter(
                x=np.array([m.step for m in marks], np.int32),
                y=np.array([edges[m.above] for m in marks], np.float64),
                text=[m.text for m in marks],
                mode="markers",
                marker={
                    "symbol": ["triangle-up" if m.above else "triangle-down" for m in marks],
                    "size": 9,
                    "color": line_style(group.look)["color"],
                },
                name=f"{group.label} beyond the axis",
                legendgroup=group.label,
                showlegend=False,
                hovertemplate="%{text}<extra></extra>",
            ),
            row=row,
            col=1,
        )


def _beyond(curve: Curve, shown: tuple[float, float], log: bool, tally: Tally) -> Iterator[_Mark]:
    values = np.asarray(curve.values, np.float64)
    usable = np.isfinite(values) & ((values > 0) | (not log))
    above, below = usable & (values > shown[1]), usable & (values < shown[0])
    tally.add_beyond(curve.label, values[above], values[below])
    at = np.flatnonzero(above | below)
    if at.size == 0:
        return
    for stretch in np.split(at, np.flatnonzero((np.diff(at) > 1) | (np.diff(above[at].astype(np.int8)) != 0)) + 1):
        yield from _stretch_marks(curve, values[stretch], stretch, bool(above[stretch[0]]))


def _stretch_marks(curve: Curve, values: NDArray[np.float64], at: NDArray[np.intp], above: bool) -> Iterator[_Mark]:
    """Mark a stretch of values beyond one edge."""
    farthest = int(values.argmax() if above else values.argmin())
    chosen = range(len(at)) if len(at) <= 3 else sorted({0, farthest, len(at) - 1})
    where = "above" if above else "below"
    whole = ""
    if len(at) > 3:
        first, last = int(curve.steps[at[0]]), int(curve.steps[at[-1]])
        whole = (
            f"<br>{len(at):,} values from step {first} to {last} lie {where}, the farthest is {short(values[farthest])}"
        )
    for i in chosen:
        step = int(curve.steps[at[i]])
        yield _Mark(step, above, f"{curve.label}, step {step}: {values[i]:.5g}, {where} the axis{whole}")


def draw_oddities(figure: go.Figure, groups: Sequence[Group], quantity: str, row: int, tally: Tally) -> None:
    """Mark values that are not finite at the panel's top edge, wherever its values are scrolled to."""
    found = [odd for g in groups for c in g.curves for odd in oddities(c)]
    if not found:
        return
    tally.nonfinite += sum(odd.count for odd in found)
    x: list[int] = []
    texts: list[str] = []
    for odd in found:
        what = f"{odd.kind} in {quantity}, {odd.label}, step {odd.first}"
        if odd.count > 1:
            what += f" to {odd.last} ({odd.count:,} values)"
        ends = range(odd.first, odd.last + 1) if odd.count <= 3 and odd.last - odd.first < 3 else (odd.first, odd.last)
        for step in dict.fromkeys(ends):
            x.append(step)
            texts.append(what)
    if len(x) > MOST_MARKS:
        tally.unmarked += len(x) - MOST_MARKS
        x, texts = x[:MOST_MARKS], texts[:MOST_MARKS]
    number = _ALARM_AXIS + row
    figure.add_trace(
        go.Scatter(
            x=np.array(x, np.int32),
            y=np.full(len(x), 0.97, np.float32),
            text=texts,
            mode="markers",
            marker={"symbol": "x", "size": 9, "color": ALARM},
            name="not finite",
            legendgroup="not finite",
            showlegend=row == 1,
            hovertemplate="%{text}<extra></extra>",
            xaxis="x" if row == 1 else f"x{row}",
            yaxis=f"y{number}",
            cliponaxis=False,
        )
    )
    below = "y" if row == 1 else f"y{row}"
    figure.layout[f"yaxis{number}"] = {"overlaying": below, "range": [0, 1], "visible": False, "fixedrange": True}
