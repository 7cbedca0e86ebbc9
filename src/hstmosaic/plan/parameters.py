"""Drizzle parameters of the user, for all layers or by instrument, detector and filter."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.parameter_names import Value, astrodrizzle_parameters
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DETECTORS = {"acs": ("wfc", "hrc", "sbc"), "wfc3": ("uvis", "ir")}
_DEPTH = 3
"""Instrument, detector and filter."""

Scope = tuple[str, ...]
"""Instrument, detector and filter, or the first of them; empty for all layers."""


@dataclass(frozen=True)
class DrizzleParameters:
    """Parameters that differ from those that drizzlepac selects."""

    scopes: tuple[tuple[Scope, tuple[tuple[str, Value], ...]], ...] = ()
    """Parameters by scope, the general scopes first."""

    def for_layer(self, instrument: str, detector: str, filter_name: str) -> dict[str, Value]:
        """Return the parameters of a layer; narrower scopes override wider ones."""
        layer = (instrument, detector, filter_name)
        return {name: value for scope, values in self.scopes if layer[: len(scope)] == scope for name, value in values}

    def unused(self, layers: set[Scope]) -> tuple[str, ...]:
        """Return the scopes that no layer belongs to."""
        return tuple(
            "/".join(scope) for scope, _ in self.scopes if not any(layer[: len(scope)] == scope for layer in layers)
        )

    def to_dict(self) -> dict[str, dict[str, Value]]:
        """Return the parameters by scopes like ``wfc3/uvis``, in types that JSON has."""
        return {"/".join(scope): dict(values) for scope, values in self.scopes}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Mapping[str, Value]]) -> DrizzleParameters:
        """Return the parameters that `to_dict` converted."""
        scopes = [(tuple(filter(None, scope.split("/"))), tuple(values.items())) for scope, values in raw.items()]
        return cls(tuple(sorted(scopes, key=lambda item: len(item[0]))))


def read_parameters(path: Path) -> DrizzleParameters:
    """Read a file of drizzle parameters and check every name and value.

    Parameters
    ----------
    path : pathlib.Path
        TOML or JSON. Parameters at the top apply to all layers; tables such as ``[wfc3]``, ``[wfc3.uvis]`` or
        ``[wfc3.uvis.f606w]`` (or ``["wfc3/uvis"]``) apply to an instrument, a detector or a filter.

    Returns
    -------
    DrizzleParameters

    Raises
    ------
    BadInputError
        With every problem of the file, and suggestions for unknown names.
    """
    raw = _load(path)
    found: dict[Scope, dict[str, Value]] = {}
    problems = []
    for scope, name, given in _entries(raw, ()):
        try:
            found.setdefault(scope, {})[name] = _checked(scope, name, given)
        except _ParameterError as error:
            where = f" in {'/'.join(scope)}" if scope else ""
            problems.append(Problem(str(path), f"{name}{where}: {error.cause}", error.next_step))
    if problems:
        raise BadInputError(problems)
    return DrizzleParameters.from_dict({"/".join(scope): values for scope, values in found.items()})


class _ParameterError(Exception):
    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__(cause)
        self.cause, self.next_step = cause, next_step


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(ENCODING)
    except OSError as error:
        raise BadInputError([Problem(str(path), f"cannot be read ({error.strerror})", "check the name")]) from None
    except UnicodeDecodeError:
        raise BadInputError([Problem(str(path), "is not UTF-8 text", "write TOML or JSON")]) from None
    try:
        raw = json.loads(text) if path.suffix.lower() == ".json" or text.lstrip()[:1] == "{" else tomllib.loads(text)
    except ValueError as error:
        raise BadInputError([Problem(str(path), f"is neither TOML nor JSON ({error})", "correct this line")]) from None
    if not isinstance(raw, dict):
        raise BadInputError([Problem(str(path), "does not contain a table of parameters", "write NAME = VALUE")])
    return raw


def _entries(raw: Mapping[str, object], scope: Scope) -> Iterator[tuple[Scope, str, object]]:
    """Go through parameters with their scopes; a table is a scope."""
    for name, value in raw.items():
        if isinstance(value, dict):
            yield from _entries(value, (*scope, *name.lower().split("/")))
        else:
            yield scope, name, value


def _checked(scope: Scope, name: str, given: object) -> Value:
    _check_scope(scope)
    known = astrodrizzle_parameters()
    parameter = known.get(name)
    if parameter is None:
        allowed = [parameter.name for parameter in known.values() if not parameter.reserved]
        raise _ParameterError("AstroDrizzle has no parameter of this name", _suggestion(name, allowed))
    if parameter.reserved:
        raise _ParameterError(f"cannot be set: {parameter.reserved}", "remove it")
    try:
        return parameter.value(given)
    except ValueError as error:
        raise _ParameterError(str(error), "correct the value") from None


def _check_scope(scope: Scope) -> None:
    if len(scope) > _DEPTH:
        raise _ParameterError("the table is nested too deeply", "use instrument, detector and filter")
    if scope and scope[0] not in _DETECTORS:
        raise _ParameterError(f"no instrument {scope[0]!r}", _suggestion(scope[0], list(_DETECTORS)))
    if len(scope) > 1 and scope[1] not in _DETECTORS[scope[0]]:
        detectors = list(_DETECTORS[scope[0]])
        raise _ParameterError(f"{scope[0]} has no detector {scope[1]!r}", _suggestion(scope[1], detectors))


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name.lower(), known, 3, 0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"use one of {', '.join(known[:8])}"
