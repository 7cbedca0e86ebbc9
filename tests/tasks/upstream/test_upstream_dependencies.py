"""Each repair of a library below drizzlepac is still needed, and works."""

import os
from pathlib import Path

import pytest
from drizzlepac import staticMask
from simplify_polyline import simplifiers
from stsci.tools import fileutil

from hstmosaic.tasks.upstream import dependencies

pytestmark = pytest.mark.upstream


def test_ties_are_broken_by_memory_address_upstream():
    point = simplifiers.Point((0, 0))
    assert point._sorting_key[1] == id(point), "ties are repeatable now: drop break_ties_in_order"


def test_ties_are_broken_in_order(monkeypatch):
    monkeypatch.setattr(simplifiers.Point, "__init__", simplifiers.Point.__init__)
    monkeypatch.setattr(simplifiers.Point, "_sorting_key", simplifiers.Point._sorting_key)
    monkeypatch.setattr(simplifiers.Point, "__lt__", simplifiers.Point.__lt__)
    dependencies.break_ties_in_order()
    points = [simplifiers.Point((0, 0)) for _ in range(50)]
    assert sorted(points[25:] + points[:25]) == points


def test_the_path_of_a_static_mask_becomes_absolute_upstream():
    name = staticMask.constructFilename(["WFC3/UVIS", (400, 400), 1])
    assert not Path(name).is_absolute()
    assert Path(fileutil.osfn(name)).is_absolute(), "see whether keep_paths_relative is still needed"


def test_paths_stay_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getcwd", os.getcwd)
    dependencies.keep_paths_relative()
    assert fileutil.osfn("./a_flc.fits") == os.path.realpath("a_flc.fits") == "a_flc.fits"
    assert fileutil.osfn("/data/a_flc.fits") == "/data/a_flc.fits"
