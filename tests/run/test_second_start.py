"""A start that ends early leaves the record of what an earlier one has made, as it leaves the files."""

import shutil
from dataclasses import replace

import pytest

from hstmosaic.errors import ClusterError, ExitCode
from hstmosaic.products.manifest import Failure, manifest_from_json
from hstmosaic.products.prov_document import records
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.run import open_pool
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.ending import end_run
from hstmosaic.run.options import RunOptions
from hstmosaic.store.events import EventLog
from hstmosaic.store.files import sha256
from hstmosaic.store.run_directory import run_directory

ENDS = [ClusterError("sbatch refuses", "ask it why"), KeyboardInterrupt()]
AGAIN = {"provenance"}
"""What every start writes."""


@pytest.fixture(scope="module")
def finished(simulated, tmp_path_factory):
    """A run whose tasks only pretend; the files are small, all else is as it always is."""
    folder = tmp_path_factory.mktemp("finished")
    options = RunOptions(str(simulated.demo(200).list), "foo", stub=True, output=folder / "out")
    return options, run_mosaic(options, lambda event: None)


@pytest.fixture
def there(finished, tmp_path):
    """A copy of it to start again in."""
    options, outcome = finished
    shutil.copytree(options.output, tmp_path / "out")
    return replace(options, output=tmp_path / "out"), outcome


@pytest.fixture
def stopped_again(there, monkeypatch):
    """Start again, and end before any task."""
    options, _ = there

    def start(error):
        def refused(*_, **__):
            raise error

        monkeypatch.setattr(open_pool, "open_pool", refused)
        (options.output / "stub-foo_report.html").unlink()  # or there would be nothing to do
        with pytest.raises(type(error)):
            run_mosaic(options, lambda event: None)
        return options.output

    return start


def manifest(output):
    return manifest_from_json((output / "stub-foo_manifest.json").read_text())


def files(output, without=AGAIN):
    return {file.name: file for file in manifest(output).products if file.kind not in without}


def faults(output):
    found = read_manifests(output)
    return {fault.name: fault.cause for fault in verify_products(output, found, lambda count: None).faults}


@pytest.mark.parametrize("error", ENDS, ids=["refused", "interrupted"])
def test_what_was_made_before_stays_in_the_manifest(there, stopped_again, error):
    before = files(there[0].output)
    assert len(before) == 9
    output = stopped_again(error)
    assert files(output) == before
    assert faults(output) == {}
    assert manifest(output).exit_code != ExitCode.OK


def test_a_mosaic_that_was_changed_meanwhile_is_still_found_out(there, stopped_again):
    mosaic = next(file.name for file in files(there[0].output).values() if file.kind == "mosaic")
    content = bytearray((there[0].output / mosaic).read_bytes())
    content[-1] ^= 1
    (there[0].output / mosaic).write_bytes(content)
    output = stopped_again(ENDS[1])
    assert "SHA-256" in faults(output)[mosaic]


def test_provenance_keeps_what_was_made_before_with_its_tasks(stopped_again):
    output = stopped_again(ENDS[0])
    text = (output / "stub-foo_provenance.json").read_text()
    recorded = {file["prov:label"]: file["hm:sha256"] for file in records(text, "hm:Product")}
    made = files(output, AGAIN | {"list of products"})
    assert len(made) == 8
    assert {name: recorded[name] for name in made} == {name: sha256(output / name) for name in made}
    assert len(records(text, "hm:Drizzling")) == 3


def test_a_layer_that_failed_before_the_end_is_not_taken_for_made(there):
    options, outcome = there
    failed, *others = (layer.name for layer in outcome.plan.layers)
    ended = replace(outcome, products=(), failures=(Failure(failed, "no sky", "log"),), error=ENDS[0])
    end_run(ended, options, run_directory(options.output, outcome.plan.prefix), EventLog(lambda event: None))
    assert {file.layer for file in files(options.output).values()} == {*others, None}


def test_a_start_that_ends_as_it_should_lists_its_own_products_only(there):
    options, outcome = there
    made = tuple(file for file in outcome.products if file.layer == outcome.plan.layers[0].name)
    ended = replace(outcome, products=made)
    end_run(ended, options, run_directory(options.output, outcome.plan.prefix), EventLog(lambda event: None))
    assert {file.name for file in files(options.output, AGAIN | {"list of products"}).values()} == {
        file.name for file in made
    }
