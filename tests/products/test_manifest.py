"""Manifests: what they say can be read again, and what is no manifest is refused."""

import json

import pytest

from hstmosaic.plan.checks import Exclusion
from hstmosaic.products.gather import Gathered
from hstmosaic.products.manifest import Failure, Manifest, UsedExposure, manifest_from_json, manifest_text
from hstmosaic.products.seams import PairStep, Seams
from hstmosaic.store.stage_events import Registered, StarsMeasured

MOSAIC = Gathered(
    "foo_drc.fits",
    2880,
    "0" * 64,
    {"PRIMARY": "0"},
    {"PRIMARY": "a" * 16},
    kind="mosaic",
    layer="wfc3_uvis_f606w",
    exposures=("a_flc.fits",),
)
MANIFEST = Manifest(
    prefix="foo",
    created="2026-01-01T00:00:00+00:00",
    versions={"drizzlepac": "3.11.0"},
    exit_code=7,
    products=(MOSAIC,),
    exposures=(UsedExposure("a_flc.fits", "/data/a_flc.fits", 10, "1" * 64, "wfc3_uvis_f606w"),),
    left_out=(Exclusion("b_flc.fits", "listed twice", "take it out of the list"),),
    failures=(Failure(None, "sbatch refuses", "foo_run/logs/run.jsonl"),),
    registration=(Registered("wfc3_ir_f160w", "wfc3_uvis_f606w", 40, 3.0, -4.0, 0.2),),
    stars=(StarsMeasured("wfc3_ir_f160w", 21, 0.153),),
    seams={
        "wfc3_ir_f160w": Seams(
            0.02, "a_flt.fits", 0.001, 3, (PairStep("a_flt.fits", "b_flt.fits", 0.02, 0.001, 0.04),), 0.05
        )
    },
)


def test_a_manifest_is_read_as_it_was_written():
    assert manifest_from_json(MANIFEST.to_json()) == MANIFEST


def test_manifests_of_older_versions_are_read():
    raw = json.loads(MANIFEST.to_json())
    del raw["registration"], raw["stars"], raw["seams"]
    assert manifest_from_json(json.dumps(raw)).registration == ()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[]", "not a manifest"),
        ("{", "property name"),
        (json.dumps({"schema": 2}), "not a manifest of schema 1"),
        (json.dumps({"schema": 1}), "incomplete .*products"),
        (MANIFEST.to_json().replace('"sha256"', '"sha1"'), "incomplete"),
        (MANIFEST.to_json().replace('"exit_code": 7', '"exit_code": "7"'), "exit code is damaged"),
        (MANIFEST.to_json().replace('"size": 2880', '"size": "2880"'), "of the product 'foo_drc.fits' is damaged"),
        (MANIFEST.to_json().replace('"foo_drc.fits"', '"../foo_drc.fits"'), r"'\.\./foo_drc\.fits' is damaged"),
        (MANIFEST.to_json().replace('"foo_drc.fits"', "5"), "of the product 5 is damaged"),
    ],
)
def test_damaged_manifests_are_refused(text, cause):
    with pytest.raises(ValueError, match=cause):
        manifest_from_json(text)


def test_products_made_later_replace_those_of_the_same_name():
    report = Gathered("foo_report.html", 1, "2" * 64, kind="report")
    again = Gathered("foo_report.html", 2, "3" * 64, kind="report")
    assert MANIFEST.with_products([report]).with_products([again]).products == (MOSAIC, again)


def test_the_list_of_products_is_sorted_and_has_each_name_once():
    assert manifest_text(["b.fits", "a.txt", "b.fits"]) == "a.txt\nb.fits\n"
