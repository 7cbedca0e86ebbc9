"""The list of all repairs, in the order in which a task applies them; `docs/drizzlepac.md` has the same table.

To add one, write a function that replaces an attribute of a library in the module of its stage, and add it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.store.task_names import Stage
from hstmosaic.tasks.boxes import prepare
from hstmosaic.tasks.exact import opened, replace, settings
from hstmosaic.tasks.upstream import (
    dependencies,
    drizzling,
    fitting,
    held_pixels,
    image_statistics,
    memory,
    parameters,
    screening,
    sky_matching,
    sky_overlaps,
    sky_pixels,
    source_finding,
    steps,
    user_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SLOW = "slow, not wrong: "
_DRIZZLEPAC = "drizzlepac 3.11.0"
_SKYPAC = "stsci.skypac 1.0.12"


@dataclass(frozen=True)
class Repair:
    """A change of a library in the process of a task."""

    function: Callable[..., Any]
    """Makes the change; a class whose `install` makes it."""
    fault: str
    """Fault without it, one clause."""
    upstream: str
    """The distribution at fault and the newest version that was looked at."""
    stages: tuple[Stage, ...]
    """Stages whose tasks need it."""
    caller: str = ""
    """File in ``tasks/`` that calls the function, for its arguments or its result; empty for `apply_repairs`."""

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def module(self) -> str:
        """Name of the function's module, below this package or below ``tasks``."""
        return self.function.__module__.removeprefix("hstmosaic.tasks.").removeprefix("upstream.")


REPAIRS = (
    Repair(
        dependencies.keep_paths_relative,
        "names of static masks become absolute; blanks, `[`, `$` and commas in such a path are misread",
        "stsci.tools 4.3.1",
        tuple(Stage),
        caller="zygote.py",
    ),
    Repair(
        screening.default_moving_target_flag,
        "headers without MTFLAG (ACS of 2002) raise KeyError",
        _DRIZZLEPAC,
        (Stage.SCREEN, Stage.FIND_SOURCES, Stage.ALIGN),
    ),
    Repair(
        screening.seed_guiding_check,
        "the guiding check samples without a seed: two verdicts on one file",
        _DRIZZLEPAC,
        (Stage.SCREEN,),
        caller="screen.py",
    ),
    Repair(
        screening.detect_sources_fast,
        _SLOW + "noise peaks are cut out one by one; same sources in a tenth of the time",
        "photutils 2.3.0",
        (Stage.SCREEN,),
    ),
    Repair(
        screening.find_lines_fast,
        _SLOW + "the guiding check smooths an image of ones, and sorts the image three times for its median",
        _DRIZZLEPAC,
        (Stage.SCREEN,),
    ),
    Repair(
        source_finding.remember_backgrounds,
        _SLOW + "background images are interpolated twice, and medians taken one by one",
        "photutils 2.3.0",
        (Stage.FIND_SOURCES,),
    ),
    Repair(
        source_finding.centre_narrow_stars,
        "stars of WFC3/IR are centred with errors of 30 mas, and the sky is not subtracted before",
        _DRIZZLEPAC,
        (Stage.FIND_SOURCES,),
    ),
    Repair(
        source_finding.expect_width,
        "the width of a star is that of the first bright peak, three times too large with a neighbour",
        _DRIZZLEPAC,
        (Stage.FIND_SOURCES,),
        caller="sources.py",
    ),
    Repair(
        fitting.name_multivisit_fits,
        "labels of fits have no MVM: a KeyError that is caught, and no alignment",
        _DRIZZLEPAC,
        (Stage.ALIGN,),
    ),
    Repair(
        drizzling.trust_screening,
        "exposures are judged again in every run; tasks of screening judged them once",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        drizzling.copy_without_mode,
        "copies of read-only exposures are read-only, and their headers cannot be updated",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        drizzling.exact_prefix,
        "a prefix with a final underscore loses two characters",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        drizzling.compute_footprints_once,
        _SLOW + "the same masks are painted for each use",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        drizzling.find_sbc_parameters,
        "parameters of ACS/SBC are looked up under a name that their index lacks: photons pass for cosmic rays",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        drizzling.reject_filled_pixels,
        "parameter set n1 accepts every DQ flag, also that of pixels without a number",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        dependencies.break_ties_in_order,
        "equal corners of S_REGION polygons are taken in the order of memory addresses",
        "simplify_polyline 0.1.0",
        (Stage.DRIZZLE,),
    ),
    Repair(
        memory.end_on_memory_error_in_sky,
        "a MemoryError during sky matching is caught, and each exposure's own sky is subtracted",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        sky_matching.clear_old_skies,
        "an exposure without overlap gets the sky that an earlier pipeline wrote into its header",
        _SKYPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        sky_overlaps.skip_distant_pairs,
        _SLOW + "sky matching intersects the outlines of all pairs of exposures",
        _SKYPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        sky_overlaps.skip_distant_points,
        _SLOW + "points far from an arc are compared with it in numbers of 60 digits",
        "spherical_geometry 1.3.5",
        (Stage.DRIZZLE,),
    ),
    Repair(
        sky_pixels.fill_polygons_fast,
        _SLOW + "overlaps are painted row by row",
        _SKYPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        sky_pixels.select_pixels_fast,
        _SLOW + "overlaps are found with masks of the size of a chip",
        _SKYPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        held_pixels.hold_few_pixels,
        "the pixels of all exposures of a layer are in memory, 170 MB for a full frame",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        image_statistics.compute_statistics_fast,
        _SLOW + "clipped statistics are computed pixel by pixel, and medians by sorting",
        "stsci.imagestats 1.8.4",
        (Stage.DRIZZLE,),
    ),
    Repair(
        replace.replace_slow_functions,
        _SLOW + "footprints, weights and S_REGION need arrays of the size of the mosaic (see Replaced functions)",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        opened.remember_file_types,
        _SLOW + "headers of all extensions are read to find out whether a file has any, each time it is opened",
        "stsci.tools 4.3.1",
        (Stage.DRIZZLE,),
    ),
    Repair(
        drizzling.weigh_by_time_fast,
        _SLOW + "masks are multiplied with exposure times in double precision",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
    ),
    Repair(
        settings.remember_settings,
        _SLOW + "settings are looked up and checked for each card of a header",
        "astropy 8.0.2",
        (Stage.DRIZZLE,),
    ),
    Repair(
        user_options.use_parameters,
        "mosaics accept no parameters of the user",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        user_options.use_grids,
        "mosaics are always cut out of a projection cell, never on a grid of the user",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        user_options.use_context,
        "mosaics have no context image; it is made on request",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        user_options.use_inverse_variances,
        "weights of the type ERR take errors of WFC3/IR for electrons: too large by the square of the exposure time",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        prepare.Recorder,
        _SLOW + "one call of the kernel drizzles a mosaic; recorded calls are repeated box by box",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        steps.record_steps,
        "some fallbacks leave no message; records of the steps show them, and pixels stay",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
    Repair(
        parameters.record_parameters,
        "products do not name the parameters that made them; the provenance does",
        _DRIZZLEPAC,
        (Stage.DRIZZLE,),
        caller="drizzle.py",
    ),
)


def apply_repairs(stage: Stage) -> None:
    """Apply the repairs of a stage that need no arguments, in the process of one task.

    Parameters
    ----------
    stage : Stage
        The stage of the task.
    """
    for repair in REPAIRS:
        if stage in repair.stages and not repair.caller:
            repair.function()
