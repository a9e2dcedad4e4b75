"""Tables of what there is to choose from."""

from __future__ import annotations

import csv
from typing import Any

from lossdiag.cli.output import print_json, print_table
from lossdiag.data.location import sample_path
from lossdiag.registry import Param, loss_cards
from lossdiag.spec import SAMPLES, SYNTHETIC


def print_losses(*, as_json: bool) -> None:
    """Print every loss."""
    cards = loss_cards().values()
    if as_json:
        print_json([card.to_dict() for card in cards])
        return
    rows = [(c.name, ", ".join(c.tasks), ", ".join(map(_param, c.params)), c.summary.partition(". ")[0]) for c in cards]
    print_table(("loss", "tasks", "parameters", "summary"), rows)


def print_data(*, as_json: bool) -> None:
    """Print every sample and generator."""
    sources = [_sample(name) for name in SAMPLES]
    sources += [{"source": f"synthetic:{name}", "rows": None, "columns": None, "target": None} for name in SYNTHETIC]
    if as_json:
        print_json(sources)
        return
    rows = [(s["source"], s["rows"] or "data.n", s["columns"] or "", s["target"] or "") for s in sources]
    print_table(("data", "rows", "columns", "target"), rows)


def _sample(name: str) -> dict[str, Any]:
    with sample_path(name).open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows = sum(1 for _ in reader)
    return {"source": f"sample:{name}", "rows": rows, "columns": len(header), "target": header[-1]}


def _param(param: Param) -> str:
    default = f"{param.default:g}" if isinstance(param.default, float) else str(param.default)
    return f"{param.name}={default}"
