"""A directory of products is checked against its manifests: what was changed, lost or added is named."""

from dataclasses import replace

import pytest
from astropy.io import fits

from hstmosaic.cli import main
from hstmosaic.errors import ExitCode, NotAsRecordedError
from hstmosaic.products.manifest import Failure, manifest_from_json
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions

MOSAIC = "stub-foo_wfc3_uvis_f606w_all_drc.fits"
TRAILER = "stub-foo_wfc3_uvis_f606w_all_trl.txt"


@pytest.fixture(scope="module")
def made(simulated, tmp_path_factory):
    """Products of a run whose tasks only pretend; the files are small, all else is as it always is."""
    folder = tmp_path_factory.mktemp("made")
    source = str(simulated.demo(200).list)
    for prefix in ("foo", "foo_bar"):
        options = RunOptions(source, prefix=prefix, skip_alignment=True, output=folder / "out", stub=True)
        assert run_mosaic(options, lambda event: None).exit_code is ExitCode.OK
    return folder / "out"


@pytest.fixture
def products(made, tmp_path):
    for path in made.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def verify(folder):
    read = []
    found = read_manifests(folder)
    verified = verify_products(folder, found, read.append)
    assert sum(read) == sum(product.size for product in found.products) or verified.faults
    return {fault.name: fault for fault in verified.faults}, verified


def change(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_what_was_made_is_as_recorded(products):
    faults, verified = verify(products)
    assert faults == {}
    assert (verified.manifests, verified.files) == (2, 20)
    assert "all as recorded" in str(verified)


def test_sky_cells_of_another_run_are_named(products):
    for name, mosaic in (("x02y03", MOSAIC), ("x02y04", "hst_other_all_drc.fits")):
        tile = fits.PrimaryHDU()
        tile.header["HMTILEOF"] = mosaic
        tile.writeto(products / f"hst_skycell-p1889{name}_wfc3_uvis_f606w_all_drc.fits")
    fits.PrimaryHDU().writeto(products / "hst_skycell-p1889x02y05_wfc3_uvis_f606w_all_drc.fits")
    faults, _ = verify(products)
    assert list(faults) == ["hst_skycell-p1889x02y03_wfc3_uvis_f606w_all_drc.fits"]


def test_a_changed_bit_in_the_data_is_found_and_placed(products):
    change(products / MOSAIC, 2880 + 5)
    faults, _ = verify(products)
    assert faults.keys() == {MOSAIC}
    assert "SHA-256" in faults[MOSAIC].cause
    assert "data of PRIMARY" in faults[MOSAIC].cause
    assert "run the same command again" in faults[MOSAIC].next_step


def test_a_changed_letter_in_a_header_is_found_and_placed(products):
    where = (products / MOSAIC).read_bytes().index(b"FITS checksum")
    change(products / MOSAIC, where)
    faults, _ = verify(products)
    assert "header of PRIMARY" in faults[MOSAIC].cause


def test_a_remade_file_with_valid_checksums_is_a_fault(products):
    with fits.open(products / MOSAIC, mode="update") as hdus:
        hdus[0].header["OBJECT"] = "forged"
        hdus[0].add_checksum()
    faults, _ = verify(products)
    assert "another CHECKSUM than in the manifest" in faults[MOSAIC].cause


def test_a_file_that_is_cut_off(products):
    content = (products / MOSAIC).read_bytes()
    (products / MOSAIC).write_bytes(content[:3000])
    faults, _ = verify(products)
    assert faults[MOSAIC].cause == f"has 3000 bytes instead of {len(content)}"


def test_a_file_that_is_gone(products):
    (products / TRAILER).unlink()
    faults, _ = verify(products)
    assert faults.keys() == {TRAILER}
    assert faults[TRAILER].cause == "is missing"
    assert faults[TRAILER].next_step.startswith("run the same command again")


def test_a_changed_aligned_copy_is_not_an_input(products):
    path = products / "stub-foo_manifest.json"
    listed = manifest_from_json(path.read_text())
    mosaic = next(file for file in listed.products if file.name == MOSAIC)
    # nothing is aligned with stubs: a mosaic stands in for the exposure
    path.write_text(listed.with_products([replace(mosaic, kind="aligned exposure", layer=None)]).to_json())
    change(products / MOSAIC, 2880 + 5)
    assert verify(products)[0][MOSAIC].next_step.startswith("delete stub-foo_run/tasks/align and run")


@pytest.mark.parametrize("name", ["stub-foo_wfc3_uvis_f275w_all_drc.fits", ".stub-foo_manifest.json.part"])
def test_a_file_that_is_named_like_a_product(products, name):
    (products / name).write_text("another run's")
    faults, _ = verify(products)
    assert faults.keys() == {name}


def test_other_files_are_ignored(products):
    (products / "notes.txt").write_text("mine")
    assert verify(products)[0] == {}


def test_an_unreadable_manifest_is_a_fault(products):
    (products / "stub-foo_manifest.json").write_text("{")
    change(products / "stub-foo_bar_wfc3_uvis_f606w_all_trl.txt", 1)
    faults, _ = verify(products)
    # what belongs to the damaged one is not known, so that no message asks to move products
    assert faults.keys() == {"stub-foo_manifest.json", "stub-foo_bar_wfc3_uvis_f606w_all_trl.txt"}


def test_without_a_manifest_there_is_nothing_to_check(tmp_path):
    with pytest.raises(NotAsRecordedError, match="no manifest"):
        read_manifests(tmp_path)


@pytest.mark.parametrize(("harm", "code"), [(False, ExitCode.OK), (True, ExitCode.NOT_AS_RECORDED)])
def test_the_exit_code_shows_the_verdict(products, monkeypatch, capsys, harm, code):
    if harm:
        change(products / MOSAIC, 2880 + 5)
    monkeypatch.setattr("sys.argv", ["hstmosaic", "verify", str(products)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == code
    assert (MOSAIC in printed.err) == harm
    assert "2 manifests" in printed.out
    assert "\x1b" not in printed.err, "no bar where there is no terminal"


def test_incomplete_runs_are_noted(products):
    path = products / "stub-foo_manifest.json"
    failed = replace(
        manifest_from_json(path.read_text()), exit_code=7, failures=(Failure("acs_wfc_f814w", "no memory", "log"),)
    )
    path.write_text(failed.to_json())
    (note,) = read_manifests(products).notes
    assert "exit code 7" in note
    assert "acs_wfc_f814w: no memory" in note
