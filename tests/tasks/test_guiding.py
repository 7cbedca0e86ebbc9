"""Failed guiding is found by the shapes of stars; good exposures are never taken for trailed ones."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import ndtr

from hstmosaic.store.task_results import StarShapes
from hstmosaic.tasks.guiding import LIMIT, WIDTHS, is_trailed
from hstmosaic.tasks.star_shapes import common_elongation, find_sources

SIZE = 400


def field(rng, width, *, stars=25, length=0.0, angle=0.0, cosmic_rays=0):
    """Return an image with stars, noise of 5 per pixel, and tracks of cosmic rays one pixel wide."""
    sigma = width / np.sqrt(8 * np.log(2))
    image = np.zeros((SIZE, SIZE))
    edges = np.arange(SIZE + 1) - 0.5
    steps = np.linspace(-length / 2, length / 2, 1 + 2 * int(np.ceil(length)))
    for x, y in rng.uniform(20, SIZE - 20, (stars, 2)):
        flux = 10 ** rng.uniform(3.3, 4.8) * max(1.0, length / 10) / len(steps)
        for step in steps:
            dx, dy = step * np.cos(np.deg2rad(angle)), step * np.sin(np.deg2rad(angle))
            right, left = (np.diff(ndtr((edges - place) / sigma)) for place in (x + dx, y + dy))
            image += flux * np.outer(left, right)
    for _ in range(cosmic_rays):
        place, turn = rng.uniform(10, SIZE - 10, 2), rng.uniform(0, np.pi)
        for step in np.arange(0, rng.uniform(1, 12), 0.5):
            x, y = np.rint(place + step * np.array([np.cos(turn), np.sin(turn)])).astype(int).clip(0, SIZE - 1)
            image[y, x] += 300
    return image


def line(rng, image, width, level, broken=False):
    """Add a straight trail across the frame."""
    turn, place = rng.uniform(0, np.pi), rng.uniform(0.3, 0.7, 2) * SIZE
    y, x = np.indices(image.shape)
    across = (y - place[1]) * np.cos(turn) - (x - place[0]) * np.sin(turn)
    along = (y - place[1]) * np.sin(turn) + (x - place[0]) * np.cos(turn)
    image += level * np.exp(-0.5 * (across / width) ** 2) * (np.sin(along / 9) > -0.3 if broken else 1)


def spikes(image, x, y, level, width):
    """Add a bright star with four diffraction spikes at 45 degrees."""
    rows, columns = np.indices(image.shape)
    dx, dy = columns - x, rows - y
    image += level * np.exp(-(dx**2 + dy**2) / (2 * (width / 2.3548) ** 2))
    for across, along in (((dx - dy), (dx + dy)), ((dx + dy), (dx - dy))):
        image += 0.02 * level * np.exp(-(across**2) / 3) * np.exp(-np.abs(along) / 60)


def edge_on(rng, image, count):
    """Add edge-on galaxies with random directions, 12 pixels long and as thin as stars."""
    rows, columns = np.indices(image.shape)
    for x, y in rng.uniform(20, SIZE - 20, (count, 2)):
        turn = rng.uniform(0, np.pi)
        along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
        across = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
        image += 400 * np.exp(-0.5 * ((along / 4) ** 2 + (across / 0.9) ** 2))


def shapes(rng, image, width):
    science = (image + rng.normal(100, 5, image.shape)).astype(np.float32)
    return common_elongation(find_sources(science, np.zeros(image.shape, bool), science > 60_000, width), LIMIT)


def test_long_trails_are_found_among_many_brighter_cosmic_rays():
    rng = np.random.default_rng(11)
    image = np.zeros((1000, 1800))
    for x, y in rng.integers((820, 5), (1790, 995), (1000, 2)):
        image[y, x : x + 2] += 2000
    angle = np.deg2rad(30)
    rows, columns = np.indices((100, 140))
    dx, dy = columns - 70, rows - 50
    along = np.abs(dx * np.cos(angle) + dy * np.sin(angle)) < 62.5
    trail = 100 * along * np.exp(-0.5 * ((dy * np.cos(angle) - dx * np.sin(angle)) / 0.8) ** 2)
    for y in range(50, 950, 200):
        for x in range(50, 800, 250):
            image[y : y + 100, x : x + 140] += trail
    found = shapes(rng, image, WIDTHS["UVIS"])
    assert is_trailed(found, seconded=False)
    assert found.length == pytest.approx(125, rel=0.05)
    assert found.angle == pytest.approx(30, abs=1)


@pytest.mark.parametrize("detector", ["IR", "UVIS", "WFC"])
@pytest.mark.parametrize("length", [3.0, 8.0, 40.0])
def test_trails_are_found_and_measured(detector, length):
    for seed in range(3):
        rng = np.random.default_rng([seed, round(length)])
        angle = rng.uniform(0, 180)
        image = field(rng, WIDTHS[detector], length=length, angle=angle, cosmic_rays=40 * (detector != "IR"))
        found = shapes(rng, image, WIDTHS[detector])
        assert is_trailed(found, seconded=False), (seed, found)
        assert found.length == pytest.approx(length, rel=0.2)
        assert abs((found.angle - angle + 90) % 180 - 90) < 5


@pytest.mark.parametrize("detector", ["IR", "UVIS", "WFC"])
def test_good_exposures_are_not_trailed(detector):
    width = WIDTHS[detector]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        image = field(rng, width, cosmic_rays=200 * (detector != "IR"))
        assert not is_trailed(shapes(rng, image, width), seconded=True)


def test_a_satellite_is_a_note():
    rng = np.random.default_rng(8)
    image = field(rng, 1.9)
    line(rng, image, 3.0, 60.0)
    found = shapes(rng, image, 1.9)
    assert not is_trailed(found, seconded=True)
    assert found.lines == 1


def test_pieces_of_a_satellite_are_one_line():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        image = field(rng, 1.9, stars=3)
        line(rng, image, 0.9, 150.0, broken=True)
        assert not is_trailed(shapes(rng, image, 1.9), seconded=True)


def test_diffraction_spikes_are_not_trails():
    rng = np.random.default_rng(5)
    image = field(rng, 1.9, stars=4)
    for _ in range(5):
        spikes(image, *rng.uniform(60, SIZE - 60, 2), 100_000, 1.9)
    assert not is_trailed(shapes(rng, image, 1.9), seconded=True)


def test_edge_on_galaxies_are_not_trails():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        image = field(rng, 1.9, stars=2)
        edge_on(rng, image, 8)
        assert not is_trailed(shapes(rng, image, 1.9), seconded=True)


def test_bad_pixels_do_not_elongate_stars():
    rng = np.random.default_rng(4)
    image = ndimage.shift(field(rng, 1.9), (0.3, 0.4))
    bad = rng.random(image.shape) < 0.01
    science = np.where(bad, 5e4, image + rng.normal(0, 5, image.shape)).astype(np.float32)
    found = common_elongation(find_sources(science, bad, np.zeros_like(bad), 1.9), LIMIT)
    assert found.stars >= 10
    assert not is_trailed(found, seconded=True)


def test_nothing_is_found_where_there_is_nothing():
    empty, none = np.zeros((64, 64), np.float32), np.zeros((64, 64), bool)
    assert common_elongation(find_sources(empty, none, none, 2.0), LIMIT) == StarShapes(0, 0, 0)
    assert common_elongation(find_sources(empty, ~none, none, 2.0), LIMIT) == StarShapes(0, 0, 0)
