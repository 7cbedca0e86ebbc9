"""The plan: all decisions before the first task."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hstmosaic import __version__
from hstmosaic.plan.boxes import ONE_WORKER, Division
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.estimates import NOTHING_LEARNED, Estimate, Factors, Learned
from hstmosaic.plan.exposures import Exposure
from hstmosaic.plan.layers import Layer, Product
from hstmosaic.plan.limits import Grid, Limits
from hstmosaic.plan.plan_views import plan_html, plan_summary, plot_plan
from hstmosaic.plan.request import DOCUMENTED, MosaicRequest
from hstmosaic.plan.tiles import Tile
from hstmosaic.store.task_names import Stage, stage_of
from hstmosaic.store.task_specs import TANGENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PACKAGES = ("drizzlepac", "stwcs", "astropy", "numpy", "scipy", "photutils", "scikit-image", "dask")


@dataclass(frozen=True, repr=False)
class Plan:
    """All decisions about a run before its first task."""

    source: str
    """List or pattern of the user."""
    prefix: str
    """Prefix of all products."""
    projection_cell: str
    """Name, e.g. ``p1889``."""
    projection_center: tuple[float, float]
    """Right ascension and declination of the cell's reference position, degrees."""
    cell_distances: dict[str, float]
    """For every projection cell with data: mean distance of the data from its centre, in sky cells."""
    sky_cells: tuple[str, ...]
    """Names of the sky cells with data, sorted."""
    corner_sky_cell: str
    """Sky cell nearest to the lower left; it identifies the mosaic in pollers and in SCELLID."""
    limits: Limits
    """Whole sky cells, as ``compute_mosaic_limits`` documents them."""
    tight_limits: Limits
    """Part of the limits that contains data."""
    frame: tuple[str, ...]
    """Names of the exposures that determine the grid; every layer's poller contains them."""
    exposures: tuple[Exposure, ...]
    """All exposures of the mosaic, in the order of the list."""
    layers: tuple[Layer, ...]
    excluded: tuple[Exclusion, ...]
    """Exposures of the list that are excluded."""
    notes: tuple[str, ...]
    """Notes for the user: clipped exposures, close calls and cautions."""
    versions: dict[str, str]
    dropped: tuple[Exposure, ...] = field(default=(), repr=False, compare=False)
    """Excluded exposures with their chips; none if the plan was read from JSON."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Resources of each task, including those of the alignment."""
    learned: Learned = NOTHING_LEARNED
    """Corrections of the estimates by earlier runs."""
    request: MosaicRequest = DOCUMENTED
    """Options of the user that determine pixels and files."""
    division: Division = ONE_WORKER
    """Limits by which layers are divided into boxes."""

    def __repr__(self) -> str:
        return f"<Plan of {plan_summary(self)}>"

    def _repr_html_(self) -> str:
        return plan_html(self)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Plot the footprints of the exposures and the outline of the mosaic.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Axes in pixels of the projection cell; new ones with celestial coordinates when None.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot_plan(self, axes)

    def exposure(self, name: str) -> Exposure:
        """Return the exposure of a file name."""
        return next(exposure for exposure in self.exposures if exposure.name == name)

    def with_repair(self, name: str) -> Plan:
        """Return the plan after screening found faults in the pixels of an exposure."""
        exposures = tuple(replace(e, needs_repair=True) if e.name == name else e for e in self.exposures)
        return replace(self, exposures=exposures)

    def tasks(self, *, aligned: bool) -> dict[str, Estimate]:
        """Return the estimates of the tasks of a run, with an alignment or without."""
        return {
            task: estimate
            for task, estimate in self.estimates.items()
            if aligned or stage_of(task) in (Stage.SCREEN, Stage.DRIZZLE)
        }

    def to_json(self) -> str:
        """Return the plan as JSON, without chips and dropped exposures."""
        raw = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "dropped"}
        raw["limits"], raw["tight_limits"] = self.limits.as_list(), self.tight_limits.as_list()
        raw["exposures"] = [exposure.to_dict() for exposure in self.exposures]
        raw["layers"] = [
            asdict(layer) | {"products": [_product_to_dict(product) for product in layer.products]}
            for layer in self.layers
        ]
        raw["excluded"] = [
            {"exposure": item.name, "reason": item.reason, "next_step": item.next_step} for item in self.excluded
        ]
        raw["estimates"] = {task: asdict(estimate) for task, estimate in self.estimates.items()}
        raw["learned"] = asdict(self.learned)
        raw["request"] = self.request.to_dict()
        raw["division"] = asdict(self.division)
        return json.dumps(raw, indent=1)


def plan_from_json(text: str) -> Plan:
    """Read a plan that `Plan.to_json` wrote."""
    raw: dict[str, Any] = json.loads(text)
    raw["limits"], raw["tight_limits"] = Limits(*raw["limits"]), Limits(*raw["tight_limits"])
    raw["projection_center"] = tuple(raw["projection_center"])
    for key in ("sky_cells", "frame", "notes"):
        raw[key] = tuple(raw[key])
    raw["exposures"] = tuple(Exposure.from_dict(exposure) for exposure in raw["exposures"])
    raw["layers"] = tuple(_layer(layer) for layer in raw["layers"])
    raw["excluded"] = tuple(Exclusion(e["exposure"], e["reason"], e["next_step"]) for e in raw["excluded"])
    raw["estimates"] = {task: Estimate(**estimate) for task, estimate in raw["estimates"].items()}
    factors = {group: Factors(**values) for group, values in raw["learned"]["factors"].items()}
    raw["learned"] = Learned(raw["learned"]["runs"], factors, raw["learned"]["pace"])
    raw["request"] = MosaicRequest.from_dict(raw.get("request", {}))
    raw["division"] = Division(**raw.get("division", {}))
    return Plan(**raw)


def _layer(raw: dict[str, Any]) -> Layer:
    products = tuple(_product(product) for product in raw["products"])
    changed = {
        "exposures": tuple(raw["exposures"]),
        "products": products,
        "estimate": Estimate(**raw["estimate"]),
        "parameters": tuple((name, value) for name, value in raw.get("parameters", ())),
    }
    return Layer(**(raw | changed))


def _product_to_dict(product: Product) -> dict[str, Any]:
    grid = product.grid
    return {
        "name": product.name,
        "trailer": product.trailer,
        "pixel_scale": grid.scale,
        "shape": grid.shape,
        "crpix": grid.crpix,
        "crval": grid.crval,
        "documented_size": product.documented_size,
        **({"cd": grid.cd} if grid.cd is not None else {}),
        **({"projection": grid.projection} if grid.projection != TANGENT else {}),
        **({"tiles": [{"file": name} | asdict(tile) for name, tile in product.tiles]} if product.tiles else {}),
    }


def _product(raw: dict[str, Any]) -> Product:
    cd = raw.get("cd")
    grid = Grid(
        raw["pixel_scale"],
        tuple(raw["shape"]),
        tuple(raw["crpix"]),
        tuple(raw["crval"]),
        tuple(cd) if cd is not None else None,
        raw.get("projection", TANGENT),
    )
    tiles = tuple((tile.pop("file"), Tile(**tile)) for tile in map(dict, raw.get("tiles", ())))
    return Product(raw["name"], raw["trailer"], grid, raw["documented_size"], tiles)


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine pixels."""
    own = {"python": platform.python_version(), "hstmosaic": __version__}
    return own | {package: version(package) for package in _PACKAGES}
