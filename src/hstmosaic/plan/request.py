"""Options of the user that determine the pixels and files of mosaics."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import OptionError
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.target_grid import Bounds, TargetGrid
from hstmosaic.plan.tiles import Tiling, parse_tiling
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstmosaic.plan.parameter_names import Value

_FINEST, _COARSEST = 0.005, 2.0
_WIDEST = 10_000
_WEIGHTS, _VARIANCE = "final_wht_type", "ERR"


class Sky(StrEnum):
    """Sky subtraction, where it does not depend on the depth of a layer."""

    MATCH = "match"
    """Match the skies of overlapping exposures."""
    LOCALMIN = "localmin"
    """Subtract each exposure's own sky."""
    NONE = "none"
    """Subtract nothing."""

    @property
    def parameters(self) -> dict[str, Value]:
        """Parameters of AstroDrizzle."""
        if self is Sky.NONE:
            return {"skysub": False}
        return {"skysub": True, "skymethod": str(self)}


COMPRESSED_ABOVE = 10**9
"""Pixels of a mosaic above which the mosaics of a run are compressed by default: 8 GB of science and weight pixels."""
LARGE = f"more than 10^{round(math.log10(COMPRESSED_ABOVE))} pixels"
"""The same in words."""


@dataclass(frozen=True)
class MosaicRequest:
    """Options that determine the pixels and files of mosaics; the defaults are the documented ones."""

    parameters: DrizzleParameters = field(default_factory=DrizzleParameters)
    """Drizzle parameters that differ from drizzlepac's."""
    sky: Sky | None = None
    """Sky subtraction of every layer; by default drizzlepac chooses by the depth of the layer."""
    compress: bool | None = None
    """Write mosaics as tile-compressed FITS; by default, those of more than `COMPRESSED_ABOVE` pixels."""
    grid: TargetGrid | None = None
    """Grid of every mosaic; by default it is on the projection cell."""
    scale: float | None = None
    """Pixel scale on the projection cell, arcsec; by default 0.04."""
    bounds: Bounds | None = None
    """Rectangle that mosaics cover; by default the data."""
    tiles: Tiling | None = None
    """Tiles that are cut out of every mosaic; by default none."""
    error: bool = False
    """Weight by inverse variance and write an image of errors."""
    context: bool = False
    """Write which chips and how many exposures are in each pixel."""
    margin: int | None = None
    """Pixels around the exposures, to which mosaics are limited; by default the bounds or drizzlepac's limits count."""

    def __post_init__(self) -> None:
        if self.grid is not None and (self.scale is not None or self.bounds is not None):
            raise OptionError("--grid excludes --scale and --bounds", "omit one of them")
        if self.margin is not None and not (self.grid is None and self.bounds is None):
            raise OptionError("--exposures-only excludes --grid and --bounds", "omit one of them")
        if self.margin is not None and not 0 <= self.margin <= _WIDEST:
            raise OptionError(f"--exposures-only must be from 0 to {_WIDEST} pixels, not {self.margin}", "")
        if self.grid is not None and self.tiles == Tiling():
            raise OptionError("--grid excludes --tiles skycells", "use --tiles WIDTHxHEIGHT")
        if self.error and any(value != _VARIANCE for name, value in self._all_parameters() if name == _WEIGHTS):
            raise OptionError(f"--error sets {_WEIGHTS} to {_VARIANCE}", f"omit {_WEIGHTS} in --parameters")
        if self.scale is not None and not _FINEST <= self.scale <= _COARSEST:
            raise OptionError(f"--scale must be from {_FINEST} to {_COARSEST} arcsec, not {self.scale:g}", "")

    def with_compression(self, pixels: int) -> MosaicRequest:
        """Return the same options with the default of compression for the number of pixels of the largest mosaic."""
        compress = pixels > COMPRESSED_ABOVE
        return replace(self, compress=True) if self.compress is None and compress else self

    @property
    def changes_grid(self) -> bool:
        """Return whether mosaics have another grid than the documented one."""
        return self.grid_options != DOCUMENTED

    @property
    def grid_options(self) -> MosaicRequest:
        """The options that determine the grid, without the others."""
        return MosaicRequest(grid=self.grid, scale=self.scale, bounds=self.bounds, margin=self.margin)

    def layer_parameters(self, instrument: str, detector: str, filter_name: str) -> dict[str, Value]:
        """Return the parameters of a layer that differ from drizzlepac's."""
        sky = self.sky.parameters if self.sky is not None else {}
        variance: dict[str, Value] = {_WEIGHTS: _VARIANCE} if self.error else {}
        return variance | self.parameters.for_layer(instrument, detector, filter_name) | sky

    def _all_parameters(self) -> Iterator[tuple[str, Any]]:
        for values in self.parameters.to_dict().values():
            yield from values.items()

    def to_dict(self) -> dict[str, Any]:
        """Return the options in types that JSON has, without those at their defaults."""
        raw: dict[str, Any] = {}
        if self.parameters.scopes:
            raw["parameters"] = self.parameters.to_dict()
        if self.sky is not None:
            raw["sky"] = str(self.sky)
        if self.compress is not None:
            raw["compress"] = self.compress
        if self.grid is not None:
            raw["grid"] = asdict(self.grid)
        if self.scale is not None:
            raw["scale"] = self.scale
        if self.bounds is not None:
            raw["bounds"] = asdict(self.bounds)
        if self.tiles is not None:
            raw["tiles"] = str(self.tiles)
        if self.margin is not None:
            raw["margin"] = self.margin
        raw |= {name: True for name in ("error", "context") if getattr(self, name)}
        return raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> MosaicRequest:
        """Return the options that `to_dict` converted."""
        return cls(
            parameters=DrizzleParameters.from_dict(raw.get("parameters", {})),
            sky=Sky(raw["sky"]) if "sky" in raw else None,
            compress=raw.get("compress"),
            grid=TargetGrid.from_dict(raw["grid"]) if "grid" in raw else None,
            scale=raw.get("scale"),
            bounds=Bounds.from_dict(raw["bounds"]) if "bounds" in raw else None,
            tiles=parse_tiling(raw["tiles"]) if "tiles" in raw else None,
            error=bool(raw.get("error", False)),
            context=bool(raw.get("context", False)),
            margin=raw.get("margin"),
        )

    def __str__(self) -> str:
        words = [
            f"{name}={value}"
            for scope, values in self.parameters.to_dict().items()
            for name, value in ((f"{scope} {key}".strip(), value) for key, value in values.items())
        ]
        words += [f"sky={self.sky}"] if self.sky is not None else []
        words += ["compressed"] if self.compress else []
        words += [f"scale={self.scale:g} arcsec"] if self.scale is not None else []
        words += [f"bounds={self.bounds}"] if self.bounds is not None else []
        words += [f"exposures with a margin of {count_of(self.margin, 'pixel')}"] if self.margin is not None else []
        words += ["errors"] if self.error else []
        words += ["context"] if self.context else []
        words += [f"tiles of {self.tiles}"] if self.tiles is not None else []
        if self.grid is not None:
            height, width = self.grid.shape
            words.append(f"grid of {width} x {height} pixels of {self.grid.scale:.4g} arcsec")
        return ", ".join(words) or "as documented"


DOCUMENTED = MosaicRequest()
"""No options: mosaics as documented."""
