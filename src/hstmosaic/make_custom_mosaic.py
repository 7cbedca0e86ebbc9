"""The documented functions of ``drizzlepac.make_custom_mosaic``, name by name.

A script changes one import line::

    from hstmosaic import make_custom_mosaic

    make_custom_mosaic.perform("list.txt", skip_gaia_alignment=True)

Products go to the current directory.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.errors import NO_CURRENT_DIRECTORY, BadInputError, ExitCode, HstMosaicError, Problem
from hstmosaic.plan.cells import SkyCell, load_sky_grid
from hstmosaic.plan.exposures import Exposure, read_exposures
from hstmosaic.plan.inputs import InputFile, NoInputError, find_inputs
from hstmosaic.plan.limits import mosaic_limits
from hstmosaic.plan.pollers import poller_text
from hstmosaic.plan.sky import choose_projection_cell, corner_sky_cell, find_sky_cells, sky_cell_distance
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstmosaic.store.events import Event

log = logging.getLogger(__name__)

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


def calc_skycell_dist(x: int, y: int, x_ref: int, y_ref: int) -> float:
    """Calculate the distance from one sky cell to another.

    Parameters
    ----------
    x, y : int
        Sky cell indices.
    x_ref, y_ref : int
        Indices of the reference sky cell.

    Returns
    -------
    float
        Distance in sky cells.
    """
    return sky_cell_distance(x, y, x_ref, y_ref)


def create_input_image_list(user_input: str) -> list[str]:
    """Create the list of input images from a search pattern or a text file.

    Parameters
    ----------
    user_input : str
        Search pattern, or name of a text file with one image a line.

    Returns
    -------
    list of str
        Images to process: as they are written where that names them from the current directory, else absolute paths.
        Empty if the pattern matches nothing or the text file names nothing.

    Raises
    ------
    BadInputError
        If the text file cannot be read, or names images that do not exist.
    """
    try:
        found, missing = find_inputs(user_input)
    except NoInputError as error:
        log.warning("%s", error.problems[0])
        return []
    if missing:
        raise BadInputError(missing)
    given = [item for item in found if not item.made_by_run]
    names = [item.written if Path(item.written).absolute() == item.path else str(item.path) for item in given]
    log.info("Found %d input image%s for %s:", len(names), "" if len(names) == 1 else "s", user_input)
    for name in names:
        log.info("%s", name)
    return names


def determine_projection_cell(img_list: Sequence[str]) -> dict[str, SkyCell]:
    """Determine the projection cell whose centre is closest to the observations.

    Parameters
    ----------
    img_list : sequence of str
        Images to process.

    Returns
    -------
    dict of str to SkyCell
        By name, the sky cells of that projection cell which the images overlap. Each has ``sky_cell_id``, ``x_index``,
        ``y_index``, ``wcs``, ``corners``, ``members``, ``overlap``, ``nxy``, ``scale`` and ``projection_cell`` (with
        ``cell_id``, ``band_index``, ``wcs``, ``footprint``, ``corners``) as drizzlepac's have them.

    Raises
    ------
    BadInputError
        If an image cannot be read, or none has a WCS, or none is named.
    HstMosaicError
        If none lies on a projection cell.

    Notes
    -----
    Images without a WCS, in which nothing was exposed, do not count.
    """
    if not img_list:
        raise BadInputError([Problem("the list of images", "it is empty", "name images")])
    exposures = [exposure for exposure in _read(img_list) if exposure.chips]
    if not exposures:
        raise BadInputError([Problem(name, "nothing was exposed in it", "name other images") for name in img_list])
    found = find_sky_cells(exposures, load_sky_grid())
    if not found:
        raise HstMosaicError("no projection cell holds the images", "check their WCS")
    choice = choose_projection_cell(found)
    where = "only a single projection cell" if len(choice.distances) == 1 else "multiple projection cells"
    log.info("Observations are present in %s.", where)
    log.info("Output WCS will be based on WCS from projection cell %s", choice.cell.name)
    given = {Path(name).name: name for name in img_list}
    return {
        name: replace(cell, members=[given[member] for member in cell.members])
        for name, cell in choice.sky_cells.items()
    }


def compute_mosaic_limits(proj_cell_dict: Mapping[str, SkyCell]) -> list[int]:
    """Compute the limits of the rectangle that encloses the observations.

    Parameters
    ----------
    proj_cell_dict : mapping of str to SkyCell
        As `determine_projection_cell` returns it.

    Returns
    -------
    list of int
        X minimum and maximum, Y minimum and maximum, pixels of the projection cell.
    """
    names = [cell.sky_cell_id for cell in proj_cell_dict.values()]
    limits, clipped = mosaic_limits({name: SkyCell.from_name(name) for name in names})
    for side in clipped:
        log.warning("The mosaic reaches beyond its projection cell; %s is clipped there", side)
    return limits.as_list()


def create_poller_file(img_list: Sequence[str], proj_cell_dict: Mapping[str, SkyCell]) -> str:
    """Create a multi-visit poller in the current directory.

    Parameters
    ----------
    img_list : sequence of str
        Images to process.
    proj_cell_dict : mapping of str to SkyCell
        As `determine_projection_cell` returns it.

    Returns
    -------
    str
        Name of the poller.

    Raises
    ------
    BadInputError
        If an image cannot be read, or has a comma or a bar in its path, which nobody could read in a poller.
    """
    exposures = _read(img_list)
    separators = [e for e in exposures if set(str(e.path)) & set(",|")]
    if separators:
        cause = "its path has a comma or a bar, which drizzlepac takes for the end of a column"
        raise BadInputError([Problem(str(e.path), cause, "rename the folder, or link it") for e in separators])
    name = corner_sky_cell(proj_cell_dict).sky_cell_id
    poller = Path(f"temp_{name}_mvm.out")
    poller.write_bytes(os.fsencode(poller_text(exposures, name)))
    return str(poller)


def perform(
    input_image_source: str,
    log_level: str = "info",
    output_file_prefix: str | None = None,
    skip_gaia_alignment: bool = False,
    *,
    replace: bool = False,
) -> int:
    """Make the mosaics.

    Parameters
    ----------
    input_image_source : str
        Search pattern, or name of a text file with one image a line.
    log_level : {'critical', 'error', 'warning', 'info', 'debug'}
        Level of messages on the screen and in the trailers.
    output_file_prefix : str, optional
        Begin product names with it instead of the documented default.
    skip_gaia_alignment : bool
        Use the alignment that the images have.
    replace : bool
        Replace the products of another run (other images, options or grid) with the same prefix, as drizzlepac does;
        else that is an error. drizzlepac does not have this parameter.

    Returns
    -------
    int
        0 if every product was made, else 1.
    """
    if log_level not in LOG_LEVELS:
        log.critical("invalid log level %r; use one of %s", log_level, ", ".join(LOG_LEVELS))
        return 1
    log.setLevel(log_level.upper())
    if not log.hasHandlers():
        log.addHandler(logging.StreamHandler(sys.stdout))
    try:
        output = Path.cwd()
    except FileNotFoundError:
        log.critical("%s", NO_CURRENT_DIRECTORY)
        return 1
    options = RunOptions(
        source=input_image_source,
        prefix=output_file_prefix,
        skip_alignment=skip_gaia_alignment,
        log_level=log_level,
        output=output,
        replace=replace,
    )
    try:
        outcome = run_mosaic(options, _log_event)
    except HstMosaicError as error:
        log.critical("%s", error)
        return 1
    except Exception:
        log.critical("the run ended with an error that it should not have", exc_info=True)
        return 1
    return 0 if outcome.exit_code is ExitCode.OK else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: ``[-l LEVEL] [-o PREFIX] [-s] [--replace] INPUT``.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line arguments; those of the process when None.

    Returns
    -------
    int
        What `perform` returns.
    """
    parser = argparse.ArgumentParser(
        prog="python -m hstmosaic.make_custom_mosaic",
        description="Make one seamless mosaic per filter out of calibrated Hubble exposures, in the current directory.",
        epilog='example: python -m hstmosaic.make_custom_mosaic -s -o goods-south "*_flc.fits"',
    )
    parser.add_argument(
        "input_image_source", help="search pattern in quotes, or name of a text file with a list of images"
    )
    parser.add_argument("-l", "--log_level", default="info", choices=LOG_LEVELS, help="level of messages")
    parser.add_argument("-o", "--output_file_prefix", help="begin product names with this text")
    parser.add_argument(
        "-s", "--skip_gaia_alignment", action="store_true", help="use the alignment that the images have"
    )
    parser.add_argument("--replace", action="store_true", help="replace the products of another run in this directory")
    given = parser.parse_args(arguments)
    return perform(
        given.input_image_source,
        log_level=given.log_level,
        output_file_prefix=given.output_file_prefix,
        skip_gaia_alignment=given.skip_gaia_alignment,
        replace=given.replace,
    )


def _read(img_list: Sequence[str]) -> list[Exposure]:
    exposures, problems = read_exposures(InputFile(name, Path(name).absolute()) for name in img_list)
    if problems:
        raise BadInputError(problems)
    return exposures


def _log_event(event: Event) -> None:
    log.log(getattr(logging, event.level.upper()), "%s", event.message)


if __name__ == "__main__":
    sys.exit(main())
