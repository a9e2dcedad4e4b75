"""Dotted paths into a spec: read one, list them all, change some. Grids and fixes are written in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lossdiag.errors import SpecError
from lossdiag.registry import did_you_mean
from lossdiag.spec.refusal import refusal

M = TypeVar("M", bound=BaseModel)


def known_paths(spec: BaseModel) -> tuple[str, ...]:
    """Return every dotted path that leads to a value, such as ``optimizer.lr`` or ``losses.0.params.gamma``."""
    return tuple(_walk(spec, ""))


def _walk(value: Any, path: str) -> list[str]:
    if isinstance(value, BaseModel):
        name = "name" in type(value).model_fields and hasattr(value, "values")
        params = [f"{path}.params.{p}" for p in value.values] if name else []  # type: ignore[attr-defined]
        fields = [f for f in type(value).model_fields if f != "params"]
        return [p for f in fields for p in _walk(getattr(value, f), f"{path}.{f}" if path else f)] + params
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return [p for i, item in enumerate(value) for p in _walk(item, f"{path}.{i}")]
    return [path]


def get_path(spec: BaseModel, path: str) -> Any:
    """Return the value at `path`; raise SpecError with the nearest valid path where there is none."""
    value: Any = spec
    for part in path.split("."):
        if isinstance(value, tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, BaseModel) and part in type(value).model_fields:
            value = value.values if part == "params" and hasattr(value, "values") else getattr(value, part)
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            raise SpecError(f"grid path {path!r}: no such field.{did_you_mean(path, known_paths(spec))}")
    return value


def patch(spec: M, changes: Mapping[str, Any]) -> M:
    """Return a copy of `spec` with the value at each dotted path replaced, validated as a whole.

    Raises:
        SpecError: a path does not exist, or a value is not allowed there.
    """
    plain = spec.model_dump()
    for path, value in changes.items():
        get_path(spec, path)
        *parents, last = path.split(".")
        node: Any = plain
        for part in parents:
            node = node[int(part)] if isinstance(node, (list, tuple)) else node[part]
        if isinstance(node, tuple):
            raise SpecError(f"path {path!r}: name a field of the item, such as {path}.name")
        node[last] = value
    try:
        return type(spec).model_validate(plain)
    except ValidationError as error:
        raise refusal(error, type(spec)) from None
