"""Events on the step axis: one line per kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lossdiag.figures.style import (
    ALARM,
    NEUTRAL,
    PALETTE,
    STEP_AXIS,
    Theme,
    base_figure,
    plain,
    sentence_figure,
    set_note,
)

# Kinds from the gravest down: symbol and colour. A kind that a newer version wrote is drawn as the last one here.
_LOOKS: dict[str, tuple[str, str]] = {
    "crash": ("x-open", ALARM),
    "nonfinite": ("x", ALARM),
    "explosion": ("triangle-up", PALETTE[5]),
    "spike": ("triangle-up-open", PALETTE[1]),
    "stop": ("square", PALETTE[0]),
    "clip": ("circle-open", PALETTE[6]),
    "loss_scale": ("diamond-open", PALETTE[3]),
    "lr_change": ("diamond", PALETTE[4]),
}
_OTHER = ("circle", NEUTRAL)
KIND_TITLES: Mapping[str, str] = {
    "crash": "crash",
    "nonfinite": "broke",
    "explosion": "blew up",
    "spike": "spike",
    "stop": "stopped",
    "clip": "clipped",
    "loss_scale": "loss scale",
    "lr_change": "learning rate",
}
"""What people call each kind of event."""
_MOST_PER_KIND = 400


def event_rail(events: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw events as markers over steps, one line per kind, with the sentence that was recorded as hover.

    Args:
        events: rows of a recording's events table (step, member, kind, where, layer, value, detail).
        theme: light or dark.
    """
    if events.empty:
        return sentence_figure("No events: nothing unusual was recorded.", theme, height=80)
    figure = go.Figure()
    sentence = add_rail(figure, events, row=None)
    base_figure(theme, height=rail_height(events) + 60, figure=figure)
    figure.update_layout(xaxis=STEP_AXIS, margin_t=12)
    set_note(figure, sentence)
    return figure


def rail_height(events: pd.DataFrame | None) -> int:
    """Return the pixels that the rail of `events` takes, 0 for none."""
    return 0 if events is None or events.empty else 16 + 20 * events["kind"].nunique()


def add_rail(figure: go.Figure, events: pd.DataFrame, *, row: int | None) -> str:
    """Add the rail to a subplot row (or to a figure of its own); return what it leaves out, as a sentence."""
    place = {} if row is None else {"row": row, "col": 1}
    order = {kind: i for i, kind in enumerate(_LOOKS)}
    kinds = sorted(events["kind"].unique(), key=lambda k: (order.get(k, len(order)), k))
    left_out = 0
    for level, kind in enumerate(kinds):
        own = events[events["kind"] == kind]
        # The first ones tell most: what follows an event of a kind is often its echo.
        left_out += max(0, len(own) - _MOST_PER_KIND)
        own = own.iloc[:_MOST_PER_KIND]
        symbol, colour = _LOOKS.get(kind, _OTHER)
        figure.add_trace(
            go.Scatter(
                x=own["step"].to_numpy(np.int32),
                y=np.full(len(own), level, np.int16),
                text=[_sentence(*parts) for parts in zip(own["member"], own["layer"], own["detail"], strict=True)],
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": 8},
                name=kind,
                showlegend=False,
                hovertemplate=f"{KIND_TITLES.get(kind, kind)}, step %{{x}}<br>%{{text}}<extra></extra>",
            ),
            **place,
        )
    figure.update_yaxes(
        tickvals=list(range(len(kinds))),
        ticktext=[KIND_TITLES.get(kind, kind) for kind in kinds],
        range=[len(kinds) - 0.5, -0.5],
        fixedrange=True,
        showgrid=False,
        zeroline=False,
        title_text="",
        **place,
    )
    return f"{left_out:,} later events are not drawn." if left_out else ""


def _sentence(member: int, layer: str, detail: str) -> str:
    parts = ["the whole run" if member < 0 else f"member {member}", plain(layer), plain(detail[:300])]
    return ", ".join(p for p in parts if p)
