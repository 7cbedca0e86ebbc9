"""Steps of the background between exposures are measured, as far as AstroDrizzle leaves them."""

from dataclasses import asdict, replace

import pytest

from hstmosaic.plan.exposures import read_exposure
from hstmosaic.products.seams import Seams, measure_seams

STEP = 0.4
"""Electrons per second and pixel; the sky of the exposures has 0.7 to 1."""


@pytest.fixture(scope="module")
def exposures(simulated):
    """Three WFC3/IR exposures of one place with the same sky."""
    return [read_exposure(path) for path in simulated.infrared(3).paths]


def measured(exposures, *subtracted):
    """Measure seams after these skies were subtracted, in the units of the exposures."""
    skies = {(exposure.rootname, 1): sky for exposure, sky in zip(exposures, subtracted, strict=True)}
    return measure_seams(exposures, skies, exposures[0].chips[0].wcs)


def test_equal_skies_have_no_step(exposures):
    found = measured(exposures, 0.3, 0.3, 0.3)
    assert found.exposures == 3
    assert abs(found.step) < 0.03 * STEP
    assert found.residual < 0.1 * STEP


@pytest.mark.parametrize("sign", [1, -1])
def test_a_known_step_in_one_exposure_is_measured(exposures, sign):
    found = measured(exposures, 0.0, -sign * STEP, 0.0)
    assert found.exposure == exposures[1].name
    assert found.step == pytest.approx(sign * STEP, rel=0.05)
    assert found.residual < 0.1 * STEP


def test_counts_are_divided_by_the_exposure_time(simulated):
    exposures = [read_exposure(path) for path in simulated.demo(200).paths[:2]]  # WFC3/UVIS counts electrons
    found = measured(exposures, 0.0, -10.0 * exposures[1].exptime)
    assert abs(found.step) == pytest.approx(10.0, rel=0.05)


def test_exposures_that_are_missing_or_alone_have_no_seams(exposures, tmp_path):
    gone = replace(exposures[1], path=tmp_path / "gone.fits")
    assert measured([exposures[0], gone], 0.0, 0.0) is None
    assert measured(exposures[:1], 0.0) is None


def test_seams_are_read_as_they_were_written(exposures):
    found = measured(exposures, 0.0, STEP, 0.0)
    assert Seams.from_dict(asdict(found)) == found
