"""Records of the processing steps that AstroDrizzle took, made while it runs; they show fallbacks without messages."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io import fits
from drizzlepac import adrizzle, astrodrizzle, sky
from scipy.sparse.csgraph import connected_components
from stsci.skypac import skymatch

from hstmosaic.store.task_specs import TaskWarning
from hstmosaic.tasks.upstream.sky_matching import clear_old_sky

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

DRIZZLE, SKY_MATCHING, STATIC_MASK = "drizzle", "sky matching", "static mask"
"""Processing steps, as `TaskWarning` names them."""
_MATCH = "match"


@dataclass(frozen=True)
class Chip:
    """One chip of an exposure's working copy, and the sky that is subtracted from it."""

    file: str
    extver: int
    sky: float


@dataclass
class SkyMatching:
    """One determination of skies."""

    images: tuple[str, ...]
    """Working copies, in the order in which they were matched."""
    method: str
    errors: list[str] = field(default_factory=list)
    """Exceptions that `drizzlepac.sky` caught."""
    groups: list[tuple[str, ...]] = field(default_factory=list)
    """Exposures that are connected by overlaps."""
    blank: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of exposures that overlap where one of them has no good pixel."""
    chips: tuple[Chip, ...] = ()

    def warnings(self) -> list[TaskWarning]:
        """Return the fallbacks."""
        if self.errors:
            failed = f"sky matching failed ({'; '.join(self.errors)}): each exposure's own sky was subtracted"
            return [TaskWarning(SKY_MATCHING, failed)]
        if _MATCH not in self.method or len(self.images) == 1:
            return [TaskWarning(SKY_MATCHING, f"the skies of {_named(self.images)} were not matched")]
        lost = [chip.file for chip in self.chips if not math.isfinite(chip.sky)]
        if lost:
            return [TaskWarning(SKY_MATCHING, f"the sky of {_named(lost)} is not a number")]
        found = [
            TaskWarning(SKY_MATCHING, f"the skies of {_named(pair)} were not matched: their overlap has no good pixel")
            for pair in self.blank
            if not any(set(pair) <= set(group) for group in self.groups)
        ]
        if not found and len(self.groups) > 1:
            groups = "; ".join(_group(group) for group in self.groups)
            message = f"skies were matched within {len(self.groups)} groups that do not overlap ({groups})"
            found.append(TaskWarning(SKY_MATCHING, message, strict=False))
        return found


def _named(copies: Iterable[str]) -> str:
    """Name the exposures of working copies, which are called ``<product>-<exposure>_flc.fits``."""
    return ", ".join(copy.rpartition("-")[2] for copy in copies)


def _group(copies: Sequence[str]) -> str:
    return _named(copies[:1]) + (f" and {len(copies) - 1} more" if len(copies) > 1 else "")


@dataclass
class Steps:
    """Processing steps of all mosaics of a task."""

    skies: list[SkyMatching] = field(default_factory=list)
    masks: int = 0
    """Static masks that were applied to chips."""
    lost_masks: list[str] = field(default_factory=list)
    """Static masks that were missing when they were to be applied."""
    lost_chips: list[str] = field(default_factory=list)
    """Chips that were not drizzled."""

    def warnings(self) -> tuple[TaskWarning, ...]:
        """Return the fallbacks, each once."""
        found = [warning for matching in self.skies for warning in matching.warnings()]
        if self.lost_masks:
            found.append(TaskWarning(STATIC_MASK, f"static masks were missing: {', '.join(self.lost_masks)}"))
        if self.lost_chips:
            found.append(TaskWarning(DRIZZLE, f"chips were not drizzled: {_named(self.lost_chips)}"))
        return tuple(dict.fromkeys(found))


def watch_steps() -> Steps:
    """Record the steps that AstroDrizzle takes; pixels change only where `clear_old_sky` says so.

    Returns
    -------
    Steps
        Filled while AstroDrizzle runs.
    """
    steps = Steps()
    _watch_skies(steps)
    _watch_masks(steps)
    _watch_chips(steps)
    return steps


def _watch_skies(steps: Steps) -> None:
    determine, match = sky._skymatch, sky.skymatch
    overlaps, solve = skymatch._overlap_matrix, skymatch._find_optimum_sky_deltas
    compare = skymatch._calc_sky
    solved: list[np.ndarray] = []

    @functools.wraps(determine)
    def determine_and_record(images: Sequence[Any], parameters: Any, *args: Any) -> None:
        solved.clear()
        record = SkyMatching(tuple(image._filename for image in images), parameters["skymethod"])
        steps.skies.append(record)
        determine(images, parameters, *args)
        if solved and not record.errors:
            clear_old_sky(images, solved[-1])
        record.chips = tuple(
            Chip(image._filename, extver, float(image[image.scienceExt, extver].computedSky))
            for image in images
            for extver in range(1, image._numchips + 1)
        )

    @functools.wraps(match)
    def match_and_record(*args: Any, **options: Any) -> Any:
        try:
            return match(*args, **options)
        except Exception as error:
            steps.skies[-1].errors.append(f"{type(error).__name__}: {error}")
            raise

    @functools.wraps(compare)
    def compare_and_record(first: Any, second: Any, statistics: Any) -> Any:
        found = compare(first, second, statistics)
        if found[-1] > 0 and found[0] is None:
            steps.skies[-1].blank.append((first.members[0].basefname, second.members[0].basefname))
        return found

    @functools.wraps(overlaps)
    def overlaps_and_record(*args: Any) -> Any:
        values, weights = overlaps(*args)
        count, group = connected_components((weights > 0) & (weights.T > 0), directed=False)
        images = steps.skies[-1].images
        steps.skies[-1].groups = [
            tuple(image for image, number in zip(images, group, strict=True) if number == wanted)
            for wanted in range(count)
        ]
        return values, weights

    @functools.wraps(solve)
    def solve_and_record(*args: Any) -> Any:
        solved.append(solve(*args))
        return solved[-1].copy()

    sky._skymatch, sky.skymatch = determine_and_record, match_and_record
    skymatch._overlap_matrix, skymatch._find_optimum_sky_deltas = overlaps_and_record, solve_and_record
    skymatch._calc_sky = compare_and_record


def _watch_masks(steps: Steps) -> None:
    merge = adrizzle.mergeDQarray

    @functools.wraps(merge)
    def merge_and_record(name: Any, quality: Any) -> None:
        if isinstance(name, str) and name.endswith("_staticMask.fits"):
            if Path(name).exists():
                steps.masks += 1
            else:
                steps.lost_masks.append(Path(name).name)
        merge(name, quality)

    adrizzle.mergeDQarray = merge_and_record


def _watch_chips(steps: Steps) -> None:
    drizzle = astrodrizzle.AstroDrizzle

    @functools.wraps(drizzle)
    def drizzle_and_record(*args: Any, **options: Any) -> Any:
        wanted = [chip for name in options["input"] for chip in _chips(Path(name))]
        made = drizzle(*args, **options)
        if Path(options["output"]).is_file():
            drizzled = set(fits.getheader(options["output"])["D*DATA"].values())
            steps.lost_chips += [chip for chip in wanted if chip not in drizzled]
        return made

    astrodrizzle.AstroDrizzle = drizzle_and_record


def _chips(path: Path) -> list[str]:
    with fits.open(path) as hdus:
        return [f"{path.name}[sci,{hdu.ver}]" for hdu in hdus if hdu.name == "SCI"]
