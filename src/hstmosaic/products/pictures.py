"""Previews, footprints, region files and coverage maps of a run: ``python -m hstmosaic.products.pictures RUN``.

It is a program of its own so that the driver need not hold the libraries that draw.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from hstmosaic.products.canvas import ARCMIN, TIMES, cut_out, save_whole
from hstmosaic.products.colour import Filter, compose, draw_composite
from hstmosaic.products.decimate import decimate
from hstmosaic.products.footprint_picture import SKY, draw_footprints
from hstmosaic.products.layer_marks import layer_colors, layer_title
from hstmosaic.products.measurements import measurements
from hstmosaic.products.orient import north_up
from hstmosaic.products.preview import draw_preview
from hstmosaic.products.run_record import read_record
from hstmosaic.products.sky_coverage import coverage_map
from hstmosaic.products.sky_regions import ds9_text, exposure_regions
from hstmosaic.store.files import CHECKSUM_COMMENT, whole, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.products.decimate import Decimated
    from hstmosaic.products.run_record import RunRecord


@dataclass(frozen=True)
class Extra:
    """A file that goes with the products."""

    name: str
    kind: str
    """``preview``, ``colour``, ``footprints``, ``regions`` or ``coverage``."""
    layer: str = ""
    product: str = ""
    """Name of the image that it belongs to."""


@dataclass(frozen=True)
class Embedded:
    """A picture for the report."""

    file: str
    """Name in the folder of pictures."""
    kind: str
    """``science``, ``weight``, ``colour`` or ``footprints``."""
    alt: str
    """What it shows, in words."""
    width: int
    height: int
    whole: str
    """Name of the PNG in the output directory that it is part of."""
    layer: str = ""


def make_pictures(run: Path) -> tuple[Path, ...]:
    """Make the pictures of what a run has made, as far as there is any.

    Parameters
    ----------
    run : pathlib.Path
        The run directory. What the report needs goes to its folder ``pictures`` and to ``pictures.json``.

    Returns
    -------
    tuple of pathlib.Path
        The files in the output directory, each whole. Those of an earlier time that are not made any more are gone,
        but for those of mosaics that a start which has ended early did not come to.

    Raises
    ------
    OutputError
        If it is no run directory.
    """
    mpl.rcdefaults()  # a matplotlibrc of the user changes nothing
    record = read_record(run)
    studio = _Studio(record)
    if not record.asked.get("stub"):
        for layer in record.made:
            studio.show_layer(layer)
        studio.show_colours()
        studio.show_footprints()
    studio.finish()
    return tuple(record.output / extra.name for extra in studio.extras)


class _Studio:
    """Makes pictures one by one, and remembers them."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.output = record.output
        self.folder = record.directory.pictures
        self.folder.mkdir(exist_ok=True)
        self.extras: list[Extra] = []
        self.embedded: list[Embedded] = []
        self.measured: dict[str, dict[str, Any]] = {}
        self.filters: list[Filter] = []
        self.colors = layer_colors(record.plan)

    def show_layer(self, layer: Layer) -> None:
        """Show a layer on the fine grid; map the coverage of all of its products."""
        finest = min(layer.products, key=lambda product: product.grid.scale)
        for product in layer.products:
            small = decimate(self.output / product.name)
            self.measured[product.name] = measurements(small)
            self._map_product(layer, product, small)
            if product is finest and small.covered.any():
                self._preview(layer, product, small)
                self.filters.append(Filter(layer.filter.upper(), small))

    def _map_product(self, layer: Layer, product: Product, small: Decimated) -> None:
        stem = product.name.removesuffix(".fits")
        self._write_regions(f"{stem}.reg", self.record.used(layer), Extra("", "regions", layer.name, product.name))
        name = f"{stem}_moc.fits"
        hdus = coverage_map(small).serialize("fits")
        for hdu in hdus:
            hdu.add_checksum(when=CHECKSUM_COMMENT)
        with whole(self.output / name) as draft:
            hdus.writeto(draft)
        self.extras.append(Extra(name, "coverage", layer.name, product.name))

    def _write_regions(self, name: str, exposures: tuple[str, ...], about: Extra) -> None:
        chosen = set(exposures)
        outlines = [outline for outline in self.record.outlines if outline.name in chosen]
        if not outlines:
            return
        left_out = {exclusion.name for exclusion in self.record.left_out}
        write_whole(self.output / name, ds9_text(exposure_regions(outlines, self.colors, left_out)))
        self.extras.append(Extra(name, about.kind, about.layer, about.product))

    def _preview(self, layer: Layer, product: Product, small: Decimated) -> None:
        view = north_up(small)
        ny, nx = view.science.shape
        width, height = (f"{n * view.scale / 60:.1f}{ARCMIN}" for n in (nx, ny))
        title = layer_title(layer.name)
        used = self.record.used(layer)
        time = sum(self.record.plan.exposure(name).exptime for name in used)
        subtitle = f"{len(used)} exposure{'s'[: len(used) != 1]}, {time:,.0f} s, {width} {TIMES} {height}"
        preview = draw_preview(view, title, subtitle, "weight (WHT), s")
        name = f"{product.name.removesuffix('.fits')}_preview.png"
        save_whole(self.output / name, preview.image)
        self.extras.append(Extra(name, "preview", layer.name, product.name))
        seen = f"{width} wide and {height} high, north {'up' if abs(view.north) < 1 else 'marked'}"
        self._embed("science", preview.science_image(), f"{title}: the mosaic, {seen}", name, layer.name)
        self._embed("weight", preview.weight_image(), f"{title}: weight of each pixel of the mosaic", name, layer.name)

    def show_colours(self) -> None:
        """Show all layers in one picture, if there are two at least."""
        if len(self.filters) < 2:
            return
        composite = compose(self.filters)
        name = f"{self.record.plan.prefix}_colour.png"
        picture, plain = draw_composite(composite, self.record.plan.prefix)
        save_whole(self.output / name, picture)
        self.extras.append(Extra(name, "colour"))
        behind = zip(("red", "green", "blue"), composite.channels, strict=True)
        words = ", ".join(f"{' and '.join(names)} in {color}" for color, names in behind if names)
        self._embed("colour", plain, f"The filters as a colour picture: {words}", name)

    def show_footprints(self) -> None:
        """Show where the exposures lie, those of layers that failed too."""
        outlines = self.record.outlines
        planned = {exposure.name for exposure in self.record.plan.exposures}
        if not planned & {outline.name for outline in outlines}:
            return
        left_out = {exclusion.name for exclusion in self.record.left_out}
        name = f"{self.record.plan.prefix}_footprints.png"
        picture = draw_footprints(self.record.plan, outlines, left_out)
        save_whole(self.output / name, picture)
        self.extras.append(Extra(name, "footprints"))
        words = f"Where {len(planned)} exposures lie in projection cell {self.record.plan.projection_cell}"
        words += ", over the edges of sky cells; dashed is what is left out, hatched in red what is clipped off"
        # in a narrow window the letters beside it would be too small; the report has a key of its own
        self._embed("footprints", cut_out(picture, SKY), words, name)
        everything = tuple(outline.name for outline in outlines)
        self._write_regions(f"{self.record.plan.prefix}_exposures.reg", everything, Extra("", "regions"))

    def _embed(self, kind: str, image: Image.Image, alt: str, whole: str, layer: str = "") -> None:
        file = f"{'_'.join(part for part in (layer, kind) if part)}.webp"
        save_whole(self.folder / file, image, quality=85, method=2)
        self.embedded.append(Embedded(file, kind, alt, image.width, image.height, whole, layer))

    def finish(self) -> None:
        """Remove what an earlier time has left, and write down what there is."""
        listing = self.record.directory.pictures_file
        names = {extra.name for extra in self.extras}
        kept = []
        for old in self._of_earlier_times():
            if old["name"] in names:
                continue
            if self._still_shows(old):
                kept.append(old)
            else:
                (self.output / old["name"]).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.name not in {picture.file for picture in self.embedded}:
                path.unlink()
        found: Mapping[str, Any] = {
            "schema": 1,
            "files": [asdict(extra) for extra in self.extras],
            "kept": kept,
            "embedded": [asdict(picture) for picture in self.embedded],
            "measured": self.measured,
        }
        write_whole(listing, json.dumps(found, indent=1))

    def _of_earlier_times(self) -> list[dict[str, Any]]:
        return [*self.record.pictures.get("files", []), *self.record.pictures.get("kept", [])]

    def _still_shows(self, old: dict[str, Any]) -> bool:
        """Whether an earlier picture is of mosaics that are there, and that the last start did not come to."""
        ended = {event["layer"] for event in self.record.told("gathered", "failed") if "layer" in event}
        reused = {event["layer"] for event in self.record.told("reused")}
        if {layer.name for layer in self.record.plan.layers} <= ended | reused:
            return False
        # a picture of no layer shows all those that have one of their own
        about = [old] if old["layer"] else [other for other in self._of_earlier_times() if other["kind"] == "preview"]
        return all(other["layer"] not in ended and (self.output / other["product"]).is_file() for other in about)


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]))
