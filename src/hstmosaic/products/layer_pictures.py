"""Pictures and measurements of one layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hstmosaic.products.canvas import ARCMIN, TIMES, save_whole
from hstmosaic.products.colour import Filter
from hstmosaic.products.decimate import decimate
from hstmosaic.products.exposure_counts import draw_counts, exposure_counts
from hstmosaic.products.layer_marks import layer_colors, layer_title
from hstmosaic.products.measurements import Measurements, measure
from hstmosaic.products.orient import north_up, pixel_size
from hstmosaic.products.picture_list import Embedded, Extra
from hstmosaic.products.preview import draw_preview
from hstmosaic.products.seam_map import draw_seams
from hstmosaic.products.seams import LISTED, LocalSteps, Seams, measure_seams, noise_per_detector_pixel
from hstmosaic.products.sky_coverage import coverage_map
from hstmosaic.products.sky_levels import SkyLevel, sky_levels, subtracted_skies
from hstmosaic.products.sky_regions import ds9_text, exposure_regions
from hstmosaic.store.files import CHECKSUM_COMMENT, atomic_draft, write_atomically
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from PIL import Image

    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.plan.outlines import Outline
    from hstmosaic.products.decimate import Decimated
    from hstmosaic.products.run_record import RunRecord


@dataclass
class Drawn:
    """Files and pictures that were made for a run."""

    record: RunRecord
    """The run as it was then."""
    extras: list[Extra] = field(default_factory=list)
    """Files for the output directory."""
    embedded: list[Embedded] = field(default_factory=list)
    """Pictures for the report."""

    @property
    def folder(self) -> Path:
        """The folder of all of them until the run ends."""
        return self.record.directory.pictures

    def embed(self, kind: str, image: Image.Image, alt: str, whole: str, layer: str = "") -> None:
        """Write a picture for the report; see `Embedded` for the arguments."""
        file = f"{'_'.join(part for part in (layer, kind) if part)}.webp"
        save_whole(self.folder / file, image, quality=85, method=2)
        self.embedded.append(Embedded(file, kind, alt, image.width, image.height, whole, layer))

    def write_regions(self, name: str, exposures: Collection[str], about: Extra) -> None:
        """Write the outlines of exposures as a region file, if they are known."""
        outlines = [outline for outline in self.record.outlines if outline.name in exposures]
        if not outlines:
            return
        text = ds9_text(exposure_regions(outlines, layer_colors(self.record.plan), self.record.unused))
        write_atomically(self.folder / name, text)
        self.extras.append(replace(about, name=name))


@dataclass
class DrawnLayer(Drawn):
    """Files, pictures and measurements of a layer."""

    measured: dict[str, Measurements] = field(default_factory=dict)
    """Measurements by the names of products."""
    skies: dict[str, SkyLevel] = field(default_factory=dict)
    """Skies of the exposures, by file name."""
    seams: Seams | None = None
    """Steps of the background; None without overlaps."""
    filter: Filter | None = None
    """For the colour picture; None if the mosaic is empty."""


def draw_layer(record: RunRecord, layer: Layer) -> DrawnLayer:
    """Show a layer on the fine grid, and map the coverage of all of its products.

    Parameters
    ----------
    record : RunRecord
        The run; the products of the layer are gathered.
    layer : Layer
        One of its layers.

    Returns
    -------
    DrawnLayer
        What was drawn and measured.
    """
    drawn = DrawnLayer(record)
    drawn.folder.mkdir(exist_ok=True)
    finest = min(layer.products, key=lambda product: product.grid.scale)
    for product in layer.products:
        small = decimate(record.output / product.name)
        drawn.measured[product.name] = measure(small, layer.filter)
        _map_product(drawn, layer, product, small)
        if product is finest and small.covered.any():
            _preview(drawn, layer, product, small)
            _count(drawn, layer, small)
            used = [record.plan.exposure(name) for name in record.used(layer)]
            subtracted = subtracted_skies(record.output / product.name)
            drawn.skies = sky_levels(subtracted, used)
            _seams(drawn, layer, small, measure_seams(used, subtracted, small.wcs))
            drawn.filter = Filter(layer.filter.upper(), small)
    return drawn


def _map_product(drawn: DrawnLayer, layer: Layer, product: Product, small: Decimated) -> None:
    stem = product.name.removesuffix(".fits")
    used = frozenset(drawn.record.used(layer))
    drawn.write_regions(f"{stem}.reg", used, Extra("", "regions", layer.name, product.name))
    name = f"{stem}_moc.fits"
    hdus = coverage_map(small).serialize("fits")
    for hdu in hdus:
        hdu.add_checksum(when=CHECKSUM_COMMENT)
    with atomic_draft(drawn.folder / name) as draft:
        hdus.writeto(draft)
    drawn.extras.append(Extra(name, "coverage", layer.name, product.name))


def _preview(drawn: DrawnLayer, layer: Layer, product: Product, small: Decimated) -> None:
    record = drawn.record
    view = north_up(small)
    ny, nx = view.science.shape
    width, height = (f"{n * view.scale / 60:.1f}{ARCMIN}" for n in (nx, ny))
    title = layer_title(layer.name)
    used = record.used(layer)
    time = sum(record.plan.exposure(name).exptime for name in used)
    subtitle = f"{count_of(len(used), 'exposure')}, {time:,.0f} s, {width} {TIMES} {height}"
    preview = draw_preview(view, title, subtitle, "weight (WHT), s")
    name = f"{product.name.removesuffix('.fits')}_preview.png"
    save_whole(drawn.folder / name, preview.image)
    drawn.extras.append(Extra(name, "preview", layer.name, product.name))
    seen = f"{width} wide and {height} high, north {'up' if abs(view.north) < 1 else 'marked'}"
    drawn.embed("science", preview.science_image(), f"{title}: the mosaic, {seen}", name, layer.name)
    drawn.embed("weight", preview.weight_image(), f"{title}: weight of each pixel of the mosaic", name, layer.name)


def _outlines(drawn: DrawnLayer, layer: Layer) -> list[Outline]:
    used = set(drawn.record.used(layer))
    return [outline for outline in drawn.record.outlines if outline.name in used]


def _seams(drawn: DrawnLayer, layer: Layer, small: Decimated, measured: tuple[Seams, LocalSteps] | None) -> None:
    """Record the steps of the background and show where they are; None without overlaps."""
    if measured is None:
        return
    seams, local = measured
    exposure = drawn.record.plan.exposure(seams.exposure)
    noise = noise_per_detector_pixel(small.noise, pixel_size(small.wcs) / small.factor, exposure)
    drawn.seams = replace(seams, pairs=seams.pairs[:LISTED], noise=noise)
    outlines = _outlines(drawn, layer)
    if not (outlines and seams.pairs and len(local.squares)):
        return
    worst = seams.pairs[0]
    words = (
        f"{layer_title(layer.name)}: steps of the background where exposures overlap, largest between {worst.first} "
    )
    words += f"and {worst.second}, {worst.largest:.2g} e\N{SUPERSCRIPT MINUS}/s"
    drawn.embed("seams", draw_seams(drawn.seams, local, outlines, north_up(small)), words, "", layer.name)


def _count(drawn: DrawnLayer, layer: Layer, small: Decimated) -> None:
    """Show the number of exposures at each place, from their outlines."""
    outlines = _outlines(drawn, layer)
    if not outlines:
        return
    counts = exposure_counts(outlines, small)
    if not counts.any():
        return
    image = draw_counts(north_up(replace(small, weight=counts)))
    words = f"{layer_title(layer.name)}: number of exposures, up to {counts.max():.0f}"
    drawn.embed("counts", image, words, "", layer.name)
