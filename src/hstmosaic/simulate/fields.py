"""A field: several exposures of one scene, written to a directory together with the truth."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from hstmosaic.errors import HstMosaicError, OutputError
from hstmosaic.simulate.attitude import Pointing, PointingError
from hstmosaic.simulate.exposure_plan import ExposurePlan, Naming
from hstmosaic.simulate.exposures import simulate_exposure
from hstmosaic.simulate.instruments import camera, cut
from hstmosaic.simulate.scene import Scene, make_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from hstmosaic.simulate.instruments import Corner

LIST_NAME = "list.txt"
TRUTH_NAME = "truth.ecsv"
POINTINGS_NAME = "pointings.ecsv"
PART = ".part"
"""Ending of incomplete files."""

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_OVERHEAD = 120.0
"""Seconds between exposures."""


@dataclass(frozen=True)
class Visit:
    """Exposures with one camera through one filter that share their pointing error."""

    camera: str
    """``acs_wfc``, ``acs_hrc``, ``acs_sbc``, ``wfc3_uvis`` or ``wfc3_ir``."""
    filter: str
    exposures: int = 2
    exptime: float = 500.0
    """Seconds per exposure."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Offset (arcsec along the image axes) from the pointing of the field."""
    turn: float = 0.0
    """Degrees added to the orientation of the field."""
    error: PointingError = field(default_factory=PointingError)
    subarray: tuple[int, int] | None = None
    """Rows and columns to read out of one chip; None for the whole detector."""
    extver: int = 1
    """SCI extension, in the full frame, of the chip of a subarray."""
    corner: Corner = "center"
    """Position of a subarray on its chip."""
    skies: tuple[float, ...] = ()
    """Sky background of each exposure, in units of the filter's; 1 for exposures without one."""


@dataclass(frozen=True)
class Field:
    """Exposures of one scene."""

    name: str
    exposures: tuple[ExposurePlan, ...]
    scene: Scene


def build_field(
    name: str,
    pointing: Pointing,
    visits: Sequence[Visit],
    *,
    scene: Scene | None = None,
    dither: float = 2.5,
    seed: int = 1,
    proposal: int = 12546,
    program: str = "cab",
    naming: Naming = "pipeline",
    cosmic_rays: float = 0.05,
    trailed: Collection[int] = (),
    density: float = 60.0,
    galaxies: int = 20,
) -> Field:
    """Plan a field: visits around one pointing, dithered within each visit.

    Parameters
    ----------
    name : str
        Name of the field.
    pointing : Pointing
        True pointing of exposures without offset and dither.
    visits : sequence of Visit
        Numbered from 1 in root names.
    scene : Scene, optional
        Sources on the sky. By default a star field large enough for all exposures is drawn.
    dither : float
        Distance in arcsec between the first two exposures of a visit; the others follow on a spiral.
    seed : int
        The same seed (and the other arguments) gives the same files, byte for byte.
    proposal : int
        Proposal number.
    program : str
        Three characters for the proposal in root names.
    naming : str
        ``pipeline`` or ``single-visit`` file names.
    cosmic_rays : float
        Cosmic rays per second and million pixels.
    trailed : collection of int
        Indices (from 0, over the whole field) of exposures with lost guiding.
    density, galaxies : float, int
        Passed to `make_scene` for the default scene.

    Raises
    ------
    HstMosaicError
        If there is no exposure, or a value in a visit is not usable.
    """
    plans: list[ExposurePlan] = []
    for visit_number, visit in enumerate(visits, start=1):
        instrument = camera(visit.camera)
        if visit.subarray is not None:
            instrument = cut(instrument, visit.subarray, extver=visit.extver, corner=visit.corner)
        aim = Pointing(pointing.ra, pointing.dec, pointing.orient + visit.turn)
        for k in range(visit.exposures):
            index = len(plans)
            step, angle = dither * np.sqrt(k), _GOLDEN_ANGLE * k + 0.3
            dx, dy = visit.offset[0] + step * np.cos(angle), visit.offset[1] + step * np.sin(angle)
            plans.append(ExposurePlan(
                camera=instrument, filter=visit.filter, exptime=visit.exptime,
                pointing=aim.dithered(dx, dy), error=visit.error,
                visit=visit_number, number=k + 1, proposal=proposal, program=program, naming=naming,
                start=round(56000 + 0.5 * visit_number + k * (visit.exptime + _OVERHEAD) / 86400, 8),
                seed=(seed, index), trail=90.0 if index in trailed else 0.0, cosmic_rays=cosmic_rays,
                sky=visit.skies[k] if k < len(visit.skies) else 1.0,
            ))  # fmt: skip
    if not plans:
        raise HstMosaicError(f"field {name} has no exposures")
    if scene is None:
        reach = max(np.hypot(*visit.offset) + _spread(visit.exposures) * abs(dither) for visit in visits)
        corner = max(_half_diagonal(plan) for plan in plans)
        radius = (reach + corner) / 60
        scene = make_scene(pointing.ra, pointing.dec, float(radius), density=density, galaxies=galaxies, seed=seed)
    return Field(name, tuple(plans), scene)


