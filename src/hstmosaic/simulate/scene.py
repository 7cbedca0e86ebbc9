"""The sky that exposures look at: stars and galaxies, with their true positions and fluxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from hstmosaic.errors import HstMosaicError
from hstmosaic.simulate.attitude import sky_positions, sky_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from hstmosaic.simulate.instruments import Camera, Filter

    Array = NDArray[np.float64]

_REFERENCE_WAVELENGTH = 6000.0


@dataclass(frozen=True)
class ExtendedGalaxy:
    """A round exponential disc, much wider than a pixel; its spectrum is flat in wavelength."""

    ra: float
    """Right ascension (ICRS) in degrees."""
    dec: float
    """Declination (ICRS) in degrees."""
    brightness: float
    """Surface brightness of its centre, ST magnitudes per square arcsec."""
    scale: float
    """Radius in arcsec at which its surface brightness is 1/e of the centre's."""

    def rate(self, distance: Array, facts: Filter) -> Array:
        """Return electrons per second and square arcsec at a distance (arcsec) from its centre."""
        centre = 10 ** (-0.4 * (self.brightness + 21.1)) / facts.photflam
        return np.asarray(centre * np.exp(-distance / self.scale))


@dataclass(frozen=True, eq=False)
class Scene:
    """Sources on the sky; all arrays have the same length.

    A source has a power-law spectrum, f_lambda = f0 (lambda / 6000 A)**slope with f0 from its ST
    magnitude at 6000 A, so that its flux follows from the photometric keywords in any filter.
    """

    ra: Array
    """Right ascension (ICRS) in degrees."""
    dec: Array
    """Declination (ICRS) in degrees."""
    magnitude: Array
    """ST magnitude at 6000 Angstrom."""
    slope: Array
    """Index of the power law of the spectrum."""
    radius: Array
    """Gaussian sigma along the major axis in arcsec; 0 for stars."""
    axis_ratio: Array
    """Minor over major axis."""
    angle: Array
    """Position angle of the major axis in degrees from north to east."""
    extended: tuple[ExtendedGalaxy, ...] = ()
    """Galaxies with a surface brightness of their own, which are not in the table of the truth."""

    def __post_init__(self) -> None:
        if len({np.shape(value) for name, value in vars(self).items() if name != "extended"}) != 1:
            raise HstMosaicError("the columns of a scene differ in length")

    def __len__(self) -> int:
        return len(self.ra)

    def flux(self, facts: Filter) -> Array:
        """Return the total flux of every source in one filter, in electrons per second."""
        at_reference = 10 ** (-0.4 * (self.magnitude + 21.1))
        colour = (facts.pivot / _REFERENCE_WAVELENGTH) ** self.slope
        return np.asarray(at_reference * colour / facts.photflam)

    def truth(self, filters: Iterable[tuple[Camera, str]]) -> Table:
        """Return the truth: one row per source, one flux column per camera and filter.

        Flux columns are called ``flux_<camera>_<filter>``, for example ``flux_wfc3_uvis_f606w``, and
        are in electrons per second.
        """
        table = Table(meta={"frame": "ICRS", "made_by": "hstmosaic.simulate"})
        table["id"] = np.arange(1, len(self) + 1)
        table["kind"] = np.where(self.radius > 0, "galaxy", "star")
        for name, unit in (("ra", "deg"), ("dec", "deg"), ("magnitude", "mag(ST)"), ("slope", None),
                           ("radius", "arcsec"), ("axis_ratio", None), ("angle", "deg")):  # fmt: skip
            table[name] = getattr(self, name)
            table[name].unit = unit
        for camera, name in filters:
            column = f"flux_{camera.name}_{name.lower()}"
            table[column] = self.flux(camera.filter(name))
            table[column].unit = "electron / s"
        return table


def make_scene(
    ra: float,
    dec: float,
    radius: float,
    *,
    density: float = 60.0,
    galaxies: int = 20,
    magnitudes: tuple[float, float] = (20.0, 25.5),
    seed: int = 1,
) -> Scene:
    """Draw stars and galaxies uniformly in a disc on the sky.

    Parameters
    ----------
    ra, dec : float
        Centre of the disc in degrees.
    radius : float
        Radius of the disc in arcmin.
    density : float
        Stars per square arcmin.
    galaxies : int
        Number of galaxies per 10 square arcmin.
    magnitudes : tuple of float
        Brightest and faintest ST magnitude of stars; their number grows as 10**(0.2 magnitude).
    seed : int
        The same seed gives the same scene.

    Raises
    ------
    HstMosaicError
        If the radius, the density or the number of galaxies is not usable.
    """
    if not (0 < radius < 60 * 60) or density < 0 or galaxies < 0:
        raise HstMosaicError(f"no scene with radius {radius}', density {density} and {galaxies} galaxies")
    rng = np.random.default_rng([seed, 1])
    area = np.pi * radius**2
    n_stars, n_galaxies = round(density * area), round(galaxies * area / 10)
    total = n_stars + n_galaxies
    positions = _disc(rng, ra, dec, radius, total)
    brightest, faintest = magnitudes
    grow = rng.random(n_stars)
    stars = 5 * np.log10(10 ** (0.2 * brightest) * (1 - grow) + 10 ** (0.2 * faintest) * grow)
    star = np.arange(total) < n_stars
    return Scene(
        ra=positions[0],
        dec=positions[1],
        magnitude=np.concatenate([stars, rng.uniform(brightest - 0.5, faintest - 2.5, n_galaxies)]),
        slope=np.where(star, rng.uniform(-2.5, 0.8, total), rng.uniform(-1.2, 1.0, total)),
        radius=np.where(star, 0.0, rng.lognormal(np.log(0.3), 0.5, total)),
        axis_ratio=np.where(star, 1.0, rng.uniform(0.3, 1.0, total)),
        angle=np.where(star, 0.0, rng.uniform(0.0, 180.0, total)),
    )


def _disc(rng: np.random.Generator, ra: float, dec: float, radius: float, count: int) -> tuple[Array, Array]:
    """Return positions drawn uniformly in a cap of `radius` arcmin."""
    edge = np.cos(np.deg2rad(radius / 60))
    height = rng.uniform(edge, 1.0, count)
    angle = rng.uniform(0.0, 2 * np.pi, count)
    across = np.sqrt(1 - height**2)
    lon, lat = np.deg2rad([ra, dec])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    aim = sky_vectors(np.asarray(ra), np.asarray(dec))
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    spread = np.outer(np.cos(angle) * across, east) + np.outer(np.sin(angle) * across, north)
    return sky_positions(np.outer(height, aim) + spread)
