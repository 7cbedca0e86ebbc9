"""Origin of the WCS of exposures: guide stars, a priori catalogue or fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstmosaic.plan.exposures import Exposure

PIPELINE_WCS = "OPUS"
"""WCSNAME that the archive's first processing writes, before the distortion is added."""
_MODELS = ("IDC", PIPELINE_WCS)
_FIT = "FIT"
_FITTED = {
    "REL": "exposures of a visit together",
    "IMG": "exposure by exposure",
    "EVM": "exposure by exposure",
    "SVM": "visit by visit",
    "MVM": "all visits together",
}


def solution_of(wcsname: str) -> str:
    """Describe a WCS by its name, which the archive composes as ``<model>-<solution>``.

    Parameters
    ----------
    wcsname : str
        ``WCSNAME``, such as ``IDC_2731450pi-FIT_REL_GAIAeDR3``.

    Returns
    -------
    str
        ``not aligned``, ``a priori (GSC240)``, ``a posteriori (GAIAEDR3, visit by visit)``, or the name itself if it is
        the user's.
    """
    model, _, solution = wcsname.strip().upper().partition("-")
    if not model.startswith(_MODELS):
        return f"user-defined ({wcsname.strip()})"
    if not solution:
        return "not aligned"
    fit, _, rest = solution.partition("_")
    if fit != _FIT:
        return f"a priori ({solution})"
    kind, _, catalog = rest.partition("_")
    return f"a posteriori ({catalog or 'no catalogue'}, {_FITTED.get(kind, kind)})"


def compare_solutions(exposures: Iterable[Exposure]) -> list[tuple[str, list[str]]]:
    """Group exposures by the solution that their WCS come from.

    Parameters
    ----------
    exposures : iterable of Exposure
        Exposures of one run.

    Returns
    -------
    list of (str, list of str)
        Solution and names of exposures, in the order of the list.
    """
    groups: dict[str, list[str]] = {}
    for exposure in exposures:
        groups.setdefault(solution_of(exposure.wcsname), []).append(exposure.name)
    return list(groups.items())
