"""What the server tells the browser: a whole figure first, then only what has changed since the last message.

A *message* is plain data with a ``version``. A whole one carries ``figure``; a patch carries ``base``, the version that
the browser must be at, and ``ops``. A browser that is elsewhere (a message was overtaken, the chart was put up again)
asks for a whole one. Arrays stay in Plotly's own form, ``{"dtype", "bdata"}`` in base64; those of one dimension are
patched as "keep the first n, then append".
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import plotly.graph_objects as go

from lossdiag.figures.style import template

Plain: TypeAlias = dict[str, Any]

_WORTH_IT = 0.7  # a patch larger than this share of the whole figure is not worth the risk of a second round


@dataclass(slots=True)
class Sent:
    """What the browser of one session was last told about one chart."""

    figure: Plain | None = None
    message: Plain = field(default_factory=dict)
    # A chart on the screen may outlive the session that drew it, so versions of two sessions must differ.
    _token: str = field(default_factory=lambda: secrets.token_hex(4))
    _count: int = 0

    def next_message(self, figure: go.Figure) -> Plain:
        """Return the message that brings the browser to `figure`, and remember it.

        An unchanged figure gives the same message again, which Streamlit's client does not even look at.
        """
        new = to_plain(figure)
        if new == self.figure:
            return self.message
        ops = None if self.figure is None else patch(self.figure, new)
        base, self._count = self._version, self._count + 1
        content = {"figure": new, "templates": _templates()} if ops is None else {"base": base, "ops": ops}
        self.message = {"version": self._version, **content}
        self.figure = new
        return self.message

    @property
    def _version(self) -> str:
        return f"{self._token}.{self._count}"


def to_plain(figure: go.Figure) -> Plain:
    """Return data, layout and frames as they go over the wire; the template is the browser's to choose."""
    plain: Plain = json.loads(figure.to_json())
    plain["layout"].pop("template", None)
    return plain


def _templates() -> Plain:
    return {theme: template(theme).to_plotly_json() for theme in ("light", "dark")}


def patch(old: Plain, new: Plain) -> list[Plain] | None:
    """Return the operations that turn `old` into `new`, or None where the whole figure is the shorter way.

    Operations: ``{"layout": ...}``; ``{"trace": i, "key", "set": value}``; ``{"trace": i, "key", "drop": true}``;
    ``{"trace": i, "key", "keep": n, "tail": array}``.
    """
    kinds = [[(t.get("type"), t.get("name"), t.get("yaxis")) for t in f["data"]] for f in (old, new)]
    if kinds[0] != kinds[1] or old.get("frames") != new.get("frames"):
        return None
    ops: list[Plain] = []
    if old["layout"] != new["layout"]:
        ops.append({"layout": new["layout"]})
    for i, (before, after) in enumerate(zip(old["data"], new["data"], strict=True)):
        ops += [{"trace": i, "key": key, "drop": True} for key in before.keys() - after.keys()]
        for key, value in after.items():
            if key not in before or before[key] != value:
                ops.append({"trace": i, "key": key, **_change(before.get(key), value)})
    return ops if len(json.dumps(ops)) < _WORTH_IT * len(json.dumps(new)) else None


def _change(old: Any, new: Any) -> Plain:
    """Return how one attribute changes; arrays that begin alike send their new end only."""
    if isinstance(old, list) and isinstance(new, list):
        keep = _common(np.array(old, object), np.array(new, object))
        return {"keep": keep, "tail": new[keep:]} if keep else {"set": new}
    if not (_is_array(old) and _is_array(new) and old["dtype"] == new["dtype"]):
        return {"set": new}
    first, second = _bytes(old), _bytes(new)
    # Compared as bytes: NaN equals NaN, and nothing is rounded.
    keep = _common(first, second)
    if not keep:
        return {"set": new}
    tail = base64.b64encode(second[keep:].tobytes()).decode()
    return {"keep": keep, "tail": {"dtype": new["dtype"], "bdata": tail}}


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and "bdata" in value and "shape" not in value


def _bytes(array: Plain) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(base64.b64decode(array["bdata"]), f"V{np.dtype(array['dtype']).itemsize}")


def _common(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> int:
    """Return how many leading elements two arrays share."""
    n = min(len(first), len(second))
    differs = np.flatnonzero(first[:n] != second[:n])
    return int(differs[0]) if differs.size else n
