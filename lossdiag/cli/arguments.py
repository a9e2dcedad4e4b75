"""From what a person types to an ExperimentSpec."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lossdiag.errors import SpecError
from lossdiag.registry import did_you_mean
from lossdiag.spec import SAMPLES, SYNTHETIC, ExperimentSpec, from_json, from_yaml, patch

_KINDS = ("sample", "synthetic", "upload", "file")


def read_spec(path: Path) -> ExperimentSpec:
    """Read an experiment from a YAML or JSON file.

    Raises:
        SpecError: the file cannot be read, or holds no valid experiment; the message names the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    try:
        return from_json(text) if path.suffix.lower() == ".json" else from_yaml(text)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None


def race(
    losses: Sequence[str], *, data: str, target: Sequence[str], seeds: int, steps: int, lr: float | None
) -> ExperimentSpec:
    """Return the experiment that races `losses`; what is not given has the spec's default.

    Raises:
        SpecError: a value is not allowed.
    """
    plain: dict[str, Any] = {
        "data": {"source": data_source(data), "target": tuple(target)},
        "losses": [loss(text) for text in losses],
        "seeds": seeds,
        "train": {"steps": steps},
    }
    if lr is not None:
        plain["optimizer"] = {"lr": lr}
    return ExperimentSpec.parse(plain)


def changed(spec: ExperimentSpec, changes: Sequence[str]) -> ExperimentSpec:
    """Apply ``path=value`` changes, all at once, with values read as YAML (``grid={optimizer.lr: [0.1, 0.01]}``).

    Raises:
        SpecError: a path does not exist or a value is not allowed there.
    """
    pairs = [_pair(text, "--set") for text in changes]
    return patch(spec, dict(pairs)) if pairs else spec


def loss(text: str) -> dict[str, Any]:
    """Read ``name`` or ``name:param=value,param=value``; a list value, ``[1, 2]``, may hold commas."""
    name, _, params = text.partition(":")
    parts = re.split(r",(?=\s*\w+\s*=)", params) if params else []
    return {"name": name.strip(), "params": dict(_pair(part, f"--loss {text}") for part in parts)}


def data_source(text: str) -> str:
    """Return `text` as a spec's data source: what names no kind of source is taken for the path of a file."""
    if text.partition(":")[0] in _KINDS and ":" in text:
        return text
    if Path(text).is_file():
        return f"file:{text}"
    near = did_you_mean(text, (*SAMPLES, *SYNTHETIC))
    for kind, names in (("sample", SAMPLES), ("synthetic", SYNTHETIC)):
        if text in names:
            near = f" Did you mean '{kind}:{text}'?"
    raise SpecError(
        f"--data: no file {text!r}; expected a file, sample:NAME or synthetic:NAME.{near} See: lossdiag data"
    )


def _pair(text: str, where: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise SpecError(f"{where}: got {text!r}, expected NAME=VALUE, such as {path.strip() or 'model.width'}=3")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise SpecError(f"{where}: cannot read the value {value!r}; quote it, or write lists as [1, 2]") from None
