"""Figures that run over steps: one Plotly frame per step, a slider and a play button, moved in the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

FRAME_BYTES = 200_000
"""Most bytes of all frames of a figure together."""
_CONTROLS = 130


def times_of(steps: Sequence[NDArray[np.integer]], bytes_each: int, still: int = 0) -> tuple[NDArray[np.integer], int]:
    """Return the steps of the slider, first and last among them, and how many there were before thinning.

    Args:
        steps: when each series was pictured.
        bytes_each: what a frame takes.
        still: what the picture itself takes of the same room.
    """
    times = np.unique(np.concatenate(list(steps)))
    most = max(2, (FRAME_BYTES - still) // max(1, bytes_each))
    if len(times) <= most:
        return times, len(times)
    return times[np.linspace(0, len(times) - 1, most).round().astype(int)], len(times)


def latest(steps: NDArray[np.integer], step: int) -> int:
    """Return the position of the latest picture at or before `step`; the first one where there is none."""
    return max(0, int(np.searchsorted(steps, step, side="right")) - 1)


def kept(times: NDArray[np.integer], total: int) -> str:
    """Return the sentence on thinned pictures; empty if none was left out."""
    return f"{len(times)} of {total} recorded pictures are kept." if len(times) < total else ""


def animate(
    figure: go.Figure,
    times: NDArray[np.integer],
    draw: Callable[[int], list[Any]],
    traces: Sequence[int],
) -> None:
    """Add one frame per step, a slider at the last of them, and play and pause, in room of their own at the foot.

    Args:
        figure: has its height, and shows the last step.
        times: the steps, ascending; a single one needs no slider.
        draw: gives what changes at a step, a trace for each of `traces`.
        traces: indexes of the traces that change.
    """
    if len(times) < 2:
        return
    figure.frames = [go.Frame(name=str(int(t)), data=draw(int(t)), traces=list(traces)) for t in times]
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"fromcurrent": True, "frame": {"duration": 120, "redraw": True}, "transition": {"duration": 0}}
    steps = [{"label": str(int(t)), "method": "animate", "args": [[str(int(t))], still]} for t in times]
    figure.update_layout(
        height=figure.layout.height + _CONTROLS,
        sliders=[
            {
                "active": len(steps) - 1,
                "steps": steps,
                "currentvalue": {"prefix": "step ", "font": {"size": 12}},
                "pad": {"t": 56},
                "ticklen": 3,
                "font": {"size": 10},
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "y": 0,
                "xanchor": "left",
                "yanchor": "top",
                "pad": {"t": 126},
                "showactive": False,
                "buttons": [
                    {"label": "▶", "method": "animate", "args": [None, play]},
                    {"label": "❚❚", "method": "animate", "args": [[None], still]},
                ],
            }
        ],
    )
