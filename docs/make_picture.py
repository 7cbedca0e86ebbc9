"""Make the pictures of the documentation.

docs/make_picture.py docs/mosaics.png        of a field that it simulates and mosaics, for the README
docs/make_picture.py docs/demo.png mosaics   of the products of the demonstration, for the tutorial
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from matplotlib.patches import Rectangle
from PIL import Image
from scipy.ndimage import minimum_filter, uniform_filter

from hstmosaic.products.canvas import (
    FAINT,
    INK,
    MARGIN,
    Box,
    Sheet,
    cut_out,
    draw_compass,
    draw_scale_bar,
    new_sheet,
)
from hstmosaic.products.colour import Filter, compose
from hstmosaic.products.decimate import Decimated, decimate
from hstmosaic.products.orient import View, north_up
from hstmosaic.products.preview import draw_preview
from hstmosaic.run.driver import RunOptions, run_mosaic
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.attitude import Pointing
from hstmosaic.simulate.fields import Field, Visit, build_field
from hstmosaic.simulate.ready_made import sky_cell_corner

LAYERS = ("wfc3_ir_f160w", "wfc3_uvis_f814w", "wfc3_uvis_f606w")
MAIN, TILE, TITLE = 700, 333, 34
CLOSE = 301
"""Pixels of the mosaics that a close-up is wide."""


def galaxies() -> Field:
    """Return a field that is richer and deeper than the demonstration, and that all filters cover alike."""
    visits = [
        Visit("wfc3_uvis", "F606W", exposures=4, exptime=1500.0, subarray=(1700, 1700)),
        Visit("wfc3_uvis", "F814W", exposures=4, exptime=1500.0, subarray=(1700, 1700)),
        Visit("wfc3_ir", "F160W", exposures=4, exptime=1000.0, subarray=(512, 512)),
    ]
    pointing = Pointing(*sky_cell_corner(), 20.0)
    return build_field(
        "galaxies", pointing, visits, seed=5, dither=3.0, density=120, galaxies=600, cosmic_rays=0.0, program="gal"
    )


def draw(folder: Path) -> Image.Image:
    """Draw the products in a folder: in colour, and close up in each filter with the weight of the last."""
    paths = [next(folder.glob(f"*_{layer}_all_dr?.fits")) for layer in LAYERS]
    names = [layer.rsplit("_", maxsplit=1)[1].upper() for layer in LAYERS]
    smalls = [decimate(path) for path in paths]
    composite = compose([Filter(name, small) for name, small in zip(names, smalls, strict=True)])
    shown = north_up(replace(smalls[0], weight=np.max([small.weight for small in smalls], axis=0)))
    x, y = _busiest(smalls)

    right = 2 * MARGIN + MAIN
    sheet = new_sheet(right + 2 * (TILE + MARGIN), MAIN + 2 * MARGIN + TITLE)
    ny, nx = composite.covered.shape
    width, height = (round(MAIN * n / max(nx, ny)) for n in (nx, ny))
    box = Box(MARGIN + (MAIN - width) // 2, MARGIN + (MAIN - height) // 2, width, height)
    axes = sheet.image_axes(box)
    pixels = np.dstack([composite.pixels, 255 * composite.covered.astype(np.uint8)])
    axes.imshow(pixels, origin="lower", aspect="auto", interpolation="antialiased")
    draw_compass(axes, box, composite.north)
    draw_scale_bar(axes, box, composite.scale * nx / width)
    sheet.write(MARGIN, sheet.height - MARGIN - 12, f"{', '.join(names)} as red, green, blue", 17, fontweight="bold")

    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        with fits.open(path) as hdus:
            part = slice(y, y + CLOSE), slice(x, x + CLOSE)
            close = View(hdus["SCI"].data[part], hdus["WHT"].data[part], WCS(hdus["SCI"].header)[part], shown.north)
        left, bottom = right + (number % 2) * (TILE + MARGIN), MARGIN + (1 - number // 2) * (TILE + TITLE)
        preview = draw_preview(close, "", "", "")
        _put(sheet, preview.science_image(), Box(left, bottom, TILE, TILE), name)
    corners = close.wcs.wcs_pix2world([[-0.5, -0.5], [CLOSE - 0.5, CLOSE - 0.5]], 0)
    (x0, y0), (x1, y1) = shown.wcs.wcs_world2pix(corners, 0)
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=INK, linewidth=1.2))
    whole = draw_preview(north_up(smalls[-1]), "", "", "")
    weight = cut_out(whole.image, replace(whole.weight, width=whole.science.width))
    depth = f"weight of {names[-1]}, up to {smalls[-1].weight_range[1]:,.0f} s"
    _put(sheet, weight, Box(right + TILE + MARGIN, MARGIN, TILE, TILE), depth)
    return sheet.render()


def _busiest(smalls: list[Decimated]) -> tuple[int, int]:
    """Return the lower left pixel of the close-up that shows most in all filters."""
    side = CLOSE // smalls[0].factor
    least = np.min([(small.science - np.nanmedian(small.science)) / small.noise for small in smalls], axis=0)
    light = uniform_filter(np.clip(np.nan_to_num(least), 0, 20), side)
    inside = minimum_filter(np.all([small.covered for small in smalls], axis=0), side)
    row, column = np.unravel_index(np.argmax(light * inside), light.shape)
    return int(column - side // 2) * smalls[0].factor, int(row - side // 2) * smalls[0].factor


def _put(sheet: Sheet, image: Image.Image, box: Box, title: str) -> None:
    """Put a picture into a box, as large as it fits, with a title over it."""
    scale = min(box.width / image.width, box.height / image.height)
    size = round(image.width * scale), round(image.height * scale)
    inner = Box(box.left + (box.width - size[0]) // 2, box.bottom + (box.height - size[1]) // 2, *size)
    sheet.image_axes(inner).imshow(np.asarray(image)[::-1], origin="lower", aspect="auto", interpolation="antialiased")
    sheet.write(box.left, box.bottom + box.height + 9, title, 15, FAINT)


def main(target: Path, folder: Path | None = None) -> None:
    """Draw the products in a folder, or those of a field of its own."""
    if folder is not None:
        draw(folder).save(target, optimize=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        simulate_field(galaxies(), Path(scratch) / "exposures")
        listed = str(Path(scratch) / "exposures" / "list.txt")
        run_mosaic(RunOptions(listed, skip_alignment=True, output=Path(scratch)), lambda event: print(event.message))
        draw(Path(scratch)).save(target, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
