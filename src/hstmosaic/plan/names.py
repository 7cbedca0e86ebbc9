"""Names of mosaics and their files, as ``make_custom_mosaic`` documents them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hstmosaic.errors import OptionError

if TYPE_CHECKING:
    from hstmosaic.plan.cells import ProjectionCell
    from hstmosaic.plan.tiles import Tiling

COARSE_DETECTORS = frozenset({"ir", "pc"})
"""Detectors whose layers have products on the coarse and the fine grid."""

SKY_CELL_TILES = "hst_skycell-*.fits"
"""Pattern of the names of sky cells that are cut out of mosaics with the default prefix."""

_PREFIX = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*")
_LONGEST_PREFIX = 160
"""File systems allow names of 255 letters; the rest is for what drizzlepac appends."""
_ALIGNED_COPY = re.compile(r".+_(?:coarse-)?all-.+_fl[ct]\.fits")


def is_aligned_copy(file_name: str) -> bool:
    """Return whether a file name is that of an aligned copy among the products of a run."""
    return _ALIGNED_COPY.fullmatch(file_name) is not None


def file_key(file_name: str) -> str:
    """Return the part of a file name by which drizzlepac identifies the exposures of a layer."""
    return file_name.split("_")[-2] if file_name.startswith("hst") else file_name[:8]


def default_prefix(cell: ProjectionCell) -> str:
    """Return the documented prefix of a mosaic on a projection cell.

    Parameters
    ----------
    cell : ProjectionCell
        The projection cell of the mosaic.

    Returns
    -------
    str
        ``hst-skycell-p<pppp>-ra<##>d<####>-dec<n|s><##>d<####>`` with the reference position in degrees to four
        decimals.
    """
    ra, dec = cell.center
    hemisphere = "s" if dec < 0 else "n"
    return f"hst-skycell-{cell.name}-ra{_degrees(ra)}-dec{hemisphere}{_degrees(abs(dec))}"


def grid_prefix(crval: tuple[float, float]) -> str:
    """Return the default prefix of mosaics on the grid of an image: ``hst-grid-ra<##>d<####>-dec<n|s><##>d<####>``.

    Parameters
    ----------
    crval : tuple of float
        Right ascension and declination of the grid's reference position, degrees.
    """
    ra, dec = crval
    return f"hst-grid-ra{_degrees(ra % 360)}-dec{'s' if dec < 0 else 'n'}{_degrees(abs(dec))}"


def tile_prefix(prefix: str, cell: ProjectionCell, tiling: Tiling) -> str:
    """Return what stands before the name of a tile in file names.

    Sky cells of mosaics with the default prefix are named like those of drizzlepac's multi-visit mosaics:
    ``hst_skycell-p<pppp>x<xx>y<yy>_<instrument>_<detector>_<filter>_all_drc.fits``.

    Parameters
    ----------
    prefix : str
        Prefix of the mosaics.
    cell : ProjectionCell
        Their projection cell.
    tiling : Tiling
        Their tiles.
    """
    return "hst" if tiling.size is None and prefix == default_prefix(cell) else prefix


def _degrees(value: float) -> str:
    return f"{value:.4f}".replace(".", "d")


def check_prefix(prefix: str) -> str:
    """Return a valid prefix unchanged.

    Raises
    ------
    OptionError
        If it is empty or too long, begins with a dash or dot, or contains characters that drizzlepac interprets as
        patterns, lists or variables.
    """
    if not _PREFIX.fullmatch(prefix):
        raise OptionError(
            f"the prefix {prefix!r} cannot begin a file name",
            "use unaccented letters, digits, and _ + - . (no dash or dot first); set the folder with --output-dir",
        )
    if len(prefix) > _LONGEST_PREFIX:
        raise OptionError(
            f"the prefix {prefix[:20]}... cannot begin a file name: it is {len(prefix)} letters long",
            f"use {_LONGEST_PREFIX} at most",
        )
    return prefix


def product_stem(prefix: str, instrument: str, detector: str, filter_name: str, *, coarse: bool) -> str:
    """Return the name of a product without its ending, e.g. ``<prefix>_wfc3_ir_f160w_coarse-all``."""
    return "_".join([prefix, instrument, detector, filter_name, "coarse-all" if coarse else "all"])


def product_name(stem: str, filetype: str) -> str:
    """Return the file name of a drizzled product of ``flt`` or ``flc`` exposures."""
    return f"{stem}_{'drc' if filetype == 'flc' else 'drz'}.fits"


def tile_index_name(prefix: str) -> str:
    """Return the file name of the table of a mosaic's tiles."""
    return f"{prefix}_tiles.ecsv"


def tile_regions_name(prefix: str) -> str:
    """Return the file name of the DS9 regions of a mosaic's tiles."""
    return f"{prefix}_tiles.reg"


def trailer_name(stem: str) -> str:
    """Return the file name of a product's trailer."""
    return f"{stem}_trl.txt"


def manifest_name(prefix: str) -> str:
    """Return the file name of a mosaic's manifest."""
    return f"{prefix}_manifest.txt"


def provenance_name(prefix: str) -> str:
    """Return the file name of a mosaic's provenance."""
    return f"{prefix}_provenance.json"


def json_manifest_name(prefix: str) -> str:
    """Return the file name of a mosaic's JSON manifest."""
    return f"{prefix}_manifest.json"


def report_name(prefix: str) -> str:
    """Return the file name of a run's report."""
    return f"{prefix}_report.html"
