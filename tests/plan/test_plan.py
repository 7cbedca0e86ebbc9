"""The Plan and its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from helpers.pointed_exposures import Aim, write_aimed
from helpers.sky_fields import FIELDS, UVIS, visit
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.plan import installed_versions, plan_from_json

BESIDE = Aim(183.5, 26.0, more=visit(9))
"""Too far from the corner field for one projection cell."""


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Two layers over four sky cells, and one exposure that is left out."""
    folder = tmp_path_factory.mktemp("exposures")
    for aim in [*FIELDS["corner of four sky cells"], BESIDE]:
        write_aimed(folder, aim)
    return make_plan(str(folder / "*.fits"))


@pytest.fixture(scope="module")
def document(plan):
    """The plan as somebody else's program reads it."""
    return json.loads(plan.to_json())


def test_json_round_trip(plan):
    again = plan_from_json(plan.to_json())
    assert again == plan
    assert again.to_json() == plan.to_json()
    assert all(exposure.chips == () for exposure in again.exposures)


def test_round_trip_of_a_user_prefix(plan):
    mine = replace(plan, prefix="Überblick \N{BULLET} 1")
    assert plan_from_json(mine.to_json()) == mine


def test_geometry_in_json(document):
    assert document["projection_cell"] == "p1889"
    assert document["projection_center"] == [180.0, pytest.approx(26.0)]
    assert document["sky_cells"] == [f"skycell-p1889x{x}y{y}" for x in (10, 11) for y in (10, 11)]
    assert document["limits"] == [192978, 236373, 192978, 236373]
    xmin, xmax, ymin, ymax = document["tight_limits"]
    assert 192978 <= xmin < xmax <= 236373
    assert 192978 <= ymin < ymax <= 236373
    assert max(xmax - xmin, ymax - ymin) < 1500
    assert all(isinstance(limit, int) for limit in document["tight_limits"])
    assert document["prefix"] == "hst-skycell-p1889-ra180d0000-decn26d0000"
    assert document["corner_sky_cell"] == "skycell-p1889x10y10"


def test_layers_in_json(document):
    infrared, visible = sorted(document["layers"], key=lambda layer: layer["detector"])
    assert (infrared["instrument"], infrared["detector"], infrared["filter"]) == ("wfc3", "ir", "f160w")
    assert (visible["exposures"], infrared["exposures"]) == (["icab02a0q_flc.fits"], ["icab01a0q_flt.fits"])
    assert [product["name"] for product in infrared["products"]] == [
        f"{document['prefix']}_wfc3_ir_f160w_{kind}_drz.fits" for kind in ("coarse-all", "all")
    ]
    for layer in (infrared, visible):
        assert layer["parameter_set"] == "n1"
        assert all(layer["estimate"][need] > 0 for need in ("memory_mb", "seconds", "disk_mb"))
        for product in layer["products"]:
            assert product["pixel_scale"] == pytest.approx(0.12 if "coarse" in product["name"] else 0.04)
            assert len(product["shape"]) == 2


def test_exclusions_in_json(document):
    (excluded,) = document["excluded"]
    assert excluded["exposure"] == "icab09a0q_flt.fits"
    assert "outside the projection cell of the mosaic (p1889)" in excluded["reason"]
    assert excluded["next_step"]


def test_versions_in_json(document):
    assert document["versions"] == installed_versions()
    assert document["versions"].keys() >= {"python", "hstmosaic", "drizzlepac", "astropy", "numpy", "photutils"}
    assert all(re.match(r"\d+\.\d+", version) for version in document["versions"].values())


def test_exposures_are_found_by_name(plan):
    assert plan.exposure("icab02a0q_flc.fits") is plan.exposures[1]


def test_a_plan_needs_no_chips_to_be_the_same(plan):
    bare = replace(plan, exposures=tuple(replace(exposure, chips=()) for exposure in plan.exposures))
    assert bare == plan


def test_unlike_plans_are_unlike(plan, tmp_path):
    write_aimed(tmp_path, Aim(180.0, 26.0, **UVIS))
    assert make_plan(str(tmp_path / "*.fits")) != plan
