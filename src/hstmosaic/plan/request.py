"""Options of the user that determine the pixels and files of mosaics."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.parameters import DrizzleParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstmosaic.plan.parameter_names import Value


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


@dataclass(frozen=True)
class MosaicRequest:
    """Options that determine the pixels and files of mosaics; the defaults are the documented ones."""

    parameters: DrizzleParameters = field(default_factory=DrizzleParameters)
    """Drizzle parameters that differ from drizzlepac's."""
    sky: Sky | None = None
    """Sky subtraction of every layer; by default drizzlepac chooses by the depth of the layer."""
    compress: bool = False
    """Write mosaics as tile-compressed FITS."""

    def layer_parameters(self, instrument: str, detector: str, filter_name: str) -> dict[str, Value]:
        """Return the parameters of a layer that differ from drizzlepac's."""
        sky = self.sky.parameters if self.sky is not None else {}
        return self.parameters.for_layer(instrument, detector, filter_name) | sky

    def to_dict(self) -> dict[str, Any]:
        """Return the options in types that JSON has, without those at their defaults."""
        raw: dict[str, Any] = {}
        if self.parameters.scopes:
            raw["parameters"] = self.parameters.to_dict()
        if self.sky is not None:
            raw["sky"] = str(self.sky)
        if self.compress:
            raw["compress"] = True
        return raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> MosaicRequest:
        """Return the options that `to_dict` converted."""
        return cls(
            parameters=DrizzleParameters.from_dict(raw.get("parameters", {})),
            sky=Sky(raw["sky"]) if "sky" in raw else None,
            compress=bool(raw.get("compress", False)),
        )

    def __str__(self) -> str:
        words = [
            f"{name}={value}"
            for scope, values in self.parameters.to_dict().items()
            for name, value in ((f"{scope} {key}".strip(), value) for key, value in values.items())
        ]
        words += [f"sky={self.sky}"] if self.sky is not None else []
        words += ["compressed"] if self.compress else []
        return ", ".join(words) or "as documented"


DOCUMENTED = MosaicRequest()
"""No options: mosaics as documented."""
