"""Steps of the background between exposures are measured, as far as AstroDrizzle leaves them."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.plan.exposures import read_exposure
from hstmosaic.products.seams import Seams, group_medians, measure_seams
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

STEP = 0.4
"""Electrons per second and pixel; the sky of the exposures has 0.7 to 1."""


@pytest.fixture(scope="module")
def exposures(simulated):
    """Three WFC3/IR exposures of one place with the same sky."""
    return [read_exposure(path) for path in simulated.infrared(3).paths]


def measured(exposures, *subtracted):
    """Measure seams after these skies were subtracted, in the units of the exposures."""
    skies = {(exposure.rootname, 1): sky for exposure, sky in zip(exposures, subtracted, strict=True)}
    found = measure_seams(exposures, skies, exposures[0].chips[0].wcs)
    return found and found[0]


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


def test_pairs_have_their_own_steps(exposures):
    found = measured(exposures, 0.0, STEP, 3 * STEP)
    names = [exposure.name for exposure in exposures]
    expected = {frozenset(names[::2]): 3 * STEP, frozenset(names[1:]): 2 * STEP, frozenset(names[:2]): STEP}
    assert [frozenset((pair.first, pair.second)) for pair in found.pairs] == list(expected)
    for pair, step in zip(found.pairs, expected.values(), strict=True):
        assert names.index(pair.first) < names.index(pair.second)
        assert pair.step == pytest.approx(step, rel=0.05)


def test_a_gradient_is_largest_at_the_edge(tmp_path):
    paths = simulate_field(requested_field(cameras=["wfc3_ir:F160W:2"], subarray=(512, 512)), tmp_path)
    with fits.open(paths[1], mode="update") as hdus:
        hdus["SCI"].data += np.linspace(-STEP, STEP, 512, dtype=np.float32)
    exposures = [read_exposure(path) for path in paths]
    mosaic = exposures[0].chips[0].wcs
    seams, local = measure_seams(exposures, {(exposure.rootname, 1): 0.0 for exposure in exposures}, mosaic)
    (pair,) = seams.pairs
    assert abs(pair.step) < 0.1 * STEP
    assert pair.largest == pytest.approx(STEP, rel=0.25)
    columns = np.linspace(0.15, 0.85, 8)
    found = local.at(np.column_stack(mosaic.all_pix2world(columns * 512, np.full(8, 256), 0)))
    # within a square of 12 arcsec, a fifth of the exposure, the step changes by 0.4
    assert found == pytest.approx(np.abs(2 * columns - 1) * STEP, abs=0.3 * STEP)
    assert np.isnan(local.at(mosaic.all_pix2world([[-200, -200], [800, 256]], 0))).all()


def test_seams_are_read_as_they_were_written(exposures):
    found = measured(exposures, 0.0, STEP, 0.0)
    assert Seams.from_dict(asdict(found)) == found


@pytest.mark.parametrize("seed", range(5))
def test_medians_of_groups_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.concatenate([np.arange(40), rng.integers(0, 40, 60 * seed)]))
    values = rng.normal(size=len(groups)).round(1)
    expected = [np.median(values[groups == k]) for k in range(40)]
    np.testing.assert_array_equal(group_medians(values, groups), expected)