def simulate_field(
    field: Field, directory: Path, progress: Callable[[int, int, str], object] | None = None
) -> list[Path]:
    """Write the exposures of a field, their list and the truth.

    Files appear under their names only when they are complete. Besides the exposures, the directory
    gets ``list.txt`` (file names, one a line), ``truth.ecsv`` (sources, see `Scene.truth`) and
    ``pointings.ecsv`` (true pointing, pointing in the header and pointing error per exposure).

    Parameters
    ----------
    field : Field
        The field.
    directory : Path
        Output directory; made if it does not exist.
    progress : callable, optional
        Called with number done, number of all and file name after each exposure.

    Returns
    -------
    list of Path
        The exposures, in the order of the field.

    Raises
    ------
    HstMosaicError
        If two exposures have the same file name.
    OutputError
        If the directory cannot be made or written to.
    """
    names = [plan.filename for plan in field.exposures]
    if len(set(names)) != len(names):
        raise HstMosaicError(f"field {field.name} has two exposures of one name")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory} cannot be made: {error.strerror}", "choose another directory") from error
    for done, plan in enumerate(field.exposures, start=1):
        with simulate_exposure(plan, field.scene) as hdus, _written_atomically(directory / plan.filename) as part:
            hdus.writeto(part, overwrite=True)
        if progress is not None:
            progress(done, len(names), plan.filename)
    filters = {(plan.camera.name, plan.filter): (plan.camera, plan.filter) for plan in field.exposures}
    for table, name in ((field.scene.truth(filters.values()), TRUTH_NAME), (pointings(field), POINTINGS_NAME)):
        with _written_atomically(directory / name) as part:
            table.write(part, format="ascii.ecsv", overwrite=True)
    with _written_atomically(directory / LIST_NAME) as part:
        part.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return [directory / name for name in names]


def check_folder(directory: Path, field: Field) -> None:
    """Check that a folder may get the exposures of a field: it is new, empty, or was made by `simulate_field`.

    Parameters
    ----------
    directory : Path
        The folder.
    field : Field
        The field.

    Raises
    ------
    OutputError
        If it contains other files, or a list that `simulate_field` did not write.
    """
    if not directory.is_dir():
        return
    present = {path.name.removesuffix(PART) for path in directory.iterdir()}
    if POINTINGS_NAME not in present:
        # a simulation that was interrupted has left only exposures
        foreign = sorted(present - {plan.filename for plan in field.exposures} - {TRUTH_NAME})
    else:
        simulated = list(Table.read(directory / POINTINGS_NAME, format="ascii.ecsv")["filename"])
        names = directory / LIST_NAME
        foreign = [LIST_NAME] if names.is_file() and names.read_text("utf-8").split() != simulated else []
    if foreign:
        raise OutputError(
            f"{directory} contains {foreign[0]}, which hstmosaic simulate did not write", "choose another directory"
        )


def pointings(field: Field) -> Table:
    """Return a table of pointings: per exposure the true one, the one in the header, and the error.

    Angles ``ra``, ``dec``, ``orient``, ``header_*`` and ``roll`` are in degrees, ``dra`` and ``ddec`` in
    arcsec on the sky; ``trail`` is in pixels, ``sky`` in electrons per second and pixel.
    """
    rows = []
    for plan in field.exposures:
        true, header, error = plan.pointing, plan.header_pointing, plan.error
        rows.append({
            "filename": plan.filename, "camera": plan.camera.name, "filter": plan.filter, "visit": plan.visit,
            "exptime": plan.exptime, "ra": true.ra, "dec": true.dec, "orient": true.orient,
            "header_ra": header.ra, "header_dec": header.dec, "header_orient": header.orient,
            "dra": error.dra, "ddec": error.ddec, "roll": error.roll, "trail": plan.trail,
            "sky": plan.sky * plan.camera.filter(plan.filter).sky,
        })  # fmt: skip
    return Table(rows=rows, meta={"field": field.name})


@contextmanager
def _written_atomically(path: Path) -> Iterator[Path]:
    """Yield a name to write to, and rename it to `path` at the end; an incomplete file is removed."""
    part = path.with_name(path.name + PART)
    try:
        yield part
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        cause = error.strerror or str(error).splitlines()[0]
        raise OutputError(f"{path} cannot be written: {cause}", "choose another directory") from error


def _spread(exposures: int) -> float:
    """Return the distance of the last exposure of a visit from its pointing in dither steps, at least 3."""
    return max(3.0, float(np.sqrt(max(exposures - 1, 0))))


def _half_diagonal(plan: ExposurePlan) -> float:
    """Return half the diagonal of an exposure in arcsec, a little too large rather than too small."""
    chips = plan.camera.chips
    linear = chips[0].linear
    height, width = sum(chip.shape[0] for chip in chips) + 60, chips[0].shape[1]
    skewed = abs(linear["OCY10"]) * height + abs(linear["OCY11"]) * width
    drizzled = linear["IDCSCALE"] * np.hypot(height, width) * 1.05  # pixels of ACS/SBC are larger than those
    return float(max(drizzled, np.hypot(linear["OCX11"] * width, skewed)) / 2 + 2)
