"""Records of the processing steps that AstroDrizzle takes; they show fallbacks that leave no message."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io import fits
from drizzlepac import adrizzle, astrodrizzle, sky
from scipy.sparse.csgraph import connected_components
from stsci.skypac import skymatch

from hstmosaic.store.drizzle_steps import ChipSky, DrizzleSteps, SkyMatching

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class StepRecorder:
    """Steps recorded so far."""

    skies: list[SkyMatching] = field(default_factory=list)
    masks: int = 0
    lost_masks: list[str] = field(default_factory=list)
    lost_chips: list[str] = field(default_factory=list)

    def steps(self) -> DrizzleSteps:
        """Return the record."""
        return DrizzleSteps(tuple(self.skies), self.masks, tuple(self.lost_masks), tuple(self.lost_chips))

    def add_sky(self, **findings: Any) -> None:
        """Complete the record of the latest determination of skies."""
        self.skies[-1] = replace(self.skies[-1], **findings)


def record_steps() -> StepRecorder:
    """Record the steps that AstroDrizzle takes; pixels stay as they are.

    Returns
    -------
    StepRecorder
        Filled while AstroDrizzle runs.
    """
    recorder = StepRecorder()
    _record_skies(recorder)
    _record_masks(recorder)
    _record_chips(recorder)
    return recorder


def _record_skies(recorder: StepRecorder) -> None:
    determine, match = sky._skymatch, sky.skymatch
    overlaps, compare = skymatch._overlap_matrix, skymatch._calc_sky

    @functools.wraps(determine)
    def determine_and_record(images: Sequence[Any], parameters: Any, *args: Any) -> None:
        recorder.skies.append(SkyMatching(tuple(image._filename for image in images), parameters["skymethod"]))
        determine(images, parameters, *args)
        chips = [(image, extver) for image in images for extver in range(1, image._numchips + 1)]
        recorder.add_sky(
            chips=tuple(
                ChipSky(image._filename, extver, float(image[image.scienceExt, extver].computedSky))
                for image, extver in chips
            )
        )

    @functools.wraps(match)
    def match_and_record(*args: Any, **options: Any) -> Any:
        try:
            return match(*args, **options)
        except Exception as error:
            recorder.add_sky(errors=(*recorder.skies[-1].errors, f"{type(error).__name__}: {error}"))
            raise

    @functools.wraps(compare)
    def compare_and_record(first: Any, second: Any, statistics: Any) -> Any:
        found = compare(first, second, statistics)
        if found[-1] > 0 and found[0] is None:
            pair = (first.members[0].basefname, second.members[0].basefname)
            recorder.add_sky(blank=(*recorder.skies[-1].blank, pair))
        return found

    @functools.wraps(overlaps)
    def overlaps_and_record(*args: Any) -> Any:
        values, weights = overlaps(*args)
        count, group = connected_components((weights > 0) & (weights.T > 0), directed=False)
        images = recorder.skies[-1].images
        groups = (
            tuple(image for image, number in zip(images, group, strict=True) if number == wanted)
            for wanted in range(count)
        )
        recorder.add_sky(groups=tuple(groups))
        return values, weights

    sky._skymatch, sky.skymatch = determine_and_record, match_and_record
    skymatch._overlap_matrix, skymatch._calc_sky = overlaps_and_record, compare_and_record


def _record_masks(recorder: StepRecorder) -> None:
    merge = adrizzle.mergeDQarray

    @functools.wraps(merge)
    def merge_and_record(name: Any, quality: Any) -> None:
        if isinstance(name, str) and name.endswith("_staticMask.fits"):
            if Path(name).exists():
                recorder.masks += 1
            else:
                recorder.lost_masks.append(Path(name).name)
        merge(name, quality)

    adrizzle.mergeDQarray = merge_and_record


def _record_chips(recorder: StepRecorder) -> None:
    drizzle = astrodrizzle.AstroDrizzle

    @functools.wraps(drizzle)
    def drizzle_and_record(*args: Any, **options: Any) -> Any:
        wanted = [chip for name in options["input"] for chip in _chips(Path(name))]
        made = drizzle(*args, **options)
        if Path(options["output"]).is_file():
            drizzled = set(fits.getheader(options["output"])["D*DATA"].values())
            recorder.lost_chips += [chip for chip in wanted if chip not in drizzled]
        return made

    astrodrizzle.AstroDrizzle = drizzle_and_record


def _chips(path: Path) -> list[str]:
    with fits.open(path) as hdus:
        return [f"{path.name}[sci,{hdu.ver}]" for hdu in hdus if hdu.name == "SCI"]
