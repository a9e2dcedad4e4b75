"""Strings that came from files, workers or links, made safe to show where Streamlit reads Markdown."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@])")


def plain(text: object) -> str:
    """Return `text` so that Markdown shows it letter by letter: no emphasis, link, image, formula, icon or HTML.

    Line breaks become spaces: a label or a message is one paragraph.
    """
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return ``"1 seed"`` or ``"5 seeds"``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def size(count: int) -> str:
    """Return a number of bytes as a person reads it, such as ``"3.4 MB"``."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(seconds: float) -> str:
    """Return a time span as a person reads it, such as ``"0.4 s"``, ``"42 s"`` or ``"3 min 5 s"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
