"""Options of a run that determine its products, as the provenance records them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from hstmosaic.plan.request import DOCUMENTED, MosaicRequest
from hstmosaic.store.task_specs import Screening

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class RecordedCatalog:
    """The user's catalogue."""

    path: str
    sha256: str | None
    """None if it was missing."""


@dataclass(frozen=True)
class RecordedOptions:
    """The recorded ones among the options of a run."""

    prefix: str | None
    skip_alignment: bool
    catalog: RecordedCatalog | None
    require_alignment: bool
    log_level: str
    keep: tuple[str, ...]
    strict: bool
    stub: bool
    request: MosaicRequest = DOCUMENTED
    screening: Screening = Screening.SHAPES

    def to_dict(self) -> dict[str, Any]:
        """Return the options in types that JSON has."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {
            "catalog": None if self.catalog is None else asdict(self.catalog),
            "keep": list(self.keep),
            "request": self.request.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RecordedOptions:
        """Return the options that `to_dict` converted; older ones lack a request, and drizzlepac screened.

        Raises
        ------
        ValueError
            If an option is missing, or unknown.
        """
        if not isinstance(raw, dict) or raw.keys() | {"request", "screening"} != {item.name for item in fields(cls)}:
            raise ValueError("its hm:options are damaged, or of another version of hstmosaic")
        catalog = raw["catalog"]
        changed = {
            "catalog": None if catalog is None else RecordedCatalog(catalog["path"], catalog["sha256"]),
            "keep": tuple(raw["keep"]),
            "request": MosaicRequest.from_dict(raw.get("request", {})),
            "screening": Screening(raw.get("screening", Screening.DRIZZLEPAC)),
        }
        return cls(**raw | changed)
