"""Sky matching in less time gives the same numbers, and the original still takes the time."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from drizzlepac import sky
from hypothesis import given, settings
from hypothesis import strategies as st
from spherical_geometry import great_circle_arc
from spherical_geometry.polygon import SphericalPolygon
from stsci.skypac import region, skymatch
from stsci.skypac.skystatistics import SkyStats

from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.tasks.exact import pixels_within
from hstmosaic.tasks.upstream import held_pixels, sky_overlaps, sky_pixels

pytestmark = pytest.mark.upstream

SIZE = 40
corner = st.tuples(st.integers(-15, SIZE + 15), st.integers(-15, SIZE + 15))


@given(vertices=st.lists(corner, min_size=3, max_size=7))
@settings(max_examples=400)
def test_polygons_are_filled_as_before(vertices):
    polygon = region.Polygon(True, [*vertices, vertices[0]])
    expected = region.Polygon.scan(polygon, np.zeros((SIZE, SIZE + 5), dtype=bool))
    np.testing.assert_array_equal(sky_pixels.fill_polygon(polygon, np.zeros((SIZE, SIZE + 5), dtype=bool)), expected)


@given(
    vertices=st.lists(st.lists(corner, min_size=3, max_size=7), min_size=1, max_size=2),
    byte_order=st.sampled_from("<>"),
    flags=st.sampled_from([None, (0, 1), (1,), (0, 1, 4)]),
    seed=st.integers(0, 99),
)
@settings(max_examples=300)
def test_the_pixels_of_overlaps_are_those_of_the_original(vertices, byte_order, flags, seed):
    if not pixels_within.is_compiled():
        pytest.skip("the functions are not compiled here")
    rng = np.random.default_rng(seed)
    member = SimpleNamespace(
        wcs=SimpleNamespace(array_shape=(SIZE, SIZE + 5), all_world2pix=lambda ra, dec, _: (ra, dec)),
        image_data=rng.normal(3, 2, (SIZE, SIZE + 5)).astype(f"{byte_order}f4"),
        mask_data=None if flags is None else rng.choice(flags, (SIZE, SIZE + 5)).astype(np.uint8),
        free_mask_data=lambda: None,
        skyuser_delta=0.25,
        data2brightness=lambda sky: 2 * sky,
    )
    outlines = [tuple(np.array([*part, part[0]], float).T) for part in vertices]
    expected = measured(member, outlines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skymatch, "_member_sky", skymatch._member_sky)
        sky_pixels.select_pixels_fast()
        found = measured(member, outlines)
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])


def measured(member, outlines):
    """Sky and number of pixels, and the pixels that the statistics were given."""
    given_pixels = []

    def calc_sky(pixels):
        given_pixels.append(pixels)
        return SkyStats("median", nclip=2).calc_sky(pixels)

    sky = skymatch._member_sky(member, outlines, SimpleNamespace(calc_sky=calc_sky), "name")
    return sky, given_pixels[0]


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
        sky_overlaps.cap_around(next(iter(polygon.points))) for polygon in (one, other)
    )
    if sky_overlaps._angle(centre, other_centre) > radius + other_radius + sky_overlaps._MARGIN:
        assert list(one.intersection(other)) == []


@given(
    ends=st.lists(st.tuples(st.floats(0, 0.2), st.floats(-0.1, 0.1)), min_size=2, max_size=2, unique=True),
    along=st.lists(st.sampled_from([0.0, 1e-9, 0.3, 0.5, 1.0, 1.1, -0.5]), min_size=1, max_size=6),
    aside=st.lists(st.sampled_from([0.0, 1e-15, 3e-11, 1e-8, 1e-5, 1e-3]), min_size=6, max_size=6),
    length=st.sampled_from([1.0, 1.0, 1.01]),
)
@settings(max_examples=300)
def test_points_of_arcs_are_those_of_the_original(ends, along, aside, length):
    start, end = (unit_vector(*place) for place in ends)
    normal = np.cross(start, end)
    points = np.array([start + t * (end - start) + d * normal for t, d in zip(along, aside, strict=False)])
    points *= length / np.linalg.norm(points, axis=1, keepdims=True)
    expected = great_circle_arc.intersects_point(start, end, points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(great_circle_arc, "intersects_point", great_circle_arc.intersects_point)
        sky_overlaps.skip_distant_points()
        np.testing.assert_array_equal(great_circle_arc.intersects_point(start, end, points), expected)
        assert bool(great_circle_arc.intersects_point(start, end, points[0])) == bool(expected[0])


def unit_vector(ra, dec):
    ra, dec = np.radians([ra, dec])
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


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


def test_skies_are_the_same_with_fewer_intersections(matched, chain, monkeypatch):
    expected, all_pairs = matched("original")
    assert all_pairs == 21, "skymatch leaves out distant pairs now: drop skip_distant_pairs"
    monkeypatch.setattr(skymatch, "_calc_sky", skymatch._calc_sky)
    monkeypatch.setattr(region.Polygon, "scan", region.Polygon.scan)
    monkeypatch.setattr(region.Polygon, "_construct_ordered_GET", region.Polygon._construct_ordered_GET)
    monkeypatch.setattr(skymatch, "_member_sky", skymatch._member_sky)
    monkeypatch.setattr(great_circle_arc, "intersects_point", great_circle_arc.intersects_point)
    sky_overlaps.skip_distant_pairs()
    sky_overlaps.skip_distant_points()
    sky_pixels.fill_polygons_fast()
    sky_pixels.select_pixels_fast()
    monkeypatch.setattr(skymatch, "_minsky", skymatch._minsky)
    monkeypatch.setattr(sky, "skymatch", sky.skymatch)
    monkeypatch.setattr(held_pixels, "MATCHED_BYTES", 1)
    held_pixels._forget_matched_chips()
    found, pairs = matched("replaced")
    assert found == expected
    for path in chain:
        np.testing.assert_array_equal(fits.getdata(path.name, "SCI"), fits.getdata(path, "SCI"))
    assert len(set(expected)) == 6, "the skies differ, and the last one is not matched"
    assert 5 <= pairs <= 10
