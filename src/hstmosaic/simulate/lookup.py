"""Lookup tables of the distortion that is left over by the polynomials (CPDIS and D2IM).

The real tables are measured ones; these are smooth, of the same size, of about the same amplitude, and
always the same for the same chip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstmosaic.simulate.instruments import Camera, Chip

    Kind = Literal["D2IMARR", "WCSDVARR"]

_SHAPE = (32, 64)
_STEP = 64.0
_FILES: dict[Kind, tuple[str, str]] = {"D2IMARR": ("D2IMEXT", "D2IMFILE"), "WCSDVARR": ("NPOLEXT", "NPOLFILE")}
_RECORDS: dict[Kind, tuple[str, str, str]] = {
    "D2IMARR": ("D2IM", "D2IMDIS", "D2IMERR"),
    "WCSDVARR": ("DP", "CPDIS", "CPERR"),
}


def table_values(camera: Camera, chip: Chip, kind: Kind, axis: int) -> NDArray[np.float32]:
    """Return one table of the whole chip.

    Parameters
    ----------
    camera : Camera
        Gives the amplitude.
    chip : Chip
        Each chip has tables of its own.
    kind : str
        ``D2IMARR`` or ``WCSDVARR``.
    axis : int
        1 for the shift in x, 2 for the shift in y.

    Returns
    -------
    ndarray of float32
        Shape (32, 64), in pixels, one value every 64 pixels.
    """
    amplitude = camera.d2im if kind == "D2IMARR" else camera.npol
    y, x = np.meshgrid(np.linspace(-1, 1, _SHAPE[0]), np.linspace(-1, 1, _SHAPE[1]), indexing="ij")
    # Any phases will do, as long as no two tables are alike.
    phase = 1.7 * axis + 0.9 * chip.ccdchip + (0.4 if kind == "D2IMARR" else 2.3)
    waves = (
        np.sin(2.1 * x + phase) * np.cos(1.3 * y - 2 * phase)
        + 0.5 * np.cos(4.7 * x - 3.1 * y + 3 * phase)
        + 0.2 * np.sin(9.3 * x + 2.2 * y + 5 * phase)
    )
    return np.asarray(amplitude * waves / np.abs(waves).max(), dtype=np.float32)


def table_hdus(camera: Camera) -> list[fits.ImageHDU]:
    """Return the table extensions of all chips of a camera, D2IMARR first; none for WFC3/IR and ACS/SBC."""
    hdus = []
    for kind in _kinds(camera):
        for number, chip in enumerate(camera.chips):
            for axis in (1, 2):
                header = fits.Header()
                header["EXTNAME"] = (kind, "WCS distortion array")
                header["EXTVER"] = (2 * number + axis, "Distortion array version number")
                header["CCDCHIP"] = "DX" if axis == 1 else "DY"
                for index in (0, 1):
                    # The table is that of the whole chip, so a subarray starts inside it.
                    header[f"CRPIX{index + 1}"] = (0.0, "Coordinate system reference pixel")
                    header[f"CRVAL{index + 1}"] = (float(0 - chip.origin[index]), "Value at reference pixel")
                    header[f"CDELT{index + 1}"] = (_STEP, "Coordinate increment along axis")
                hdus.append(fits.ImageHDU(table_values(camera, chip, kind, axis), header))
    return hdus


def table_records(camera: Camera, number: int) -> list[tuple[str, str | float, str]]:
    """Return the header records by which chip `number` (from 0) refers to its tables."""
    records: list[tuple[str, str | float, str]] = []
    for kind in _kinds(camera):
        name, switch, error = _RECORDS[kind]
        for axis in (1, 2):
            largest = float(np.abs(table_values(camera, camera.chips[number], kind, axis)).max())
            records.append((f"{error}{axis}", largest, f"Maximum error of correction for axis {axis}"))
            records.append((f"{switch}{axis}", "LOOKUP", "Type of distortion function"))
            for text, comment in (
                (f"EXTVER: {2 * number + axis}", f"Version number of {kind} extension"),
                ("NAXES: 2", "Number of independent variables"),
                ("AXIS.1: 1", "Axis number of the 1st variable"),
                ("AXIS.2: 2", "Axis number of the 2nd variable"),
            ):
                records.append((f"{name}{axis}", text, comment))
    for kind in _kinds(camera):
        keyword, file = _FILES[kind]
        records.append((keyword, camera.reference_files[file], ""))
    return records


def _kinds(camera: Camera) -> list[Kind]:
    wanted: list[tuple[Kind, float]] = [("D2IMARR", camera.d2im), ("WCSDVARR", camera.npol)]
    return [kind for kind, amplitude in wanted if amplitude > 0]
