"""Turn pydantic's list of errors into one sentence: path, what came, what was expected, the nearest valid name."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lossdiag.errors import SpecError
from lossdiag.registry import did_you_mean

# Bounds the work as well as the text: a few lines of YAML with aliases can stand for a billion items.
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def refusal(error: ValidationError, model: type[BaseModel], *, prefix: str = "") -> SpecError:
    """Return the SpecError for `error`; `prefix` is put before every path."""
    details = error.errors(include_url=False)
    # A sequence whose items were refused is also called too short: that second complaint is noise.
    loud = [e for e in details if e["type"] != "too_short" or len(details) == 1]
    problems = {_sentence(e, model, prefix): None for e in loud}
    return SpecError(" | ".join(problems))


def _sentence(error: ErrorDetails, model: type[BaseModel], prefix: str) -> str:
    path = prefix + ".".join(str(part) for part in error["loc"] if not _is_tag(part))
    came = _came(error["input"])
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        fields = _siblings(model, error["loc"])
        hint = did_you_mean(error["loc"][-1], fields)
        return f"{path}: no such field; expected one of {', '.join(fields)}.{hint}"
    if error["type"] == "literal_error":
        expected = str(context["expected"])
        return f"{path}: got {came}, expected {expected}.{did_you_mean(error['input'], expected.split(chr(39))[1::2])}"
    if error["type"] == "value_error" and not error["loc"]:
        return str(context["error"])
    if error["type"] == "value_error":
        return f"{path}: got {came}, {context['error']}"
    message = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    message = message.replace("tuple", "a list")
    return f"{path}: got {came}, expected {message}"


def _is_tag(part: int | str) -> bool:
    # Members of a union carry a tag such as 'function-before[...]' that means nothing to a person.
    return isinstance(part, str) and ("[" in part or part in {"float", "int", "bool", "str", "constrained-float"})


def _came(value: object) -> str:
    return _REPR.repr(value)


def _siblings(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the field names beside the unknown one."""
    current: type[BaseModel] = model
    for part in loc[:-1]:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        found = _model_in(field.annotation)
        if found is not None:
            current = found
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
