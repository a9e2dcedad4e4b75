"""Widgets made from the fields of a spec: type, bounds and description say which widget, its range and its help.

Every widget writes to session state under `state.key(path)` and starts at the draft's value. No field is named here:
a field added to the spec has its widget at once.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

import annotated_types as at
import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lossdiag.errors import SpecError
from ui import state

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field's annotation says: the bare type, its choices, its bounds, and whether it may be empty."""

    kind: type
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    optional: bool = False


def shape(field: FieldInfo) -> Shape:
    """Read the annotation and the constraints of `field`.

    Raises:
        TypeError: no widget is made for such a field.
    """
    annotation: Any = field.annotation
    metadata, optional = list(field.metadata), False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        optional = len(inner) < len(get_args(annotation))
        annotation = inner[0] if len(inner) == 1 else annotation
    while hasattr(annotation, "__metadata__"):
        metadata += _flat(annotation.__metadata__)
        annotation = get_args(annotation)[0]
    low = _limit(metadata, at.Ge, "ge", at.Gt, "gt")
    high = _limit(metadata, at.Le, "le", at.Lt, "lt")
    if annotation is int and high is not None and any(isinstance(m, at.Lt) for m in metadata):
        high -= 1
    if get_origin(annotation) is Literal:
        return Shape(str, get_args(annotation), optional=optional)
    if annotation not in (bool, int, float, str):
        raise TypeError(f"no widget for {annotation}")
    return Shape(annotation, (), low, high, optional)


def control(part: BaseModel, name: str, prefix: str, *, label: str = "") -> Any:
    """Draw the widget of field `name` of `part` and return its value; `prefix` is the part's dotted path."""
    field = type(part).model_fields[name]
    path = f"{prefix}.{name}" if prefix else name
    key, found = state.key(path), shape(field)
    title = label or name.replace("_", " ")
    initial(key, getattr(part, name))
    if found.choices:
        return _choice(title, found, key, field.description)
    if found.kind is bool:
        return st.toggle(title, key=key, help=field.description)
    if found.kind is str:
        return st.text_input(title, key=key, help=field.description)
    return number(title, found, key, field.description)


def controls(part: BaseModel, prefix: str, names: Sequence[str] = (), *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Draw the widgets of `part` (those of `names`, or all but `without`); return values by dotted path.

    A field whose description opens with names of the part's own kinds, such as ``adam and adamw: ...``, has its widget
    only while one of these is chosen.
    """
    values: dict[str, Any] = {}
    for name in names or [n for n in type(part).model_fields if n not in without]:
        if _applies(type(part).model_fields, name, values.get(f"{prefix}.name", getattr(part, "name", None))):
            values[f"{prefix}.{name}"] = control(part, name, prefix)
    return values


def number(title: str, found: Shape, key: str, about: str | None) -> float | int | None:
    """Draw a number input for the bounds of `found`; an optional one may be left empty."""
    # Streamlit wants all numbers of one widget in one type, which its annotations cannot say of a type chosen here.
    kind: Any = found.kind
    return cast(
        float | int | None,
        st.number_input(
            title,
            min_value=None if found.low is None else kind(found.low),
            max_value=None if found.high is None else kind(found.high),
            value=None if found.optional else cast(Any, "min"),
            step=1 if kind is int else cast(Any, 0.01),
            format="%d" if kind is int else "%g",
            key=key,
            help=about,
            placeholder="none" if found.optional else None,
        ),
    )


def ladder(title: str, rungs: Sequence[str], key: str, value: str, read: Callable[[str], T], about: str) -> T:
    """Draw a list of ready choices that also takes a typed one, and return it read by `read`.

    Raises:
        SpecError: `read` refused the typed text with a ValueError; the message is shown as it is.
    """
    initial(key, value)
    options = list(dict.fromkeys([*rungs, str(st.session_state[key] or value)]))
    text = st.selectbox(title, options, key=key, help=about, accept_new_options=True)
    try:
        return read(text or value)
    except ValueError as error:
        raise SpecError(f"{title}: got {text!r}, expected {error}") from None


def initial(key: str, value: Any) -> None:
    """Let the widget `key` start at `value`, unless it holds one already."""
    if key not in st.session_state:
        st.session_state[key] = value


def _applies(fields: Mapping[str, FieldInfo], name: str, chosen: object) -> bool:
    kinds = shape(fields["name"]).choices if "name" in fields else ()
    named = re.split(r", | and ", (fields[name].description or "").partition(":")[0])
    return chosen in named if set(named) <= set(kinds) else True


def _choice(title: str, found: Shape, key: str, about: str | None) -> Any:
    options = [None, *found.choices] if found.optional else list(found.choices)
    return st.selectbox(title, options, key=key, help=about, format_func=lambda o: "automatic" if o is None else str(o))


def _limit(metadata: Sequence[Any], wide: type, within: str, narrow: type, beyond: str) -> float | None:
    """Return the bound of the first constraint of either kind; the spec itself refuses an exclusive bound's value."""
    found = [getattr(m, within if isinstance(m, wide) else beyond) for m in metadata if isinstance(m, wide | narrow)]
    return found[0] if found else None


def _flat(metadata: Sequence[Any]) -> list[Any]:
    """Return the constraints, those inside a pydantic Field among them."""
    return [c for m in metadata for c in (m.metadata if isinstance(m, FieldInfo) else [m])]
