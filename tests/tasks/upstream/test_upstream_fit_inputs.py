"""What the joint fit reads: sources of exposures with old headers, and catalogues as drizzlepac has them."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from astropy.io import fits
from drizzlepac.haputils import astrometric_utils, poller_utils

from helpers.alignment_fields import three_cameras
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.catalog_replies import CATALOGS, COLUMNS, FEWEST, USER_CATALOG, Cone
from hstmosaic.plan.pollers import poller_text
from hstmosaic.simulate import simulate_field
from hstmosaic.store.result_files import ANSWER_FILE, read_result
from hstmosaic.store.spec_files import spec_to_json
from hstmosaic.store.task_specs import SPEC_FILE, AlignSpec, SourcesSpec
from hstmosaic.tasks.sources import alignment_parameters

pytestmark = pytest.mark.upstream


@pytest.fixture(scope="module")
def plan(simulated):
    return make_plan(str(simulated.three_cameras(300).list))


EXECUTE = """
import os, sys
from pathlib import Path
from hstmosaic.tasks.execute import execute
for folder in map(Path, sys.argv[1:]):
    if os.fork() == 0:
        execute(folder, folder / "work")
        os._exit(0)
    os.wait()
"""
"""Each task in a process of its own, as in a run."""


def test_exposures_without_mtflag_are_aligned_like_others(tmp_path):
    field = three_cameras(rows=500, exposures=1)
    path = next(path for path in simulate_field(field, tmp_path) if path.name.endswith("_flc.fits"))
    fits.delval(path, "MTFLAG")
    replies = tmp_path / "none.csv"
    replies.write_bytes((",".join(COLUMNS["GAIAeDR3"]) + "\r\n").join(["none\r\n", ""]).encode())
    tables = (str(tmp_path / "sources" / "work" / "sci1.ecsv"),)
    specs = {
        "sources": SourcesSpec(str(path), "wfc3", "uvis"),
        "align": AlignSpec(
            exposures=((path.name, str(path)),),
            sources=((path.name, tables),),
            replies=(("GAIAeDR3", str(replies)),),
            prefix="foo",
        ),
    }
    for name, spec in specs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / SPEC_FILE).write_text(spec_to_json(spec))
    subprocess.run([sys.executable, "-c", EXECUTE, *(str(tmp_path / name) for name in specs)], check=True)
    found, fitted = (read_result(tmp_path / name, ANSWER_FILE) for name in specs)
    assert (found.ok, found.error) == (True, "")
    assert found.data["counts"][0] > 10
    assert (fitted.ok, fitted.error) == (True, "")
    assert fitted.data["cause"].startswith("no catalogue matches the exposures better than chance")


def test_catalogues_and_columns_are_drizzlepacs():
    for instrument, detector in (("wfc3", "uvis"), ("wfc3", "ir"), ("acs", "wfc")):
        parameters = alignment_parameters(instrument, detector)["run_align"]
        assert tuple(parameters["mosaic_catalog_list"]) == CATALOGS
        assert min(parameters["mosaic_fitgeom_list"].values()) == FEWEST
    for catalog, columns in COLUMNS.items():
        if catalog != USER_CATALOG:
            needed = set(astrometric_utils.SUPPORTED_CATALOGS[catalog.upper()].values()) - {""}
            assert needed == set(columns)


def test_requests_are_drizzlepacs_without_an_epoch(monkeypatch):
    urls = []

    def get(url, **_):
        urls.append(url)
        return SimpleNamespace(content=b"one line\r\nobjID,ra\r\n1,150.0\r\n")

    monkeypatch.setattr(astrometric_utils.requests, "get", get)
    astrometric_utils.get_catalog(150.0, 2.0, sr=0.1, catalog="GAIAeDR3")
    ours = Cone(150.0, 2.0, 0.1).url(astrometric_utils.SERVICELOCATION, "GAIAeDR3")
    assert urls[0].partition("&FORMAT")[2] == ours.partition("&FORMAT")[2]


def test_the_order_is_drizzlepacs(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for exposure in plan.exposures:
        (tmp_path / exposure.name).write_bytes(exposure.path.read_bytes())
    (tmp_path / "poller.out").write_text(poller_text(plan.exposures, plan.corner_sky_cell))
    _, totals = poller_utils.interpret_mvm_input("poller.out", 20)
    listed = [member.svm_exposure_name for total in totals for member in total.edp_list]
    assert list(dict.fromkeys(listed)) == [e.name.rsplit("_", 1)[0] for e in fit_order(plan.exposures)]
    assert len(listed) == len(plan.exposures) + 1, "WFC3/IR is in the list of both of its products"
