"""The self-test: make a small mosaic and check that every processing step ran."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.io import fits

from hstmosaic.errors import HstMosaicError
from hstmosaic.run.doctor import Finding
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.drizzle_steps import DrizzleSteps
from hstmosaic.store.files import ENCODING
from hstmosaic.store.result_files import read_result
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.task_names import drizzle_task
from hstmosaic.store.task_results import DrizzleResult
from hstmosaic.store.task_specs import TRAILERS

if TYPE_CHECKING:
    from hstmosaic.run.outcome import Outcome
    from hstmosaic.simulate.fields import Field

_TEST = "self-test"
_SUBARRAY = (128, 128)
_SKIES = (1.0, 1.5)
"""Skies of the exposures, in units of the filter's; sky matching has to find the difference."""
_TOLERANCE = 0.02
"""Of the difference of skies."""
_MOSAIC_LEVEL = 4


def try_out() -> list[Finding]:
    """Mosaic two small simulated exposures in a temporary directory, and check every step.

    Returns
    -------
    list of Finding
        Of the mosaics, sky matching, static mask, drizzle and header refinement.
    """
    with tempfile.TemporaryDirectory(prefix="hstmosaic-") as folder:
        where = Path(folder)
        field = _field()
        simulate_field(field, where)
        options = RunOptions(
            str(where / "list.txt"), prefix=_TEST, skip_alignment=True, learning=False, output=where / "mosaics"
        )
        try:
            outcome = run_mosaic(options, lambda _: None)
        except HstMosaicError as error:
            return [Finding(_TEST, False, str(error))]
        if outcome.failures:
            return [Finding(_TEST, False, "; ".join(failure.cause for failure in outcome.failures))]
        return check_steps(outcome, field)


def check_steps(outcome: Outcome, field: Field) -> list[Finding]:
    """Check what the task of the only layer recorded, its trailers, and the headers of its mosaics.

    Parameters
    ----------
    outcome : Outcome
        Of the run.
    field : Field
        The exposures.
    """
    (layer,) = outcome.plan.layers
    output = outcome.directory.parent
    headers = {product.name: fits.getheader(output / product.name) for product in layer.products}
    covered = {name: int((fits.getdata(output / name, "WHT") > 0).sum()) for name in headers}
    words = ", ".join(f"{name} ({pixels} pixels with data)" for name, pixels in covered.items())
    result = read_result(RunDirectory(outcome.directory).task(drizzle_task(layer.name)).path)
    steps = result.read(DrizzleResult).steps if result is not None else DrizzleSteps()
    trailers = [path.read_text(ENCODING, errors="replace") for path in output.glob(TRAILERS)]
    chips = len(field.exposures) * len(headers)
    unrefined = [name for name, header in headers.items() if header.get("HAPLEVEL") != _MOSAIC_LEVEL]
    undrizzled = [name for name, header in headers.items() if header.get("NDRIZIM") != len(field.exposures)]
    written = [trailer.count("Saving static mask to disk") for trailer in trailers]
    return [
        Finding(_TEST, all(covered.values()), f"made {words} in {outcome.seconds:.0f} s"),
        _sky_matching(steps, field, trailers),
        Finding(
            "static mask",
            steps.masks == chips and all(written) and not steps.lost_masks,
            f"applied to {steps.masks} of {chips} chips",
        ),
        Finding(
            "drizzle",
            not undrizzled,
            f"{', '.join(undrizzled)} has not all exposures" if undrizzled else "all exposures are in every mosaic",
        ),
        Finding(
            "header refinement",
            not unrefined,
            f"{', '.join(unrefined)} has headers of AstroDrizzle" if unrefined else "the headers are those of a mosaic",
        ),
        *(Finding("fallback", False, message) for message in outcome.fallbacks),
    ]


def _field() -> Field:
    pointing = Pointing(*sky_cell_corner(), 30.0)
    visit = Visit("wfc3_ir", "F160W", exposures=len(_SKIES), subarray=_SUBARRAY, skies=_SKIES)
    return build_field(_TEST, pointing, [visit], dither=1.0)


def _sky_matching(steps: DrizzleSteps, field: Field, trailers: list[str]) -> Finding:
    first, second = field.exposures
    true = (second.sky - first.sky) * first.camera.filter(first.filter).sky
    found = [tuple(chip.sky for chip in matching.chips) for matching in steps.skies]
    differences = [skies[1] - skies[0] for skies in found if len(skies) == len(field.exposures)]
    good = (
        len(differences) == len(trailers)
        and not any(matching.errors for matching in steps.skies)
        and all(math.isclose(difference, true, rel_tol=_TOLERANCE) for difference in differences)
        and all("skymatch ended" in trailer for trailer in trailers)
    )
    words = ", ".join(f"{difference:.4f}" for difference in differences) or "none"
    return Finding("sky matching", good, f"difference of skies {words}, true {true:.4f} electrons/s")
