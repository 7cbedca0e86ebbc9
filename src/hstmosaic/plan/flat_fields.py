"""Flat fields that weights by inverse variance need."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import Problem
from hstmosaic.plan.distortion import NO_FILE
from hstmosaic.plan.headers import UnreadableExposureError
from hstmosaic.plan.reading import open_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstmosaic.plan.exposures import Exposure
    from hstmosaic.plan.request import MosaicRequest

PFLTFILE = "PFLTFILE"
_WEIGHTS, _FROM_FLATS = "final_wht_type", "IVM"
_VARIABLE = re.compile(r"(?P<variable>\w+)\$(?P<file>.*)")
_OTHERWISE = f"or use other weights ({_WEIGHTS})"
_REFETCH = f"fetch the calibrated file from MAST, {_OTHERWISE}"


class _FlatFieldError(Exception):
    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__(cause)
        self.cause, self.next_step = cause, next_step


def find_missing_flats(
    exposures: Iterable[Exposure], request: MosaicRequest, environment: Mapping[str, str] | None = None
) -> list[Problem]:
    """Find exposures without a flat field in layers with weights by inverse variance (``final_wht_type = "IVM"``).

    Parameters
    ----------
    exposures : iterable of Exposure
        Exposures of all layers, with their chips.
    request : MosaicRequest
        With the drizzle parameters of the layers.
    environment : mapping of str to str, optional
        Variables in names such as ``iref$x_pfl.fits``; those of this process when None.

    Returns
    -------
    list of Problem
        One for each exposure. drizzlepac fails without the keyword, and takes 1 for a flat field that is missing.
    """
    problems = []
    for exposure in exposures:
        chosen = request.layer_parameters(exposure.instrument, exposure.detector, exposure.filter)
        if chosen.get(_WEIGHTS) != _FROM_FLATS:
            continue
        try:
            _check(exposure, os.environ if environment is None else environment)
        except _FlatFieldError as error:
            cause = f"{_FROM_FLATS} weights need its flat field, but {error.cause}"
            problems.append(Problem(str(exposure.path), cause, error.next_step))
        except UnreadableExposureError as error:
            problems.append(error.problem)
    return problems


def _check(exposure: Exposure, environment: Mapping[str, str]) -> None:
    """Raise if the flat field of an exposure cannot be used."""
    with open_headers(exposure.path, str(exposure.path)) as hdus:
        written = hdus[0].header.get(PFLTFILE)
    if written is None:
        raise _FlatFieldError(f"its primary header has no {PFLTFILE}", _REFETCH)
    value = str(written).strip()
    if value.upper() in NO_FILE:
        raise _FlatFieldError(f"{PFLTFILE} names no file", _REFETCH)
    path = _expanded(value, environment)
    wanted = {("SCI", chip.extver) for chip in exposure.chips}
    with open_headers(path, f"{path} ({PFLTFILE} of {exposure.name})") as hdus:
        lacking = sorted(wanted - {(hdu.name, hdu.ver) for hdu in hdus})
    if lacking:
        name, version = lacking[0]
        raise _FlatFieldError(f"{path} has no extension {name},{version}", _REFETCH)


def _expanded(value: str, environment: Mapping[str, str]) -> Path:
    """Return the path of a reference file; drizzlepac joins variables and names as they are."""
    match = _VARIABLE.fullmatch(value)
    if match is None:
        folder, file = "", value
    else:
        variable, file = match.groups()
        if variable not in environment:
            cause = f"the variable {variable} in {PFLTFILE}={value} is not set"
            raise _FlatFieldError(cause, f"set {variable} to the folder of the reference files, {_OTHERWISE}")
        folder = environment[variable]
    path = Path(f"{folder}{file}").expanduser()
    if not path.is_absolute():
        cause = f"{PFLTFILE}={value} is not an absolute path ({path}), and tasks run in directories of their own"
        raise _FlatFieldError(cause, f"name its folder by an absolute path, {_OTHERWISE}")
    if not path.is_file():
        slash = f"end {folder} with a slash, " if Path(folder, file).is_file() else f"put it there, {_OTHERWISE}"
        raise _FlatFieldError(f"{path} is missing ({PFLTFILE}={value})", slash.removesuffix(", "))
    return path
