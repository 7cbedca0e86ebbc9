"""Each replacement of what the joint fit reads is still needed, and works."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from drizzlepac.haputils import astrometric_utils, poller_utils, product

from helpers.alignment_fields import three_cameras
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.catalog_replies import CATALOGS, COLUMNS, FEWEST, USER_CATALOG, Cone, fit_cone
from hstmosaic.plan.pollers import poller_text
from hstmosaic.simulate import simulate_field
from hstmosaic.store.task_specs import ANSWER_FILE, SPEC_FILE, AlignSpec, SourcesSpec, read_result, spec_to_json
from hstmosaic.tasks.sources import alignment_parameters
from hstmosaic.tasks.upstream import fit_inputs

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
    replies.write_text("nothing\nobjID,ra,dec,mag\n")
    tables = (str(tmp_path / "sources" / "work" / "sci1.ecsv"),)
    specs = {
        "sources": SourcesSpec(str(path), "wfc3", "uvis"),
        "align": AlignSpec(
            exposures=((path.name, str(path)),),
            sources=((path.name, tables),),
            replies=(("GAIAeDR3", str(replies)),),
            cone=(150.1, 2.2, 0.1),
            instrument="wfc3",
            detector="uvis",
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
    assert fitted.data["cause"].startswith("too few stars in the field")


def test_a_chip_without_sources_stops_the_joint_fit(monkeypatch):
    """Why a chip without sources is handed over with an empty table."""
    monkeypatch.setattr(product.FilterProduct, "__init__", lambda self: None)
    joint = product.FilterProduct()
    pars = alignment_parameters("wfc3", "uvis")
    edp = SimpleNamespace(full_filename="x_flc.fits", headerlet_filename="x_hlet.fits", crclean=False)
    joint.edp_list, joint.refname, joint.log_level = [edp, edp], None, 20
    joint.configobj_pars = SimpleNamespace(get_pars=lambda _: pars)
    asked = []
    monkeypatch.setattr(astrometric_utils, "create_astrometric_catalog", lambda *_, **__: asked.append(1))
    table = SimpleNamespace(extracted_sources={"x_flc.fits": {1: None}})
    answer, _ = joint.align_to_gaia(catalog_list=["GAIAeDR3"], fit_label="MVM", align_table=table)
    assert answer is None
    assert not asked, "drizzlepac copes with empty chips now"


def test_catalogues_and_columns_are_drizzlepacs():
    for instrument, detector in (("wfc3", "uvis"), ("wfc3", "ir"), ("acs", "wfc")):
        parameters = alignment_parameters(instrument, detector)["run_align"]
        assert tuple(parameters["mosaic_catalog_list"]) == CATALOGS
        assert min(parameters["mosaic_fitgeom_list"].values()) == FEWEST
    for catalog, columns in COLUMNS.items():
        if catalog != USER_CATALOG:
            needed = set(astrometric_utils.SUPPORTED_CATALOGS[catalog.upper()].values()) - {""}
            assert needed == set(columns)


def test_requests_have_no_timeout(monkeypatch):
    asked = []

    def get(url, **options):
        asked.append(options)
        return SimpleNamespace(content=b"one line\r\nobjID,ra\r\n1,150.0\r\n")

    monkeypatch.setattr(astrometric_utils.requests, "get", get)
    astrometric_utils.get_catalog(150.0, 2.0, catalog="GAIAeDR3")
    assert asked
    assert all("timeout" not in options for options in asked), "drizzlepac does not wait for ever any more"


def test_requests_are_answered(monkeypatch):
    monkeypatch.setattr(astrometric_utils, "requests", astrometric_utils.requests)
    asked = []
    text = "one line\r\nobjID,ra,dec,mag\r\n1,150.0,2.0,18\r\n"
    fit_inputs.serve_catalogs(lambda url: asked.append(url) or text)
    table = astrometric_utils.get_catalog(150.0, 2.0, sr=0.1, epoch=2012.5, catalog="GAIAeDR3")
    assert len(table) == 1
    end = "&FORMAT=CSV&CAT=GAIAeDR3&MINDET=5&EPOCH=2012.500"
    assert asked[0] == f"{astrometric_utils.SERVICELOCATION}/vo/CatalogSearch.aspx?RA=150.0&DEC=2.0&SR=0.1{end}"
    ours = Cone(150.0, 2.0, 0.1, 2012.5).url(astrometric_utils.SERVICELOCATION, "GAIAeDR3")
    assert ours.endswith(end)


def test_the_cone_holds_drizzlepacs_whatever_is_left_out(plan):
    paths = [str(exposure.path) for exposure in fit_order(plan.exposures)]
    cone = fit_cone(fit_order(plan.exposures))
    for some in (paths, *(paths[:k] + paths[k + 1 :] for k in range(len(paths))), paths[len(paths) // 2 :]):
        reference = astrometric_utils.build_reference_wcs(some)
        radius = astrometric_utils.compute_radius(reference)
        ra, dec = reference.wcs.crval
        distance = np.hypot((ra - cone.ra) * np.cos(np.deg2rad(dec)), dec - cone.dec)
        assert distance + radius < cone.radius
        assert some != paths or cone.radius < 1.7 * radius + 0.01


def test_the_order_is_drizzlepacs(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for exposure in plan.exposures:
        (tmp_path / exposure.name).write_bytes(exposure.path.read_bytes())
    (tmp_path / "poller.out").write_text(poller_text(plan.exposures, plan.corner_sky_cell))
    _, totals = poller_utils.interpret_mvm_input("poller.out", 20)
    listed = [member.svm_exposure_name for total in totals for member in total.edp_list]
    assert list(dict.fromkeys(listed)) == [e.name.rsplit("_", 1)[0] for e in fit_order(plan.exposures)]
    assert len(listed) == len(plan.exposures) + 1, "WFC3/IR is in the list of both of its products"
