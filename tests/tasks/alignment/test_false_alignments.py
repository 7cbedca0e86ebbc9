"""A catalogue is accepted where it shows the stars of the field, and never where it does not."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.source_lists import Visit, random_stars, source_lists
from hstmosaic.tasks.alignment.inputs import Stars
from hstmosaic.tasks.alignment.solution import Status, solve

TWO = (Visit("uvis", exposures=1), Visit("ir", exposures=1))


@pytest.mark.slow
@pytest.mark.parametrize("density", [77.0, 231.0, 386.0, 772.0])
def test_random_catalogues_are_never_accepted(density):
    """Fifty tries each: two hundred in all."""
    for seed in range(50):
        lists = source_lists(seed, TWO)
        assert not solve(lists.exposures, random_stars(lists, density, seed)).absolute, seed


def test_a_crowded_random_catalogue_is_not_accepted():
    lists = source_lists(1, TWO, density=200.0)
    assert not solve(lists.exposures, random_stars(lists, 772.0, 1)).absolute


@pytest.mark.parametrize("seed", range(10))
def test_mirrored_catalogues_are_not_accepted(seed):
    lists = source_lists(seed, TWO)
    assert not solve(lists.exposures, replace(lists.stars, places=lists.stars.places * [1, -1])).absolute


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 30])
def test_right_catalogues_are_never_refused(count):
    """Two hundred tries with so many stars on one exposure, of which nine in ten are found among cosmic rays."""
    refused = []
    for seed in range(200):
        lists = source_lists(seed, [Visit(exposures=1, complete=1.0)], density=40.0, junk=40.0)
        inside = on_exposure(lists)[:count]
        if not solve(lists.exposures, lists.stars.chosen(inside)).absolute:
            refused.append(seed)
    assert not refused


def on_exposure(lists):
    """Indices of stars that lie well inside the first exposure."""
    exposure = lists.exposures[0]
    low, high = exposure.outline.min(axis=0) + 5, exposure.outline.max(axis=0) - 5
    return np.flatnonzero(((lists.stars.places > low) & (lists.stars.places < high)).all(axis=1))


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0])
def test_a_common_shift_is_followed(shift):
    """Nothing tells a catalogue of another frame from errors of all headers; the size of the moves is reported."""
    lists = source_lists(2, TWO)
    solution = solve(lists.exposures, replace(lists.stars, places=lists.stars.places + np.array([shift, 0.0])))
    assert solution.absolute
    np.testing.assert_allclose(lists.errors(solution)[:, 0], shift * 1000, atol=3)


def test_shifts_and_turns_beyond_what_hubble_does_are_refused():
    lists = source_lists(2, TWO)
    assert not solve(lists.exposures, replace(lists.stars, places=lists.stars.places + np.array([12.0, 0.0]))).absolute
    turn = np.deg2rad(0.6)
    turned = lists.stars.places @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    assert not solve(lists.exposures, replace(lists.stars, places=turned)).absolute
    assert not solve(lists.exposures, replace(lists.stars, places=lists.stars.places * 1.003)).absolute


@pytest.mark.parametrize("seed", range(5))
def test_a_catalogue_of_another_epoch_is_worth_what_its_scatter_says(seed):
    """Positions of 2016 without their motions, exposures of 2003: 39 mas of scatter, which formal errors follow."""
    lists = source_lists(seed, [replace(visit, epoch=2003.0) for visit in TWO])
    stars = replace(lists.stars, motions=np.zeros_like(lists.stars.motions))
    solution = solve(lists.exposures, stars)
    assert solution.absolute
    assert 0.025 < solution.jitter < 0.055
    for error, found in zip(lists.errors(solution), solution.exposures, strict=True):
        assert np.hypot(*error[:2]) < 4 * np.hypot(*found.errors) * 1000


@pytest.mark.parametrize("seed", range(5))
def test_half_of_a_catalogue_may_be_wrong(seed):
    lists = source_lists(seed, TWO, known=15.0)
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(lists.stars)) < 0.5
    places = lists.stars.places.copy()
    places[wrong] += rng.normal(0, 0.3, (np.count_nonzero(wrong), 2))
    solution = solve(lists.exposures, replace(lists.stars, places=places))
    assert solution.absolute
    assert lists.errors(solution)[:, 2].max() < 6


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_exposure_does_not_pull_the_others(seed):
    lists = source_lists(seed, (Visit("uvis"), Visit("wfc")), density=20.0)
    bad = lists.exposures[1]
    mirrored = replace(bad, places=(bad.places - bad.centre) * [1, -1] + bad.centre)
    exposures = [lists.exposures[0], mirrored, *lists.exposures[2:]]
    solution = solve(exposures, lists.stars)
    assert [found.status for found in solution.exposures] == [
        Status.FITTED, Status.CARRIED, Status.FITTED, Status.FITTED
    ]  # fmt: skip
    assert "match" in solution.exposures[1].reason
    assert lists.errors(solution)[[0, 2, 3], 2].max() < 3
    assert lists.errors(solution)[1, 2] < 8, "it follows its visit"


def test_no_sources_and_no_stars():
    lists = source_lists(1, TWO)
    empty = [replace(e, places=np.empty((0, 2)), errors=np.empty(0)) for e in lists.exposures]
    none = Stars(*(getattr(lists.stars, name)[:0] for name in lists.stars.__dataclass_fields__))
    for stars in (lists.stars, none):
        solution = solve(empty, stars)
        assert not solution.moved
        assert {found.reason for found in solution.exposures} == {"it has no sources"}
