"""Write the cards of all losses to catalog.json, which `lossdiag.registry` reads without torch.

``python -m lossdiag.losses.catalog`` after a loss was added or its card changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from lossdiag.losses import cards

CATALOG = Path(__file__).with_name("catalog.json")


def catalog_text() -> str:
    """Return what catalog.json should hold."""
    return json.dumps([card.to_dict() for card in cards()], indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    CATALOG.write_text(catalog_text(), encoding="utf-8")
