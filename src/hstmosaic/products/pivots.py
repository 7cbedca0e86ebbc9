"""Pivot wavelengths of filters, for exposures whose headers lack PHOTPLAM."""

from __future__ import annotations

_ANGSTROM = {
    # WFC3/UVIS and ACS, from the instrument handbooks; the same name in two cameras differs by less than 1 %
    "F115LP": 1406, "F122M": 1273, "F125LP": 1438, "F140LP": 1528, "F150LP": 1611, "F165LP": 1758,
    "F200LP": 4972, "F218W": 2228, "F220W": 2254, "F225W": 2372, "F250W": 2716, "F275W": 2710, "F280N": 2833,
    "F300X": 2820, "F330W": 3363, "F336W": 3354, "F343N": 3435, "F344N": 3434, "F350LP": 5874, "F373N": 3730,
    "F390M": 3897, "F390W": 3924, "F395N": 3955, "F410M": 4109, "F435W": 4330, "F438W": 4326, "F467M": 4683,
    "F469N": 4688, "F475W": 4747, "F475X": 4941, "F487N": 4871, "F502N": 5010, "F547M": 5448, "F550M": 5581,
    "F555W": 5361, "F600LP": 7468, "F606W": 5922, "F621M": 6219, "F625W": 6312, "F631N": 6304, "F645N": 6454,
    "F656N": 6561, "F657N": 6567, "F658N": 6584, "F660N": 6599, "F665N": 6656, "F673N": 6766, "F680N": 6878,
    "F689M": 6877, "F763M": 7614, "F775W": 7694, "F814W": 8045, "F845M": 8439, "F850LP": 9032, "F892N": 8915,
    "F953N": 9531,
    # WFC3/IR
    "F098M": 9865, "F105W": 10551, "F110W": 11535, "F125W": 12486, "F126N": 12585, "F127M": 12740, "F128N": 12832,
    "F130N": 13006, "F132N": 13188, "F139M": 13838, "F140W": 13923, "F153M": 15322, "F160W": 15369, "F164N": 16404,
    "F167N": 16642,
}  # fmt: skip
"""Pivot wavelength by filter, Angstrom."""


def pivot_wavelength(name: str) -> float:
    """Return the pivot wavelength of a filter, Angstrom; 0 if it is unknown.

    Parameters
    ----------
    name : str
        Name of the filter or of two crossed filters, in either case: ``F160W``, ``f606w-pol0v``.
    """
    return float(next((_ANGSTROM[part] for part in name.upper().split("-") if part in _ANGSTROM), 0))
