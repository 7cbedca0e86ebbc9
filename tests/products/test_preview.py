"""The picture of a layer, of any shape: nothing sticks out of the image, and the weight has its unit."""

import numpy as np
import pytest
from astropy.wcs import WCS
from matplotlib.colors import to_rgb

from hstmosaic.products.canvas import MARGIN, NIGHT
from hstmosaic.products.orient import View
from hstmosaic.products.preview import draw_preview


def view(shape):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [180, 26]
    wcs.wcs.cd = np.diag([-1e-5, 1e-5])
    science = np.random.default_rng(1).normal(0, 1, shape)
    return View(science, np.full(shape, 500.0), wcs, 0.0)


@pytest.mark.parametrize("shape", [(60, 800), (300, 300), (800, 60)])
def test_nothing_sticks_out_of_the_image(shape):
    preview = draw_preview(view(shape), "", "", "weight (WHT), s")
    pixels = np.asarray(preview.image)[::-1] / 255
    box = preview.science
    beside = np.concatenate(
        [
            pixels[box.bottom + box.height : box.bottom + box.height + MARGIN, box.left : box.left + box.width],
            pixels[max(box.bottom - MARGIN, 0) : box.bottom, box.left : box.left + box.width],
        ]
    )
    assert np.abs(beside - np.array(to_rgb(NIGHT))).max() < 0.01
    before = pixels[box.bottom : box.bottom + box.height, : box.left]
    assert np.abs(before - np.array(to_rgb(NIGHT))).max() < 0.01
