"""The WCS of a chip as header records and as a transformation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.io import fits
from astropy.wcs import WCS

from hstmosaic.simulate.lookup import table_hdus, table_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstmosaic.simulate.attitude import ChipAim
    from hstmosaic.simulate.instruments import Camera

    Record = tuple[str, str | float | bool, str]


def wcs_records(camera: Camera, aims: Sequence[ChipAim], number: int) -> list[Record]:
    """Return all records of the WCS of chip `number` (from 0), references to tables included."""
    chip = camera.chips[number]
    return [
        *linear_records(camera, aims, number),
        *((key, value, "SIP distortion coefficient") for key, value in chip.sip.items()),
        *((key, value, "from the IDCTAB") for key, value in chip.linear.items()),
        *table_records(camera, number),
    ]


def chip_wcs(camera: Camera, aims: Sequence[ChipAim], number: int) -> WCS:
    """Return the full WCS (SIP and tables) of chip `number` (from 0) of a camera."""
    header = fits.Header([("NAXIS", 2), ("NAXIS1", camera.chips[number].shape[1]),
                          ("NAXIS2", camera.chips[number].shape[0])])  # fmt: skip
    extend(header, wcs_records(camera, aims, number))
    with fits.HDUList([fits.PrimaryHDU(), *table_hdus(camera)]) as tables:
        return WCS(header, tables)


def linear_records(camera: Camera, aims: Sequence[ChipAim], number: int) -> list[Record]:
    """Return the records of the WCS without the coefficients of its distortion."""
    chip, aim = camera.chips[number], aims[number]
    records: list[Record] = [("WCSAXES", 2, "Number of coordinate axes")]
    for axis, kind in enumerate(("RA---TAN-SIP", "DEC--TAN-SIP")):
        records += [
            (f"CRPIX{axis + 1}", chip.crpix[axis], "Pixel coordinate of reference point"),
            (f"CRVAL{axis + 1}", aim.crval[axis], "[deg] Coordinate value at reference point"),
            (f"CTYPE{axis + 1}", kind, "TAN (gnomonic) projection + SIP distortions"),
            (f"CUNIT{axis + 1}", "deg", "Units of coordinate increment and value"),
            (f"CD{axis + 1}_1", aim.cd[axis][0], "partial of coordinate w.r.t. x"),
            (f"CD{axis + 1}_2", aim.cd[axis][1], "partial of coordinate w.r.t. y"),
        ]
    return [*records, ("RADESYS", "ICRS", "Equatorial coordinate system")]


def extend(header: fits.Header, records: Iterable[Record]) -> None:
    """Append records (keyword, value, comment) to `header`, in place."""
    for key, value, comment in records:
        # Appending keeps the several DP1 and D2IM1 records, which all have the same keyword.
        header.append((key, value, comment), end=True)
