"""Requested grids: that of an image, another pixel scale, or other bounds."""

from __future__ import annotations

import json
import math
import re
import tomllib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import BadInputError, OptionError, Problem
from hstmosaic.store.files import ENCODING
from hstmosaic.store.task_specs import TANGENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io import fits
    from astropy.wcs import WCS

MOST_PIXELS = 2**31
"""The drizzle kernel counts pixels with 32 bits."""
_EXTENSION = re.compile(r"(?P<path>.+?)\[(?P<extension>[^\[\]]+)\]")
_DESCRIPTIONS = (".json", ".toml", ".ecsv", ".txt", ".asdf")
_DESCRIPTION = ("ra", "dec", "scale", "width", "height")
PROJECTIONS = (TANGENT, "SIN", "ARC", "STG", "ZEA", "CAR", "MER", "AIT")
"""Projections without parameters, to which drizzlepac can drizzle."""
_EQUINOX = 2000.0
_ROUNDING = 1e-9
_DISTORTION = 0.02
_SQUARE = 2e-3


def header_value(value: float) -> float:
    """Return a number as a FITS header holds it: cards have room for 20 characters, with either sign.

    A WCS of such numbers is that of the files made on it, bit for bit.
    """
    from astropy.io import fits

    kept = fits.Card.fromstring(str(fits.Card("VALUE", -abs(value)))).value
    return math.copysign(float(kept), value)


def axis_types(projection: str) -> tuple[str, str]:
    """Return CTYPE1 and CTYPE2 of a projection."""
    return f"RA---{projection}", f"DEC--{projection}"


@dataclass(frozen=True)
class TargetGrid:
    """A plane of the sky with its pixels."""

    shape: tuple[int, int]
    """Height and width, pixels."""
    crpix: tuple[float, float]
    """Reference pixel, 1-based, x then y."""
    crval: tuple[float, float]
    """Right ascension and declination there, degrees."""
    cd: tuple[float, float, float, float]
    """CD1_1, CD1_2, CD2_1 and CD2_2, degrees per pixel."""
    projection: str = TANGENT
    """One of `PROJECTIONS`."""

    @property
    def scale(self) -> float:
        """Pixel scale, arcsec."""
        return math.sqrt(abs(self.cd[0] * self.cd[3] - self.cd[1] * self.cd[2])) * 3600

    @property
    def square(self) -> bool:
        """Return whether pixels are square to a thousandth."""
        a, b, c, d = self.cd
        area = abs(a * d - b * c)
        return abs(a * a + c * c - area) <= _SQUARE * area and abs(b * b + d * d - area) <= _SQUARE * area

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> TargetGrid:
        """Return the grid that `dataclasses.asdict` converted."""
        shape, crpix, crval, cd = (tuple(raw[name]) for name in ("shape", "crpix", "crval", "cd"))
        return cls(shape, crpix, crval, cd, raw.get("projection", TANGENT))

    @property
    def wcs(self) -> WCS:
        """The WCS."""
        from astropy.wcs import WCS

        plane = WCS(naxis=2)
        plane.wcs.ctype = axis_types(self.projection)
        plane.wcs.crpix, plane.wcs.crval = self.crpix, self.crval
        plane.wcs.cd = [self.cd[:2], self.cd[2:]]
        return plane

    @property
    def distortion(self) -> float:
        """Largest relative difference of the pixel at the centre from a square of the nominal scale."""
        x, y = (length / 2 + 0.5 for length in self.shape[::-1])
        ra, dec = self.wcs.wcs_pix2world([x - 0.5, x + 0.5, x, x], [y, y, y - 0.5, y + 0.5], 1)
        east = ((ra[1::2] - ra[::2] + 180) % 360 - 180) * math.cos(math.radians(dec[0]))
        north = dec[1::2] - dec[::2]
        (a, b), (c, d) = (side * 3600 / self.scale for side in (east, north))
        return float(max(abs(math.hypot(a, c) - 1), abs(math.hypot(b, d) - 1), abs(a * b + c * d)))


