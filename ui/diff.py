"""In what experiments differ."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lossdiag.errors import SpecError
from lossdiag.spec import ExperimentSpec, get_path, known_paths

_MISSING = "–"


def differing(specs: Mapping[str, ExperimentSpec]) -> pd.DataFrame:
    """Return one row per dotted path whose value is not the same in all `specs`, and one column per spec.

    A path that a spec does not have, such as a parameter of a loss that it does not use, is shown as a dash.
    """
    paths = dict.fromkeys(path for spec in specs.values() for path in known_paths(spec) if path != "name")
    rows = {path: [_value(spec, path) for spec in specs.values()] for path in paths}
    found = {path: values for path, values in rows.items() if len(set(values)) > 1}
    return pd.DataFrame([[path, *values] for path, values in found.items()], columns=["value", *specs], dtype=object)


def _value(spec: ExperimentSpec, path: str) -> str:
    try:
        value = get_path(spec, path)
    except SpecError:
        return _MISSING
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or _MISSING
    return _MISSING if value is None else str(value)
