"""Events in plain words, made from their fields, and what the terms of these pages mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MEMBER = "A member is one training: one loss with one seed, and one point of the grid if there is one."
SEED = "A seed fixes the initial weights and the order of the batches; members that share a seed start alike."
YARDSTICK = "A measure that means the same for every loss, taken on rows that no member learns from."

KINDS_HELP = (
    "broke: a value became NaN or infinite. blew up: the loss or the gradient grew far beyond where it was. "
    "spike: one sudden high loss. clipped: the gradient was shortened to its limit."
)


def happened(event: Mapping[Any, Any], before: float = math.nan) -> str:
    """Say what an event is, such as ``"the loss became infinite"``; its own detail where there are no better words.

    Args:
        event: a row of a recording's events.
        before: what a value that blew up is compared with: the loss at its start, the gradient norm as it usually was.
    """
    value, layer = float(event["value"]), event["layer"]
    if event["kind"] == "nonfinite":
        return f"{_subject(event['where'], layer)} became {_nonfinite(value)}"
    if event["kind"] == "explosion" and event["where"] == "loss":
        return f"the loss reached {amount(value)}{_times(value, before, 'what it began at')}"
    if event["kind"] == "explosion":
        most = f", most of it in layer {layer}" if layer else ""
        return f"the gradient norm reached {amount(value)}{_times(value, before, 'what it usually was')}{most}"
    return str(event["detail"])


def amount(value: float) -> str:
    """Return a number as a person reads it: ``"0.0123"``, ``"169"``, ``"21,456"``, ``"2.1e+12"``."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def sentence(text: str) -> str:
    """Return `text` with a capital letter and a full stop."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _times(value: float, before: float, what: str) -> str:
    return f", {amount(value / before)} times {what}" if before > 0 and math.isfinite(value) else ""


def _subject(where: str, layer: str) -> str:
    of = f" of layer {layer}" if layer else ""
    named = {"loss": "the loss", "parameter": f"a weight{of}", "gradient": f"the gradient{of}"}
    return named.get(where, f"an activation{of}")


def _nonfinite(value: float) -> str:
    return "NaN (not a number)" if math.isnan(value) else "infinite"
