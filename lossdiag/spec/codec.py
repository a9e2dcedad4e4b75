"""A spec as JSON, as YAML and as the value of a link's query parameter. Each direction undoes the other exactly."""

from __future__ import annotations

import base64
import binascii
import json
import zlib

import yaml

from lossdiag.errors import SpecError
from lossdiag.spec.experiment import ExperimentSpec

# A link is a stranger's input: what it may unpack to is bounded before anything reads it.
_MAX_TOKEN = 32_768
_MAX_PLAIN = 262_144


def to_json(spec: ExperimentSpec, *, indent: int | None = 2) -> str:
    """Return the spec as JSON with every field."""
    return spec.model_dump_json(indent=indent)


def from_json(text: str) -> ExperimentSpec:
    """Read a spec from JSON; raise SpecError where the text is not JSON or the spec is not valid."""
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise SpecError("not an experiment: its brackets are nested too deeply") from None
    return ExperimentSpec.parse(plain)


def to_yaml(spec: ExperimentSpec) -> str:
    """Return the spec as YAML with every field."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_yaml(text: str) -> ExperimentSpec:
    """Read a spec from YAML; an empty document is the default spec."""
    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(f"not YAML: {where}{getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise SpecError("not an experiment: its brackets are nested too deeply") from None
    return ExperimentSpec.parse({} if plain is None else plain)


def to_query(spec: ExperimentSpec) -> str:
    """Return the spec as a token for a link: what differs from the defaults, compressed, URL-safe."""
    plain = spec.model_dump_json(exclude_defaults=True)
    return base64.urlsafe_b64encode(zlib.compress(plain.encode(), 9)).decode().rstrip("=")


def from_query(token: str) -> ExperimentSpec:
    """Read a spec from a link's token.

    Raises:
        SpecError: the token is damaged, too large, or holds a spec that is not valid.
    """
    if len(token) > _MAX_TOKEN:
        raise SpecError(f"the link's experiment has {len(token)} characters, at most {_MAX_TOKEN} are read")
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(packed, _MAX_PLAIN)
        if inflate.unconsumed_tail or not inflate.eof:
            raise SpecError("the link's experiment is cut off or too large; ask for the link again")
        text = plain.decode()
    except (binascii.Error, zlib.error, ValueError):
        raise SpecError("the link's experiment is damaged; ask for the link again") from None
    return from_json(text)
