"""The list of the pictures of a run, stored in its run directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hstmosaic.products.measurements import Measurements
from hstmosaic.products.seams import Seams
from hstmosaic.products.sky_levels import SkyLevel
from hstmosaic.store.files import ENCODING, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = 1
PICTURE_SIDE = 900
"""Largest number of pixels along the longer side of a decimated mosaic."""


@dataclass(frozen=True)
class Extra:
    """A file that accompanies the products."""

    name: str
    kind: str
    """``preview``, ``colour``, ``footprints``, ``regions`` or ``coverage``."""
    layer: str = ""
    product: str = ""
    """Name of its image."""


@dataclass(frozen=True)
class Embedded:
    """A picture for the report."""

    file: str
    """Name in the folder of pictures."""
    kind: str
    """``science``, ``weight``, ``counts``, ``seams``, ``colour`` or ``footprints``."""
    alt: str
    """Description of its content."""
    width: int
    height: int
    whole: str
    """Name of the PNG in the output directory that contains it; empty if none does."""
    layer: str = ""


@dataclass(frozen=True)
class PictureList:
    """Pictures of a run, and measurements of its products."""

    files: tuple[Extra, ...] = ()
    """Files that the last start made."""
    kept: tuple[Extra, ...] = ()
    """Files of earlier starts that still show products."""
    embedded: tuple[Embedded, ...] = ()
    measured: Mapping[str, Measurements] = field(default_factory=dict)
    """Measurements by the names of products."""
    skies: Mapping[str, SkyLevel] = field(default_factory=dict)
    """Skies of the exposures, by file name."""
    seams: Mapping[str, Seams] = field(default_factory=dict)
    """Steps of the background, by layer; without layers whose exposures do not overlap."""

    @property
    def is_empty(self) -> bool:
        """Return whether no pictures were made."""
        return not (self.files or self.kept or self.embedded or self.measured)

    def is_complete(self, folder: Path) -> bool:
        """Return whether a folder has all pictures for the report."""
        return all((folder / picture.file).is_file() for picture in self.embedded)


def write_picture_list(path: Path, pictures: PictureList) -> None:
    """Write a list of pictures atomically."""
    write_atomically(path, json.dumps({"schema": SCHEMA} | asdict(pictures), indent=1))


def read_picture_list(path: Path) -> PictureList:
    """Read a list of pictures; it is empty where the file is missing.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    if not path.is_file():
        return PictureList()
    raw: dict[str, Any] = json.loads(path.read_text(ENCODING))
    try:
        return PictureList(
            files=tuple(Extra(**extra) for extra in raw.get("files", ())),
            kept=tuple(Extra(**extra) for extra in raw.get("kept", ())),
            embedded=tuple(Embedded(**picture) for picture in raw.get("embedded", ())),
            measured={name: Measurements.from_dict(values) for name, values in raw.get("measured", {}).items()},
            skies={name: SkyLevel.from_dict(values) for name, values in raw.get("skies", {}).items()},
            seams={layer: Seams.from_dict(values) for layer, values in raw.get("seams", {}).items()},
        )
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
