"""Results of the alignment: one tree of values from the fit to headers, report and ``alignment.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from math import hypot
from typing import TYPE_CHECKING, Any

from hstmosaic.store.files import MadeFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Pair = tuple[float, float]
"""East and north, or right ascension and declination."""
RELATIVE = "relative"
"""Method of a fit of all exposures to each other and to the catalogue together."""
FITTED, CARRIED = "fitted", "with its visit"
"""An exposure is corrected by its own sources, or as the others of its visit are."""
_WITHOUT_CATALOG = (
    "run the same command again where the catalogue service can be reached",
    "or download a catalogue elsewhere (hstmosaic catalog LIST -o stars.ecsv) and add --catalog stars.ecsv --replace",
    "or keep the WCS of the exposures: add -s --replace",
)
LARGE_MOVE = 1000.0
"""Mas from which a correction is larger than errors of pointing usually are."""
PRECISION, PRECISION_IR = 2.0, 4.0
"""Mas: formal errors above these are remarkable; the second for WFC3/IR, whose pixels are larger."""


@dataclass(frozen=True)
class ExposureFit:
    """The correction of one exposure, in numbers."""

    shift_mas: Pair
    """By how much the middle of the exposure moved to the east and to the north."""
    rotation_deg: float
    """From north to east."""
    scale: float
    """Ratio of the pixel scales, after the fit to before it."""
    sources: int
    """Detections in the exposure."""
    matches: int
    """Detections that match a star of the catalogue."""
    rms_mas: Pair | None
    """Of their distances in right ascension and declination; None without matches."""
    fit_matches: int = 0
    """Detections that match a star of the catalogue or a source of another exposure."""
    error_mas: Pair = (0.0, 0.0)
    """Formal errors (1 sigma) of the position of the exposure's middle, to the east and to the north."""
    residuals_mas: tuple[Pair, ...] = ()
    """Distances of matches to the east and to the north, of a hundred of them at most."""
    wcsname: str = ""
    wcsname_before: str = ""
    status: str = FITTED
    """`FITTED`, or `CARRIED` with the others of its visit."""
    absolute: bool = True
    """True if the exposure is fitted to a catalogue, directly or through other exposures."""
    group: int = 0
    """Number of the connected group of exposures; groups are connected by the catalogue at most."""
    reason: str = ""
    """Why it was carried with its visit."""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ExposureFit:
        """Read what `dataclasses.asdict` returns, or the same from JSON; unknown keys are ignored."""
        known = _known(cls, raw)
        for key in ("shift_mas", "rms_mas", "error_mas"):
            if known.get(key) is not None:
                known[key] = _pair(known[key])
        known["residuals_mas"] = tuple(map(_pair, known.get("residuals_mas", ())))
        return cls(**known)


@dataclass(frozen=True)
class AlignmentResult:
    """The outcome of the alignment of all exposures."""

    aligned: bool
    """True if exposures were fitted to a catalogue."""
    cause: str = ""
    """Why not, in one clause."""
    no_catalog: bool = False
    """True if there was no catalogue to align to."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Exposures that keep their WCS, and why."""
    catalog: str = ""
    method: str = ""
    """`RELATIVE` where exposures were fitted to each other."""
    fitgeom: str = ""
    """Geometry of the fit."""
    matches: int = 0
    """Stars of the catalogue that detections match."""
    rms_mas: Pair = (0.0, 0.0)
    """RMS of the distances of all detections from these, in right ascension and declination."""
    reference_catalog: str = ""
    """File name of the catalogue that was fitted to, in the task's working directory."""
    headerlets: dict[str, str] = field(default_factory=dict)
    """File names of the headerlets, by exposure."""
    exposures: dict[str, ExposureFit] = field(default_factory=dict)
    """The exposures that were moved; also those that were fitted to each other only, where nothing is aligned."""
    chance_log10: float = 0.0
    """Decimal logarithm of the probability that chance makes a match as good as that with the catalogue."""
    catalog_error_mas: float = 0.0
    """Error of the catalogue's positions beyond the errors that it gives."""
    files: tuple[MadeFile, ...] = ()
    """All files that the fit made."""
    tight_limits: tuple[int, ...] | None = None
    """xmin, xmax, ymin, ymax of the data after the alignment, fine pixels; None in the result of the task."""

    @property
    def short_cause(self) -> str:
        """The reason why exposures were not aligned, in a few words."""
        return "no catalogue" if self.no_catalog else self.cause

    @property
    def next_steps(self) -> tuple[str, ...]:
        """Return the next step of the user if no catalogue was available."""
        return _WITHOUT_CATALOG if self.no_catalog else ()

    @property
    def groups(self) -> int:
        """Number of connected groups of exposures."""
        return len({fit.group for fit in self.exposures.values()})

    def is_aligned(self, exposures: Collection[str]) -> bool:
        """Return whether each of some exposures has a correction that a catalogue anchors."""
        return all(name in self.exposures and self.exposures[name].absolute for name in exposures)

    def imprecise(self, infrared: Collection[str]) -> dict[str, float]:
        """Return the exposures with large formal errors, and these.

        Parameters
        ----------
        infrared : collection of str
            Names of the exposures of WFC3/IR.

        Returns
        -------
        dict of str to float
            Lengths of the formal errors of positions in the frame of the catalogue (mas) by name, the largest first.
        """
        sizes = {name: hypot(*fit.error_mas) for name, fit in self.exposures.items() if fit.absolute}
        large = [name for name in sizes if sizes[name] > (PRECISION_IR if name in infrared else PRECISION)]
        return {name: sizes[name] for name in sorted(large, key=lambda name: -sizes[name])}

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can have it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> AlignmentResult:
        """Read what `to_dict` returns, or the same from JSON; unknown keys are ignored.

        Raises
        ------
        KeyError, TypeError
            If it is not the result of an alignment.
        """
        known = _known(cls, raw) | {
            "exposures": {name: ExposureFit.from_dict(fit) for name, fit in raw.get("exposures", {}).items()},
            "files": tuple(MadeFile(**file) for file in raw.get("files", ())),
        }
        if "rms_mas" in known:
            known["rms_mas"] = _pair(known["rms_mas"])
        if known.get("tight_limits") is not None:
            known["tight_limits"] = tuple(known["tight_limits"])
        return cls(**known)


def _known(cls: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: raw[item.name] for item in fields(cls) if item.name in raw}


def _pair(values: Any) -> Pair:
    first, second = values
    return float(first), float(second)
