"""Provenance records who made what from what, in W3C PROV."""

import json
from dataclasses import replace

import pytest
from prov.model import ProvActivity, ProvAgent, ProvDerivation, ProvDocument, ProvEntity, ProvGeneration, ProvUsage

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.checks import Exclusion
from hstmosaic.products.gather import Gathered
from hstmosaic.products.manifest import Manifest, UsedExposure
from hstmosaic.products.provenance import RunFacts, provenance_json, read_provenance
from hstmosaic.products.recorded_options import RecordedOptions
from hstmosaic.store.alignment_results import AlignmentResult, ExposureFit
from hstmosaic.store.files import sha256
from hstmosaic.store.result_files import TaskResult, write_result

IMAGE = {"name": "hstmosaic:0.1.0", "digest": "sha256:" + "ab" * 32}
OPTIONS = RecordedOptions(
    prefix="foo",
    skip_alignment=False,
    catalog=None,
    require_alignment=False,
    log_level="info",
    keep=(),
    strict=False,
    stub=False,
)
ALIGNMENT = AlignmentResult(aligned=True, catalog="GAIAeDR3")


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.demo(200).list), prefix="foo")


@pytest.fixture
def run(plan, tmp_path):
    """A run directory as tasks leave it: one exposure screened twice a day ago, one layer drizzled in an image."""
    folder = tmp_path / "foo_run"
    (folder / "catalogs").mkdir(parents=True)
    (folder / "catalogs" / "GAIAeDR3.csv").write_text("# stars\n")
    (folder / "plan.json").write_text(plan.to_json())
    software = {"versions": {"drizzlepac": "3.11.0"}, "image": IMAGE}
    parameters = {product.name: {"set": ["any_n1"], "final_kernel": "square"} for product in plan.layers[0].products}
    add_task(folder, "screen-idem01a0q_flc", TaskResult(ok=True, data={"software": software}))
    add_task(folder, "align", TaskResult(ok=True, data={"software": software}))
    done = TaskResult(ok=True, data={"software": software, "parameters": parameters})
    add_task(folder, f"drizzle-{plan.layers[0].name}", done, job="17")
    return folder


def add_task(folder, name, result, **measured):
    (folder / "tasks" / name).mkdir(parents=True)
    write_result(folder / "tasks" / name, result)
    measurements = {"wall_seconds": 10.0, "cpu_seconds": 9.0, "max_rss_mb": 500.0, "host": "node1", "started": 1.7e9}
    (folder / "tasks" / name / "measured.json").write_text(json.dumps(measurements | measured))


@pytest.fixture
def facts():
    return RunFacts("some-id", "hstmosaic run list.txt", OPTIONS, 1.7e9, 1.7e9 + 60, "login1", "16", None, ALIGNMENT)


@pytest.fixture
def manifest(plan):
    layer = plan.layers[0]
    names = {name: layer.name for layer in plan.layers for name in layer.exposures}
    return Manifest(
        prefix="foo",
        created="2026-01-01T00:00:00+00:00",
        versions=plan.versions,
        exit_code=7,
        products=tuple(
            Gathered(product.name, 10, "0" * 64, kind="mosaic", layer=layer.name, exposures=layer.exposures)
            for product in layer.products
        ),
        exposures=tuple(UsedExposure(e.name, str(e.path), e.size, "1" * 64, names[e.name]) for e in plan.exposures),
        left_out=(Exclusion(plan.exposures[-1].name, "guiding: stars are trailed", "keep it"),),
        failures=(),
    )


@pytest.fixture
def document(plan, manifest, facts, run):
    return ProvDocument.deserialize(content=provenance_json(plan, manifest, facts, run))


def of(document, kind):
    found = list(document.get_records(kind))
    return {str(next(iter(record.get_attribute("prov:label")), record.identifier)): record for record in found}


def one(record, name):
    (value,) = record.get_attribute(name)
    return value


def related(document, kind):
    return {tuple(name.localpart for _, name in record.formal_attributes[:2]) for record in document.get_records(kind)}


def test_the_run_and_its_tasks_have_times_places_and_software(document, plan):
    done = of(document, ProvActivity)
    assert done.keys() == {"run", "screen-idem01a0q_flc", "align", f"drizzle-{plan.layers[0].name}"}
    drizzling = done[f"drizzle-{plan.layers[0].name}"]
    assert (one(drizzling, "hm:host"), one(drizzling, "hm:slurmJob")) == ("node1", "17")
    assert (drizzling.get_endTime() - drizzling.get_startTime()).total_seconds() == 10
    assert (one(done["run"], "hm:host"), one(done["run"], "hm:exitCode")) == ("login1", 7)
    agents = of(document, ProvAgent)
    assert {"drizzlepac", "hstmosaic", IMAGE["name"]} <= agents.keys()
    assert one(agents[IMAGE["name"]], "hm:digest") == IMAGE["digest"]


