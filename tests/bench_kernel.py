"""Time both kernels on one full frame of WFC3/UVIS, and compare their pixels.

    python tests/bench_kernel.py [--times 3]

Both chips of a simulated exposure are drizzled onto a grid of 0.04 arcseconds. The least CPU time counts.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from drizzlepac import cdriz

from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.tasks.boxes import geometry, own_kernel
from hstmosaic.tasks.boxes.records import Box, ChipRecord

SHAPE = (5000, 5000)
SCALE = 0.04 / 3600


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        visit = Visit("wfc3_uvis", "F606W", exposures=1)
        simulate_field(build_field("kernel", Pointing(*sky_cell_corner(), 30.0), [visit], seed=3), Path(folder))
        (exposure,) = Path(folder).glob("*_fl?.fits")
        grid = make_grid(exposure)
        print(f"{SHAPE[1]} x {SHAPE[0]} pixels of 0.04 arcsec, both chips of {exposure.name}, least of {times} times")
        for pixfrac in (1.0, 0.8):
            chips = [read_chip(exposure, extver, pixfrac) for extver in (1, 2)]
            stock, expected = timed(times, chips, lambda chip, arrays: drizzle_stock(chip, grid, arrays))
            line = f"pixfrac {pixfrac}: drizzlepac {stock:.2f} CPU s"
            for instructions, name in (("auto", "own kernel"), ("plain", "without AVX2")):
                own, found = timed(
                    times, chips, lambda chip, arrays, how=instructions: drizzle_own(chip, grid, arrays, how)
                )
                equal = all(one.tobytes() == other.tobytes() for one, other in zip(found, expected, strict=True))
                assert equal, f"pixels of the {name} differ"
                line += f", {name} {own:.2f} ({own / stock:.2f})"
            print(f"{line}; equal to the bit")


def make_grid(exposure):
    header = fits.getheader(exposure, "SCI", 1)
    grid = WCS(naxis=2)
    grid.wcs.ctype, grid.wcs.crval = ["RA---TAN", "DEC--TAN"], [header["CRVAL1"], header["CRVAL2"]]
    grid.wcs.crpix, grid.wcs.cd = [SHAPE[1] / 2, SHAPE[0] / 2], SCALE * np.diag([-1.0, 1.0])
    grid.wcs.set()
    return grid


def read_chip(exposure, extver, pixfrac):
    pixels = np.ascontiguousarray(fits.getdata(exposure, "SCI", extver), np.float32)
    record = ChipRecord(
        name="", shape=pixels.shape, pixels="", weight=None, mask="", geometry="", extver=extver, nodes="",
        pixel_ratio=0.99, number=extver, exposure_time=1.0, units="cps", weight_scale=1.0, pixfrac=pixfrac,
        kernel="square", step=10.0,
    )  # fmt: skip
    return record, geometry.chip_wcs(exposure, extver, pixels.shape), pixels, np.full(pixels.shape, 350, np.float32)


def timed(times, chips, drizzle):
    """Return the least CPU time of some drizzles of all chips, and the arrays."""
    least = np.inf
    for _ in range(times):
        arrays = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32), np.zeros((1, *SHAPE), np.int32)
        start = time.process_time()
        for chip in chips:
            drizzle(chip, arrays)
        least = min(least, time.process_time() - start)
    return least, arrays


def drizzle_stock(chip, grid, arrays):
    record, wcs, pixels, weights = chip
    mapping = geometry.make_mapping(wcs, grid, record.shape, record.step)
    cdriz.tdriz(
        pixels, weights, *arrays[:2], arrays[2][0], record.number, 0, 1, 1, record.shape[0], record.pixel_ratio, 1.0,
        1.0, "center", record.pixfrac, "square", "cps", 1.0, 1.0, "INDEF", 0, 0, 1, mapping,
    )  # fmt: skip


def drizzle_own(chip, grid, arrays, instructions):
    record, wcs, pixels, weights = chip
    table = own_kernel.node_table(wcs, grid, record.shape, record.step)
    box = Box(0, SHAPE[0], 0, SHAPE[1])
    own_kernel.drizzle_chip(record, pixels, weights, 0, table, box, SHAPE, arrays, instructions)


if __name__ == "__main__":
    main()
