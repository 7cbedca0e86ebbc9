"""Processing steps of drizzling, as a task recorded them, and the fallbacks that they show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hstmosaic.store.result_files import TaskWarning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MATCH = "match"


class ProcessingStep(StrEnum):
    """A step of a library's processing, as `TaskWarning` names it."""

    DRIZZLE = "drizzle"
    SKY_MATCHING = "sky matching"
    STATIC_MASK = "static mask"
    HEADERS = "headers"
    INPUT = "input"
    SOURCES = "sources"


@dataclass(frozen=True)
class ChipSky:
    """One chip of an exposure's working copy, and the sky that is subtracted from it."""

    file: str
    extver: int
    sky: float
    """In the unit of the chip."""


@dataclass(frozen=True)
class SkyMatching:
    """One determination of skies."""

    images: tuple[str, ...]
    """Working copies, in the order in which they were matched."""
    method: str
    errors: tuple[str, ...] = ()
    """Exceptions that `drizzlepac.sky` caught."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Exposures that are connected by overlaps."""
    blank: tuple[tuple[str, str], ...] = ()
    """Pairs of exposures that overlap where one of them has no good pixel."""
    chips: tuple[ChipSky, ...] = ()

    def warnings(self) -> list[TaskWarning]:
        """Return the fallbacks."""
        if self.errors:
            failed = f"sky matching failed ({'; '.join(self.errors)}): each exposure's own sky was subtracted"
            return [_warning(failed)]
        if _MATCH not in self.method or len(self.images) == 1:
            return [_warning(f"the skies of {_exposures(self.images)} were not matched")]
        lost = [chip.file for chip in self.chips if not math.isfinite(chip.sky)]
        if lost:
            return [_warning(f"the sky of {_exposures(lost)} is not a number")]
        found = [
            _warning(f"the skies of {_exposures(pair)} were not matched: their overlap has no good pixel")
            for pair in self.blank
            if not any(set(pair) <= set(group) for group in self.groups)
        ]
        if not found and len(self.groups) > 1:
            groups = "; ".join(_group(group) for group in self.groups)
            message = f"skies were matched within {len(self.groups)} groups that do not overlap ({groups})"
            found.append(_warning(message, strict=False))
        return found

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> SkyMatching:
        """Read what `dataclasses.asdict` returns, or the same from JSON."""
        return cls(
            images=tuple(raw["images"]),
            method=raw["method"],
            errors=tuple(raw["errors"]),
            groups=tuple(map(tuple, raw["groups"])),
            blank=tuple((first, second) for first, second in raw["blank"]),
            chips=tuple(ChipSky(**chip) for chip in raw["chips"]),
        )


@dataclass(frozen=True)
class DrizzleSteps:
    """Processing steps of all mosaics of a task."""

    skies: tuple[SkyMatching, ...] = ()
    masks: int = 0
    """Static masks that were applied to chips."""
    lost_masks: tuple[str, ...] = ()
    """Static masks that were missing when they were to be applied."""
    lost_chips: tuple[str, ...] = ()
    """Chips that were not drizzled."""

    def warnings(self) -> tuple[TaskWarning, ...]:
        """Return the fallbacks, each once."""
        found = [warning for matching in self.skies for warning in matching.warnings()]
        if self.lost_masks:
            message = f"static masks were missing: {', '.join(self.lost_masks)}"
            found.append(TaskWarning(ProcessingStep.STATIC_MASK, message))
        if self.lost_chips:
            message = f"chips were not drizzled: {_exposures(self.lost_chips)}"
            found.append(TaskWarning(ProcessingStep.DRIZZLE, message))
        return tuple(dict.fromkeys(found))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DrizzleSteps:
        """Read what `dataclasses.asdict` returns, or the same from JSON."""
        return cls(
            skies=tuple(map(SkyMatching.from_dict, raw["skies"])),
            masks=raw["masks"],
            lost_masks=tuple(raw["lost_masks"]),
            lost_chips=tuple(raw["lost_chips"]),
        )


def _warning(message: str, *, strict: bool = True) -> TaskWarning:
    return TaskWarning(ProcessingStep.SKY_MATCHING, message, strict)


def _exposures(copies: Iterable[str]) -> str:
    """Name the exposures of working copies, which are called ``<product>-<exposure>_flc.fits``."""
    return ", ".join(copy.rpartition("-")[2] for copy in copies)


def _group(copies: Sequence[str]) -> str:
    return _exposures(copies[:1]) + (f" and {len(copies) - 1} more" if len(copies) > 1 else "")
