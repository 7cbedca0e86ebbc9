"""Names, types and choices of AstroDrizzle's parameters, from drizzlepac's own specification file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hstmosaic.errors import HstMosaicError
from hstmosaic.store.files import ENCODING

Value = bool | int | float | str | None
"""Value of a parameter."""

_LINE = re.compile(r"(\w+)\s*=\s*(\w+)_kw\((.*)\)\s*")
_CHOICE = re.compile(r'\s*"([^"]*)"\s*(?:,|$)')
_NONE = frozenset({"none", "indef", ""})
_BITS = re.compile(r"\s*(?:none|~?\s*\(?\s*\d+(?:\s*[,+]\s*~?\d+)*\s*\)?)\s*", re.IGNORECASE)
_GRID = "it follows from --grid, --scale and --bounds"
_SET_HERE = "hstmosaic sets it for every task"
_FILE = "it names a file, and tasks run in directories without it"
_RESERVED = {
    _GRID: "final_wcs final_refimage final_rot final_scale final_outnx final_outny final_ra final_dec final_crpix1 "
    "final_crpix2",
    _SET_HERE: "_task_name_ _mdriztab_btn_ input output runfile rules_file wcskey coeffs context group build stepsize "
    "num_cores in_memory restore preserve overwrite clean driz_combine",
    _FILE: "skyfile skymask_cat",
}
"""Parameters that users cannot set, by reason."""
_REMOVED = {"tophat": "drizzlepac removed this kernel, since it did not work as intended"}
"""Choices of the specification that AstroDrizzle refuses, with the reason."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of AstroDrizzle."""

    name: str
    kind: str
    """``boolean``, ``integer``, ``integer_or_none``, ``float``, ``float_or_none``, ``string`` or ``option``."""
    choices: tuple[str, ...] = ()
    """Allowed values of an ``option``."""

    @property
    def reserved(self) -> str:
        """Reason why users cannot set it; empty if they can."""
        return next((reason for reason, names in _RESERVED.items() if self.name in names.split()), "")

    def value(self, given: object) -> Value:
        """Return a value in the type that AstroDrizzle expects.

        Raises
        ------
        ValueError
            With the reason, if the value is not allowed.
        """
        base, optional = self.kind.removesuffix("_or_none"), self.kind.endswith("_or_none")
        if optional and (given is None or (isinstance(given, str) and given.lower() in _NONE)):
            return None
        match base:
            case "boolean" if isinstance(given, bool):
                return given
            case "integer" if isinstance(given, int) and not isinstance(given, bool):
                return given
            case "float" if isinstance(given, int | float) and not isinstance(given, bool):
                return self._checked(float(given))
            case "option":
                return self._choice(given)
            case "string" if isinstance(given, str | int | float) and not isinstance(given, bool):
                return self._text(str(given))
            case _:
                expected = {"boolean": "true or false", "integer": "an integer", "float": "a number", "string": "text"}
                raise ValueError(f"must be {expected[base]}{' or none' if optional else ''}, not {given!r}")

    def _choice(self, given: object) -> str:
        matches = [choice for choice in self.choices if isinstance(given, str) and choice.lower() == given.lower()]
        if matches and matches[0] in _REMOVED:
            raise ValueError(f"{matches[0]!r} is not possible: {_REMOVED[matches[0]]}")
        if not matches:
            raise ValueError(f"must be one of {', '.join(self.choices)}, not {given!r}")
        return matches[0]

    def _checked(self, number: float) -> float:
        if self.name.endswith("_pixfrac") and not 0 < number <= 1:
            raise ValueError(f"must be above 0 and at most 1, not {number:g}")
        return number

    def _text(self, text: str) -> str:
        if self.name.endswith("_bits") and not _BITS.fullmatch(text):
            raise ValueError(f"must be DQ flags such as 64,32 or ~4096, not {text!r}")
        return text


@cache
def astrodrizzle_parameters() -> dict[str, Parameter]:
    """Return the parameters of the installed AstroDrizzle by name, without importing drizzlepac.

    Raises
    ------
    HstMosaicError
        If drizzlepac is not installed.
    """
    spec = find_spec("drizzlepac")
    if spec is None or not spec.submodule_search_locations:
        raise HstMosaicError("drizzlepac is not installed", "install hstmosaic from its lock file")
    text = (Path(spec.submodule_search_locations[0]) / "pars" / "astrodrizzle.cfgspc").read_text(ENCODING)
    found = {}
    for line in text.partition("_RULES_")[0].splitlines():
        match = _LINE.fullmatch(line)
        if match:
            name, kind, arguments = match.groups()
            found[name] = Parameter(name, kind, _choices(arguments) if kind == "option" else ())
    return found


def _choices(arguments: str) -> tuple[str, ...]:
    """Return the quoted values at the beginning of the arguments of an option."""
    choices, place = [], 0
    while match := _CHOICE.match(arguments, place):
        choices.append(match[1])
        place = match.end()
    return tuple(choices)
