"""Error maps against the scatter of blank skies, and exposure numbers against geometry."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from helpers.pointed_exposures import Aim, aimed, write_aimed
from hstmosaic.errors import OptionError
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.pixel_bytes import pixel_bytes
from hstmosaic.plan.request import MosaicRequest, Sky
from hstmosaic.plan.tiles import Tiling
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import sky_cell_corner

pytestmark = pytest.mark.upstream

RA, DEC = sky_cell_corner()
ARCSEC = 1 / 3600
MARGIN = 20


def aims(camera, shape):
    """Three exposures of a blank sky, of different depths, a few pixels apart."""
    common = {"cosmic_rays": 0.0, "sky": 30.0}
    return [
        Aim(
            RA + 3 * ARCSEC * number,
            DEC + 0.7 * ARCSEC * number,
            camera=camera,
            shape=shape,
            more=common | {"number": number + 1, "exptime": exptime, "seed": 7 + number},
        )
        for number, exptime in enumerate((300.0, 600.0, 300.0))
    ]


@pytest.fixture(scope="module", params=[("wfc3_uvis", (300, 360)), ("wfc3_ir", (128, 128))], ids=["uvis", "ir"])
def mosaic(request, tmp_path_factory):
    """The mosaic of a blank sky, and its exposures."""
    folder = tmp_path_factory.mktemp("blank")
    taken = aims(*request.param)
    paths = [str(write_aimed(folder, aim)) for aim in taken]
    options = RunOptions(
        tuple(paths),
        prefix="foo",
        skip_alignment=True,
        output=folder / "out",
        request=MosaicRequest(
            DrizzleParameters.from_dict({"": {"driz_cr": False}}),
            Sky.NONE,
            compress=True,
            tiles=Tiling((300, 250)),
            error=True,
            context=True,
            margin=MARGIN,
        ),
    )
    outcome = run_mosaic(options, lambda event: None)
    assert outcome.exit_code == 0, outcome.failures
    return outcome.mosaics[-1], [aimed(aim) for aim in taken], outcome


def blocks(pixels, size):
    height, width = (length // size * size for length in pixels.shape)
    return pixels[:height, :width].reshape(height // size, size, width // size, size).swapaxes(1, 2)


@pytest.mark.parametrize("depth", [1, 3])
def test_errors_are_the_scatter_of_sums_of_pixels(mosaic, depth):
    path, _, _ = mosaic
    with fits.open(path) as hdus:
        science, errors, numbers = (hdus[name].data.astype(float) for name in ("SCI", "ERR", "NEXP"))
    size = 16
    whole = [blocks(image, size) for image in (science, errors, numbers)]
    chosen = (whole[2] == depth).all(axis=(2, 3)) & np.isfinite(whole[1]).all(axis=(2, 3))
    sums, expected = whole[0][chosen].sum(axis=(1, 2)), np.sqrt((whole[1][chosen] ** 2).sum(axis=(1, 2)))
    assert len(sums) > 60
    scatter = 1.4826 * np.median(np.abs(sums - np.median(sums)) / expected)
    # the scatter of n values is known to 1.2 / sqrt(2 n)
    assert scatter == pytest.approx(1, abs=3.6 / np.sqrt(2 * len(sums)))


def seen(exposure, sky, margin):
    """Tell which positions lie in an exposure, `margin` pixels from its edges, or beyond them if it is negative."""
    found = np.zeros(len(sky), bool)
    for chip in exposure.chips:
        x, y = chip.wcs.all_world2pix(sky, 0, quiet=True).T
        height, width = chip.shape
        inside = (x > margin - 0.5) & (x < width - 0.5 - margin) & (y > margin - 0.5) & (y < height - 0.5 - margin)
        found |= inside
    return found


def test_numbers_of_exposures_are_those_of_geometry(mosaic):
    path, exposures, _ = mosaic
    with fits.open(path) as hdus:
        numbers, context, weights = (hdus[name].data for name in ("NEXP", "CTX", "WHT"))
        plane = WCS(hdus["SCI"].header)
    rng = np.random.default_rng(4)
    height, width = numbers.shape
    x, y = rng.integers(0, width, 4000), rng.integers(0, height, 4000)
    sky = plane.wcs_pix2world(np.column_stack([x, y]), 0)
    least, most = (sum(seen(exposure, sky, margin).astype(int) for exposure in exposures) for margin in (1.5, -1.5))
    found = numbers[y, x]
    assert (found <= most).all()
    # bad pixels have no weight
    assert (found >= least).mean() > 0.98
    assert set(np.unique(found)) == {0, 1, 2, 3}
    # every exposure has one chip, so one bit
    assert (np.bitwise_count(context.astype(np.uint32)) == numbers).all()
    assert ((numbers > 0) == (weights > 0)).all()


def test_the_margin_lies_around_the_exposures(mosaic):
    covered = fits.getdata(mosaic[0], "WHT") > 0
    for axis in (0, 1):
        found = np.flatnonzero(covered.any(axis=axis))
        for free in (found[0], covered.shape[1 - axis] - 1 - found[-1]):
            # a drop reaches a pixel further than the outline; coarse pixels stay whole
            assert MARGIN - 1 <= free < MARGIN + 7


def test_the_planned_space_is_that_of_the_images(mosaic):
    path, exposures, outcome = mosaic
    with fits.open(path) as hdus:
        images = [hdus[name] for name in ("SCI", "WHT", "CTX", "ERR", "NEXP")]
        found = sum(hdu.data.nbytes for hdu in images)
        assert found == pixel_bytes(outcome.plan.request, exposures).total * images[0].data.size


def test_tiles_and_checksums_include_the_planes(mosaic):
    path, _, outcome = mosaic
    assert verify_products(outcome.output, read_manifests(outcome.output), lambda size: None).faults == ()
    with fits.open(path) as hdus:
        whole = {name: hdus[name].data for name in ("SCI", "WHT", "CTX", "ERR", "NEXP")}
        assert hdus[0].header["NEXTEND"] == len(hdus) - 1
    tiles = [product.name for product in outcome.products if product.kind == "tile" and "coarse" not in product.name]
    for name in tiles:
        with fits.open(outcome.output / name, checksum=True) as hdus:
            left, bottom = (hdus[0].header[keyword] - 1 for keyword in ("HMTILEX", "HMTILEY"))
            for extension, image in whole.items():
                pixels = hdus[extension].data
                height, width = pixels.shape
                cut = image[bottom : bottom + height, left : left + width]
                assert pixels.astype(image.dtype).tobytes() == cut.tobytes()
                assert hdus[extension].header["CRPIX1"] == fits.getheader(path, extension)["CRPIX1"] - left


def test_errors_need_inverse_variances():
    with pytest.raises(OptionError, match="--error sets final_wht_type to ERR"):
        MosaicRequest(DrizzleParameters.from_dict({"wfc3/ir": {"final_wht_type": "IVM"}}), error=True)
