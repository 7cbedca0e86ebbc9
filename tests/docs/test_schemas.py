"""The published JSON Schemas are those of the classes, and describe what a run writes."""

import copy
import json
import sys
from pathlib import Path

import jsonschema
import pytest

from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.store.events import event_from_line, event_line

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("plan", "manifest", "events", "provenance")
RECORDED = Path(__file__).parents[1] / "monitor" / "recorded_run.jsonl"


@pytest.fixture(scope="module")
def make_schemas():
    sys.path.insert(0, str(DOCS))
    try:
        import make_schemas
    finally:
        sys.path.remove(str(DOCS))
    return make_schemas


def published(name):
    return json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def validator(name):
    return jsonschema.Draft202012Validator(published(name))


@pytest.fixture(scope="module")
def written(simulated, tmp_path_factory):
    """Files of a run whose tasks only pretend, by the name of their schema."""
    output = tmp_path_factory.mktemp("out")
    options = RunOptions(str(simulated.demo(200).list), "foo", stub=True, output=output)
    run_mosaic(options, lambda event: None)
    run = output / "stub-foo_run"
    return {
        "plan": [json.loads((run / "plan.json").read_text())],
        "manifest": [json.loads((output / "stub-foo_manifest.json").read_text())],
        "provenance": [json.loads((output / "stub-foo_provenance.json").read_text())],
        "events": [json.loads(line) for line in (run / "logs" / "run.jsonl").read_text().splitlines()],
    }


@pytest.mark.parametrize("name", NAMES)
def test_published_schemas_are_current(make_schemas, name):
    jsonschema.Draft202012Validator.check_schema(published(name))
    published_text = (DOCS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert published_text == make_schemas.schema_text(name), "run docs/make_schemas.py"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_writes_what_the_schema_describes(written, name):
    for document in written[name]:
        validator(name).validate(document)


@pytest.mark.parametrize("name", ["plan", "manifest"])
def test_unknown_and_missing_keys_are_found(written, name):
    (document,) = written[name]
    assert not validator(name).is_valid(document | {"colour": "red"})
    for key in document:
        assert not validator(name).is_valid({other: value for other, value in document.items() if other != key})


def test_a_damaged_provenance_is_found(written):
    (document,) = copy.deepcopy(written["provenance"])
    exposure = next(found for found in document["entity"].values() if "hm:order" in found)
    exposure["hm:sha256"] = "short"
    assert not validator("provenance").is_valid(document)


def test_events_of_a_real_run_with_an_alignment_are_described():
    for line in RECORDED.read_text().splitlines():
        validator("events").validate(json.loads(event_line(event_from_line(line))))
    assert not validator("events").is_valid({"time": 1.0, "kind": "gathered", "level": "info", "message": ""})
