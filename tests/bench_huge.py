"""Make a mosaic of more than 2^31 pixels from two exposures 1.2 degrees apart, and read it in every way.

    python tests/bench_huge.py [--apart 3000]

astropy and CFITSIO (fitsio) must read the same bits. Parts of the mosaic must be those of mosaics of each exposure by
itself, but for the last bits: positions far from the first pixel are larger numbers. drizzlepac's static mask, which
depends on all exposures of a layer, is off. Printed as JSON: pixels, bytes, wall time, time and memory of the task that
made the mosaic, and both verdicts.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import fitsio
import numpy as np
from astropy.io import fits

from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.task_names import drizzle_task

SIDE = 256
WITHOUT_MASK = MosaicRequest(DrizzleParameters.from_dict({"": {"static": False}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apart", type=float, default=3000.0, help="distance along each axis, arcsec (3000)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        places = [(sign * given.apart / 2, sign * given.apart / 2) for sign in (-1, 1)]
        visits = [Visit("wfc3_uvis", "F606W", exposures=1, offset=place, subarray=(SIDE, SIDE)) for place in places]
        simulate_field(build_field("huge", Pointing(*sky_cell_corner(), 30.0), visits, seed=4), folder / "exposures")
        exposures = sorted((folder / "exposures").glob("*_flc.fits"))
        mosaic, result = made(exposures, folder / "whole")
        alike, near = zip(*(compare(mosaic, made([e], folder / e.stem)[0]) for e in exposures), strict=True)
    verdicts = {"astropy_and_cfitsio_agree": all(alike), "cut_outs_are_those_of_separate_mosaics": all(near)}
    print(json.dumps(result | verdicts, indent=1))
    sys.exit(not all(verdicts.values()))


def made(exposures: list[Path], output: Path) -> tuple[Path, dict[str, object]]:
    """Return the mosaic of some exposures, and what it took."""
    options = RunOptions(
        [str(path) for path in exposures],
        prefix="x",
        skip_alignment=True,
        output=output,
        learning=False,
        request=WITHOUT_MASK,
    )
    outcome = run_mosaic(options, lambda event: None)
    if outcome.failures:
        sys.exit(f"layers failed: {outcome.failures}")
    (mosaic,) = outcome.mosaics
    took = RunDirectory(outcome.directory).task(drizzle_task(outcome.plan.layers[0].name)).read_measured()
    height, width = outcome.plan.layers[0].products[-1].grid.shape
    return mosaic, {
        "pixels": height * width,
        "over_2_31": height * width > 1 << 31,
        "bytes": mosaic.stat().st_size,
        "wall_s": round(outcome.ended - outcome.started, 1),
        "task_cpu_s": round(took.cpu_seconds, 1) if took is not None else None,
        "task_peak_mb": round(took.max_rss_mb) if took is not None else None,
    }


def compare(mosaic: Path, alone: Path) -> tuple[bool, bool]:
    """Return whether astropy and CFITSIO read a part of a mosaic alike, and whether it is what another mosaic has."""
    alike, near = [], []
    for name in ("SCI", "WHT"):
        with fits.open(mosaic) as whole, fits.open(alone) as part, fitsio.FITS(str(mosaic)) as other:
            left, low = (round(whole[name].header[key] - part[name].header[key]) for key in ("CRPIX1", "CRPIX2"))
            expected = np.asarray(part[name].data)
            height, width = expected.shape
            rows, columns = slice(low, low + height), slice(left, left + width)
            cut = np.asarray(whole[name].section[rows, columns], ">f4")
            alike.append(cut.tobytes() == np.asarray(other[name][rows, columns], ">f4").tobytes())
            rounding = 1e-6 * float(np.nanmax(np.abs(expected)))
            near.append(bool(np.allclose(cut, expected, rtol=1e-5, atol=rounding, equal_nan=True) and (cut > 0).any()))
            print(
                f"{alone.parent.name} {name}: largest difference {np.nanmax(np.abs(cut - expected)):.2g}",
                file=sys.stderr,
            )
    return all(alike), all(near)


if __name__ == "__main__":
    main()
