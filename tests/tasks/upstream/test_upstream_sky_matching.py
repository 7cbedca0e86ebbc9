"""Sky matching in less time gives the same numbers, and the original still takes the time."""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from spherical_geometry.polygon import SphericalPolygon
from stsci.skypac import region, skymatch

from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.tasks.upstream import sky_matching

pytestmark = pytest.mark.upstream

SIZE = 40
corner = st.tuples(st.integers(-15, SIZE + 15), st.integers(-15, SIZE + 15))


@given(vertices=st.lists(corner, min_size=3, max_size=7))
@settings(max_examples=400)
def test_polygons_are_filled_as_before(vertices):
    polygon = region.Polygon(True, [*vertices, vertices[0]])
    expected = region.Polygon.scan(polygon, np.zeros((SIZE, SIZE + 5), dtype=bool))
    np.testing.assert_array_equal(sky_matching.fill_polygon(polygon, np.zeros((SIZE, SIZE + 5), dtype=bool)), expected)


@given(
    first=st.tuples(st.floats(0, 0.2), st.floats(-0.1, 0.1)),
    second=st.tuples(st.floats(0, 0.2), st.floats(-0.1, 0.1)),
    size=st.floats(0.005, 0.05),
)
@settings(max_examples=200)
def test_polygons_whose_caps_are_apart_do_not_overlap(first, second, size):
    x, y = np.array([0, 1, 1, 0]) * size, np.array([0, 0, 1, 1]) * size
    one, other = (
        SphericalPolygon.from_radec(ra + x, dec + y, (ra + size / 2, dec + size / 2)) for ra, dec in (first, second)
    )
    (centre, radius), (other_centre, other_radius) = (
        sky_matching.cap_around(next(iter(polygon.points))) for polygon in (one, other)
    )
    if sky_matching._angle(centre, other_centre) > radius + other_radius + sky_matching._MARGIN:
        assert list(one.intersection(other)) == []


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Six exposures, each of which overlaps its neighbours, and one far away."""
    folder = tmp_path_factory.mktemp("chain")
    places = [7.0 * k for k in range(6)] + [300.0]
    visits = [
        Visit("wfc3_uvis", "F606W", exposures=1, subarray=(300, 300), offset=(place, 0.3 * place), skies=(1 + k / 5,))
        for k, place in enumerate(places)
    ]
    return simulate_field(build_field("chain", Pointing(*sky_cell_corner(), 30.0), visits), folder)


@pytest.fixture
def matched(chain, tmp_path, monkeypatch):
    """Copy the exposures, match their skies, and return these and the number of intersections that it took."""

    def match(name):
        (tmp_path / name).mkdir()
        for path in chain:
            shutil.copy(path, tmp_path / name)
        monkeypatch.chdir(tmp_path / name)
        calls = []
        intersection = SphericalPolygon.intersection
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SphericalPolygon, "intersection", lambda *a: calls.append(a) or intersection(*a))
            files = ",".join(path.name for path in chain)
            options = {"skymethod": "match", "skystat": "median", "subtractsky": False, "readonly": False}
            skymatch.skymatch(files, **options, skyuser_kwd="MDRIZSKY", lower=-100.0, verbose=False, flog=None)
        return [fits.getval(path.name, "MDRIZSKY", "SCI") for path in chain], len(calls)

    return match


def test_skies_are_the_same_with_fewer_intersections(matched, monkeypatch):
    expected, all_pairs = matched("original")
    assert all_pairs == 21, "skymatch leaves out distant pairs now: drop skip_distant_pairs"
    monkeypatch.setattr(skymatch, "_calc_sky", skymatch._calc_sky)
    monkeypatch.setattr(region.Polygon, "scan", region.Polygon.scan)
    sky_matching.skip_distant_pairs()
    sky_matching.fill_polygons_fast()
    found, pairs = matched("replaced")
    assert found == expected
    assert len(set(expected)) == 6, "the skies differ, and the last one is not matched"
    assert 5 <= pairs <= 10