@dataclass(frozen=True)
class Bounds:
    """A rectangle that the mosaic covers."""

    low: tuple[float, float]
    high: tuple[float, float]
    sky: bool
    """True if they are right ascension and declination in degrees; else pixels of the projection cell at 0.04"."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Bounds:
        """Return the bounds that `dataclasses.asdict` converted."""
        return cls(tuple(raw["low"]), tuple(raw["high"]), bool(raw["sky"]))

    def __str__(self) -> str:
        return ",".join(f"{low:g}:{high:g}" for low, high in zip(self.low, self.high, strict=True))


def parse_bounds(text: str) -> Bounds:
    """Read ``XMIN:XMAX,YMIN:YMAX``, in pixels, or ``RAMIN:RAMAX,DECMIN:DECMAX`` with a ``d`` behind, in degrees.

    Raises
    ------
    OptionError
        If the text or the rectangle is invalid.
    """
    sky = text.endswith("d")
    parts = text.removesuffix("d").replace(":", ",").split(",")
    try:
        x1, x2, y1, y2 = map(float, parts)
    except ValueError:
        raise OptionError(
            f"invalid --bounds {text!r}",
            "write XMIN:XMAX,YMIN:YMAX (pixels), or RAMIN:RAMAX,DECMIN:DECMAXd (degrees)",
        ) from None
    x2 += 360.0 if sky and x2 < x1 else 0.0
    if not (x1 < x2 and y1 < y2) or (sky and (x2 - x1 > 10 or not -90 <= y1 <= y2 <= 90)):
        raise OptionError(f"--bounds {text} is empty or too large", "give the lower limits first")
    return Bounds((x1, y1), (x2, y2), sky)


def read_grid(text: str) -> TargetGrid:
    """Read the grid of a FITS image or of a description.

    Parameters
    ----------
    text : str
        ``FILE`` or ``FILE[EXTENSION]``. FITS images need one of `PROJECTIONS`, without distortion. Descriptions are
        JSON, TOML, ASDF or ECSV (one row) with ``ra``, ``dec`` (centre, degrees), ``scale`` (arcsec), ``width``,
        ``height`` (pixels) and optionally ``rotation`` (position angle of the y axis, degrees east of north) and
        ``projection``.

    Returns
    -------
    TargetGrid

    Raises
    ------
    BadInputError
        If the file cannot be read, or drizzlepac cannot drizzle to its grid.
    """
    match = _EXTENSION.fullmatch(text) if not Path(text).exists() else None
    path, extension = (Path(match["path"]), match["extension"]) if match else (Path(text), None)
    try:
        grid = _described(path) if path.suffix.lower() in _DESCRIPTIONS else _grid_of_image(path, extension)
    except OSError as error:
        raise _refused(text, f"cannot be read ({error.strerror or str(error).splitlines()[0]})", "check it") from None
    height, width = grid.shape
    if height < 1 or width < 1:
        raise _refused(text, f"has a size of {width} x {height} pixels", "name an image with pixels")
    if height * width >= MOST_PIXELS:
        raise _refused(text, f"has {width} x {height} pixels, and drizzlepac makes less than 2^31", "make it smaller")
    if not (0 < grid.scale < math.inf) or not all(map(math.isfinite, (*grid.crpix, *grid.crval, *grid.cd))):
        raise _refused(text, "has an invalid WCS: its pixels have no size", "correct its CD matrix")
    if not grid.square:
        raise _refused(text, "has pixels that are not square", "name an image with square pixels")
    if not grid.distortion < _DISTORTION:
        cause = f"has pixels that are not square, or not of {grid.scale:.4g} arcsec, at its centre"
        raise _refused(text, cause, "name an image that is nearer to its reference position")
    return grid


def _refused(text: str, cause: str, next_step: str) -> BadInputError:
    return BadInputError([Problem(f"--grid {text}", cause, next_step)])


def _grid_of_image(path: Path, extension: str | None) -> TargetGrid:
    from astropy.io import fits
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            hdu = _image(hdus, path, extension)
            header = hdu.header
            if header["NAXIS"] not in (0, 2):
                raise _refused(str(path), f"has {header['NAXIS']} axes instead of 2", "name a two-dimensional image")
            try:
                wcs = WCS(header, fobj=hdus)
            except ValueError as error:
                cause = str(error).strip().splitlines()[-1].removesuffix(".")
                raise _refused(str(path), f"has an invalid WCS ({cause})", "correct it") from None
    if not wcs.has_celestial:
        raise _refused(f"{path}[{hdu.name}]", "has no celestial WCS", "name another extension: FILE[EXTENSION]")
    projection = _projection(wcs, str(path))
    (a, b), (c, d) = wcs.pixel_scale_matrix.tolist()
    x, y = wcs.wcs.crpix.tolist()
    ra, dec = wcs.wcs.crval.tolist()
    shape = int(header.get("NAXIS2", 0)), int(header.get("NAXIS1", 0))
    grid = TargetGrid(shape, (x, y), (ra, dec), (a, b, c, d), projection)
    plain = grid.wcs
    plain.wcs.set()
    wcs.wcs.set()
    for name in ("lonpole", "latpole"):
        found, usual = getattr(wcs.wcs, name), getattr(plain.wcs, name)
        if abs(found - usual) > _ROUNDING:
            cause = f"has {name.upper()} {found:g} instead of {usual:g}"
            raise _refused(str(path), cause, "put the rotation into its CD matrix")
    return grid


def _projection(wcs: WCS, text: str) -> str:
    """Return the code of the projection of an image; refuse those that drizzlepac cannot drizzle to."""
    axes: list[str] = [axis.removesuffix("-SIP") for axis in wcs.wcs.ctype]
    projection = axes[0][5:]
    if projection not in PROJECTIONS or axes != list(axis_types(projection)):
        raise _refused(
            text, f"has the axes {', '.join(wcs.wcs.ctype)}", f"name an image with RA, DEC and {', '.join(PROJECTIONS)}"
        )
    if wcs.sip is not None or wcs.cpdis1 is not None or wcs.det2im1 is not None:
        raise _refused(text, "has a distorted WCS", "name a drizzled or resampled image")
    if any(value for *_, value in wcs.wcs.get_pv()):
        raise _refused(text, f"has a projection {projection} with PV parameters", "resample it without them")
    if wcs.wcs.radesys.startswith("FK4") or (wcs.wcs.radesys != "ICRS" and wcs.wcs.equinox < _EQUINOX):
        raise _refused(text, f"has coordinates of {wcs.wcs.equinox:g}", "name an image with ICRS or J2000 coordinates")
    return projection


def _image(hdus: fits.HDUList, path: Path, extension: str | None) -> fits.ImageHDU:
    """Return an extension by number or name, or the first with two axes and a celestial WCS."""
    if extension is None:
        found = (hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] and "CTYPE1" in hdu.header)
        return next(found, next((hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"]), hdus[0]))
    name, _, number = extension.partition(",")
    key: Any = int(extension) if extension.isdigit() else (name, int(number)) if number.strip().isdigit() else name
    try:
        return hdus[key]
    except (KeyError, IndexError):
        known = ", ".join(hdu.name or str(place) for place, hdu in enumerate(hdus))
        raise _refused(str(path), f"has no extension {extension}", f"use one of {known}") from None


def _described(path: Path) -> TargetGrid:
    raw = _load(path)
    try:
        ra, dec, scale = (float(raw[name]) for name in _DESCRIPTION[:3])
        width, height = (int(raw[name]) for name in _DESCRIPTION[3:])
        angle = math.radians(float(raw.get("rotation", 0.0)))
        projection = str(raw.get("projection", TANGENT)).upper()
    except KeyError as error:
        raise _refused(str(path), f"has no {error.args[0]}", f"give {', '.join(_DESCRIPTION)}") from None
    except (TypeError, ValueError) as error:
        raise _refused(str(path), f"has a value that is not a number ({error})", "correct it") from None
    if projection not in PROJECTIONS:
        raise _refused(str(path), f"has the projection {projection}", f"use one of {', '.join(PROJECTIONS)}")
    degrees = scale / 3600
    cosine, sine = degrees * math.cos(angle), degrees * math.sin(angle)
    cosine, sine, ra, dec = map(header_value, (cosine, sine, ra, dec))
    centre = (width + 1) / 2, (height + 1) / 2
    return TargetGrid((height, width), centre, (ra, dec), (-cosine, sine, sine, cosine), projection)


def _load(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".ecsv":
        from astropy.table import Table

        table = Table.read(path, format="ascii.ecsv")
        return {name: table[name][0] for name in table.colnames}
    if path.suffix.lower() == ".asdf":
        try:
            from asdf import open as open_asdf
        except ImportError:
            raise _refused(str(path), "needs the package asdf, which is not installed", "use JSON or TOML") from None
        with open_asdf(path) as file:
            return dict(file.tree)
    try:
        text = path.read_text(ENCODING)
        raw = json.loads(text) if text.lstrip()[:1] == "{" else tomllib.loads(text)
    except ValueError as error:
        raise _refused(str(path), f"is neither JSON, TOML nor ECSV ({error})", "correct it") from None
    return dict(raw)