def test_a_mosaic_is_derived_from_its_exposures_by_its_task(document, plan):
    layer = plan.layers[0]
    product = layer.products[0]
    entity = of(document, ProvEntity)[product.name]
    assert json.loads(one(entity, "hm:parameters"))["final_kernel"] == "square"
    assert (product.name, f"drizzle-{layer.name}") in related(document, ProvGeneration)
    for name in layer.exposures:
        assert (product.name, name) in related(document, ProvDerivation)
        assert (f"drizzle-{layer.name}", name) in related(document, ProvUsage)


def test_exposures_and_catalogues_have_checksums(document, plan, run):
    entities = of(document, ProvEntity)
    for exposure in plan.exposures:
        assert one(entities[exposure.name], "hm:sha256") == "1" * 64
    assert "trailed" in one(entities[plan.exposures[-1].name], "hm:leftOut")
    reply = entities["catalogs/GAIAeDR3.csv"]
    assert one(reply, "hm:sha256") == sha256(run / "catalogs" / "GAIAeDR3.csv")
    assert ("align", "catalogs%2FGAIAeDR3.csv") in related(document, ProvUsage)


def test_an_aligned_copy_records_its_correction(plan, manifest, facts, run):
    exposure = plan.exposures[0].name
    fit = ExposureFit(shift_mas=(12.5, -3.0), rotation_deg=0.01, scale=1.0, sources=90, matches=40, rms_mas=(2.0, 3.0))
    aligned = replace(ALIGNMENT, exposures={exposure: fit})
    copy = Gathered("copy.fits", 10, "0" * 64, kind="aligned exposure", exposures=(exposure,))
    text = provenance_json(plan, replace(manifest, products=(copy,)), replace(facts, alignment=aligned), run)
    entity = of(ProvDocument.deserialize(content=text), ProvEntity)["copy.fits"]
    moved = json.loads(one(entity, "hm:moved"))
    assert (moved["shift_mas"], moved["matches"]) == ([12.5, -3.0], 40)


def test_an_earlier_alignment_is_not_that_of_this_run(plan, manifest, facts, run):
    text = provenance_json(plan, manifest, replace(facts, alignment=None), run)
    document = ProvDocument.deserialize(content=text)
    assert "align" not in of(document, ProvActivity)
    assert "catalogs/GAIAeDR3.csv" not in of(document, ProvEntity)


def test_a_failed_run_that_has_made_nothing_has_provenance(plan, manifest, facts, tmp_path):
    (tmp_path / "plan.json").write_text(plan.to_json())
    text = provenance_json(plan, replace(manifest, products=()), replace(facts, alignment=None), tmp_path)
    assert of(ProvDocument.deserialize(content=text), ProvActivity).keys() == {"run"}


def test_a_recorded_run_can_be_repeated(plan, manifest, facts, run):
    recorded = read_provenance(provenance_json(plan, manifest, replace(facts, image=IMAGE), run))
    assert (recorded.options, recorded.prefix, recorded.versions) == (OPTIONS, "foo", plan.versions)
    assert recorded.image == f"{IMAGE['name']} {IMAGE['digest']}"
    assert [(e.name, e.path, e.sha256) for e in recorded.exposures] == [
        (e.name, e.path, e.sha256) for e in manifest.exposures
    ]


@pytest.mark.parametrize("prefix", ["a+b(1)", "feld-österreich", "100%", "a:b"])
def test_any_prefix_can_be_an_identifier(plan, manifest, facts, run, prefix):
    renamed = tuple(replace(product, name=f"{prefix}_{product.name}") for product in manifest.products)
    document = ProvDocument.deserialize(content=provenance_json(plan, replace(manifest, products=renamed), facts, run))
    assert renamed[0].name in of(document, ProvEntity)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"entity": {}}', '{"activity": {"hm:a": {"prov:type": "hm:Run"}}}'])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="it is not"):
        read_provenance(text)


def test_runs_without_a_kind_of_screening_had_that_of_drizzlepac():
    raw = OPTIONS.to_dict()
    assert RecordedOptions.from_dict(raw) == OPTIONS
    del raw["screening"]
    assert RecordedOptions.from_dict(raw).screening == "drizzlepac"
