"""Previews, footprints, region files and coverage maps of a run: ``python -m hstmosaic.products.pictures RUN``.

It is a separate program, so that the driver does not load the libraries that draw.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from hstmosaic.products.canvas import ARCMIN, TIMES, cut_out, save_whole
from hstmosaic.products.colour import Filter, compose, draw_composite
from hstmosaic.products.decimate import decimate
from hstmosaic.products.exposure_counts import draw_counts, exposure_counts
from hstmosaic.products.footprint_picture import SKY, draw_footprints
from hstmosaic.products.layer_marks import layer_colors, layer_title
from hstmosaic.products.measurements import Measurements, measure
from hstmosaic.products.orient import north_up
from hstmosaic.products.picture_list import Embedded, Extra, PictureList, write_picture_list
from hstmosaic.products.preview import draw_preview
from hstmosaic.products.run_record import read_record
from hstmosaic.products.seams import Seams, measure_seams
from hstmosaic.products.sky_coverage import coverage_map
from hstmosaic.products.sky_levels import SkyLevel, sky_levels, subtracted_skies
from hstmosaic.products.sky_regions import ds9_text, exposure_regions
from hstmosaic.store.files import CHECKSUM_COMMENT, atomic_draft, write_atomically
from hstmosaic.store.stage_events import FailureDigested, Gathered, LayerFailed, Reused
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from PIL import Image

    from hstmosaic.plan.layers import Layer, Product
    from hstmosaic.products.decimate import Decimated
    from hstmosaic.products.run_record import RunRecord


def make_pictures(run: Path) -> tuple[Path, ...]:
    """Make the pictures of the products of a run.

    Parameters
    ----------
    run : pathlib.Path
        The run directory. What the report needs goes to its folder ``pictures`` and to ``pictures.json``.

    Returns
    -------
    tuple of pathlib.Path
        Files in the output directory. Earlier pictures that were not remade are removed, except those of mosaics that
        an interrupted start did not reach.

    Raises
    ------
    OutputError
        If it is not a run directory.
    """
    mpl.rcdefaults()  # a matplotlibrc of the user changes nothing
    record = read_record(run)
    studio = _Studio(record)
    if not record.command.stub:
        for layer in record.made:
            studio.show_layer(layer)
        studio.show_colours()
        studio.show_footprints()
    studio.finish()
    return tuple(record.output / extra.name for extra in studio.extras)


class _Studio:
    """Makes and lists pictures."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.output = record.output
        self.folder = record.directory.pictures
        self.folder.mkdir(exist_ok=True)
        self.extras: list[Extra] = []
        self.embedded: list[Embedded] = []
        self.measured: dict[str, Measurements] = {}
        self.skies: dict[str, SkyLevel] = {}
        self.seams: dict[str, Seams] = {}
        self.filters: list[Filter] = []
        self.colors = layer_colors(record.plan)

    def show_layer(self, layer: Layer) -> None:
        """Show a layer on the fine grid; map the coverage of all of its products."""
        finest = min(layer.products, key=lambda product: product.grid.scale)
        for product in layer.products:
            small = decimate(self.output / product.name)
            self.measured[product.name] = measure(small, layer.filter)
            self._map_product(layer, product, small)
            if product is finest and small.covered.any():
                self._preview(layer, product, small)
                self._count(layer, small)
                used = [self.record.plan.exposure(name) for name in self.record.used(layer)]
                subtracted = subtracted_skies(self.output / product.name)
                self.skies |= sky_levels(subtracted, used)
                seams = measure_seams(used, subtracted, small.wcs)
                if seams is not None:
                    self.seams[layer.name] = seams
                self.filters.append(Filter(layer.filter.upper(), small))

    def _map_product(self, layer: Layer, product: Product, small: Decimated) -> None:
        stem = product.name.removesuffix(".fits")
        self._write_regions(f"{stem}.reg", self.record.used(layer), Extra("", "regions", layer.name, product.name))
        name = f"{stem}_moc.fits"
        hdus = coverage_map(small).serialize("fits")
        for hdu in hdus:
            hdu.add_checksum(when=CHECKSUM_COMMENT)
        with atomic_draft(self.output / name) as draft:
            hdus.writeto(draft)
        self.extras.append(Extra(name, "coverage", layer.name, product.name))

    def _write_regions(self, name: str, exposures: tuple[str, ...], about: Extra) -> None:
        chosen = set(exposures)
        outlines = [outline for outline in self.record.outlines if outline.name in chosen]
        if not outlines:
            return
        left_out = {exclusion.name for exclusion in self.record.left_out}
        write_atomically(self.output / name, ds9_text(exposure_regions(outlines, self.colors, left_out)))
        self.extras.append(Extra(name, about.kind, about.layer, about.product))

    def _preview(self, layer: Layer, product: Product, small: Decimated) -> None:
        view = north_up(small)
        ny, nx = view.science.shape
        width, height = (f"{n * view.scale / 60:.1f}{ARCMIN}" for n in (nx, ny))
        title = layer_title(layer.name)
        used = self.record.used(layer)
        time = sum(self.record.plan.exposure(name).exptime for name in used)
        subtitle = f"{count_of(len(used), 'exposure')}, {time:,.0f} s, {width} {TIMES} {height}"
        preview = draw_preview(view, title, subtitle, "weight (WHT), s")
        name = f"{product.name.removesuffix('.fits')}_preview.png"
        save_whole(self.output / name, preview.image)
        self.extras.append(Extra(name, "preview", layer.name, product.name))
        seen = f"{width} wide and {height} high, north {'up' if abs(view.north) < 1 else 'marked'}"
        self._embed("science", preview.science_image(), f"{title}: the mosaic, {seen}", name, layer.name)
        self._embed("weight", preview.weight_image(), f"{title}: weight of each pixel of the mosaic", name, layer.name)

    def _count(self, layer: Layer, small: Decimated) -> None:
        """Show the number of exposures at each place, from their outlines."""
        used = set(self.record.used(layer))
        outlines = [outline for outline in self.record.outlines if outline.name in used]
        if not outlines:
            return
        counts = exposure_counts(outlines, small)
        if not counts.any():
            return
        image = draw_counts(north_up(replace(small, weight=counts)))
        words = f"{layer_title(layer.name)}: number of exposures, up to {counts.max():.0f}"
        self._embed("counts", image, words, "", layer.name)

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
        """Show the outlines of the exposures, including those of failed layers."""
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
        words += ", over the edges of sky cells; excluded ones are dashed, clipped parts hatched in red"
        # letters next to it would be too small in a narrow window; the report has a separate key
        self._embed("footprints", cut_out(picture, SKY), words, name)
        everything = tuple(outline.name for outline in outlines)
        self._write_regions(f"{self.record.plan.prefix}_exposures.reg", everything, Extra("", "regions"))

    def _embed(self, kind: str, image: Image.Image, alt: str, whole: str, layer: str = "") -> None:
        file = f"{'_'.join(part for part in (layer, kind) if part)}.webp"
        save_whole(self.folder / file, image, quality=85, method=2)
        self.embedded.append(Embedded(file, kind, alt, image.width, image.height, whole, layer))

    def finish(self) -> None:
        """Remove pictures of earlier starts that show nothing any more, and write the list."""
        names = {extra.name for extra in self.extras}
        kept = []
        for old in self._earlier():
            if old.name in names:
                continue
            if self._still_shows(old):
                kept.append(old)
            else:
                (self.output / old.name).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.name not in {picture.file for picture in self.embedded}:
                path.unlink()
        shown = tuple(self.extras), tuple(kept), tuple(self.embedded)
        pictures = PictureList(*shown, self.measured, self.skies, self.seams)
        write_picture_list(self.record.directory.pictures_file, pictures)

    def _earlier(self) -> tuple[Extra, ...]:
        return (*self.record.pictures.files, *self.record.pictures.kept)

    def _still_shows(self, old: Extra) -> bool:
        """Return whether an earlier picture shows existing mosaics that the last start did not reach."""
        payloads = [event.payload for event in self.record.events]
        ended = {found.layer for found in payloads if isinstance(found, Gathered | LayerFailed | FailureDigested)}
        reused = {found.layer for found in self.record.payloads(Reused)}
        if {layer.name for layer in self.record.plan.layers} <= ended | reused:
            return False
        # a picture without a layer shows all layers that have a preview
        about = [old] if old.layer else [other for other in self._earlier() if other.kind == "preview"]
        return all(other.layer not in ended and (self.output / other.product).is_file() for other in about)


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]))
