"""Products that differ from the plan are refused with the cause."""

import hashlib

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.plan.estimates import Estimate
from hstmosaic.plan.layers import Layer, Product
from hstmosaic.plan.limits import Grid
from hstmosaic.products.gather import Gathered, gather_layer, publish, still_gathered
from hstmosaic.products.product_check import ProductError, check_product
from hstmosaic.store.files import MadeFile, sha256

SHAPE = (20, 30)
USED = ("icab01a0q_flc.fits", "hst_12546_02_wfc3_uvis_f606w_icab02a0_flc.fits")
PRODUCT = Product(
    name="foo_wfc3_uvis_f606w_all_drc.fits",
    trailer="foo_wfc3_uvis_f606w_all_trl.txt",
    grid=Grid(scale=0.04, shape=SHAPE, crpix=(100.0, -50.0), crval=(180.0, 26.0)),
    documented_size=1_000_000,
)
LAYER = Layer("wfc3", "uvis", "f606w", "flc", USED, 10.0, (PRODUCT,), 2.0, "n2", False, Estimate(1, 1, 1))


def write(path, **changes):
    primary = fits.PrimaryHDU()
    cards = {
        "HAPLEVEL": 4,
        "FILENAME": PRODUCT.name,
        "NPIXFRAC": 600 / 2000,
        "D001DATA": "foo_wfc3_uvis_f606w_all-icab01a0_flc.fits[sci,1]",
        "D002DATA": "foo_wfc3_uvis_f606w_all-icab01a0_flc.fits[sci,2]",
        "D003DATA": "foo_wfc3_uvis_f606w_all-icab02a0_flc.fits[sci,1]",
    }
    science = fits.ImageHDU(np.zeros(changes.pop("shape", SHAPE), "f4"), name="SCI")
    for key, value in {
        "CRPIX1": 100.0,
        "CRPIX2": -50.0,
        "CRVAL1": 180.0,
        "CRVAL2": 26.0,
        "CD1_1": -0.04 / 3600,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 0.04 / 3600,
        "S_REGION": "POLYGON",
    }.items():
        science.header[key] = value
    weight = fits.ImageHDU(np.zeros(changes.pop("weight", science.shape), "f4"), name="WHT")
    for key, value in (cards | changes).items():
        header = science.header if key in science.header else primary.header
        if value is None:
            header.pop(key, None)
        else:
            header[key] = value
    fits.HDUList([primary, science, weight]).writeto(path)


def test_a_product_as_planned_passes(tmp_path):
    write(tmp_path / PRODUCT.name)
    check_product(tmp_path / PRODUCT.name, PRODUCT, USED)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"shape": (21, 30)}, r"shape \(21, 30\) instead of \(20, 30\)"),
        ({"weight": (20, 29)}, "weight image has another shape"),
        ({"CRPIX1": 101.0}, r"CRPIX1 101\.0 instead of 100\.0"),
        ({"CRVAL2": 26.00001}, "CRVAL2"),
        ({"CRVAL1": 180.0 + 1e-7}, "CRVAL1"),
        ({"CD1_1": -0.12 / 3600}, "CD1_1"),
        ({"CD2_2": 0.0396 / 3600}, "CD2_2"),
        ({"CD1_2": 1e-7}, "CD1_2"),
        ({"CRPIX2": None}, "CRPIX2 None instead of -50"),
        ({"HAPLEVEL": None}, "headers were not refined"),
        ({"S_REGION": None}, "headers were not refined"),
        ({"FILENAME": "bar.fits"}, "FILENAME is 'bar.fits'"),
        ({"D003DATA": None}, "exposures missing: icab02a0"),
        ({"D004DATA": "foo_wfc3_uvis_f606w_all-icab03a0_flc.fits[sci,1]"}, "exposures not planned: foo_wfc3"),
    ],
)
def test_what_differs_is_named(tmp_path, changes, cause):
    write(tmp_path / PRODUCT.name, **changes)
    with pytest.raises(ProductError, match=cause):
        check_product(tmp_path / PRODUCT.name, PRODUCT, USED)


@pytest.mark.parametrize("name", ["SCI", "WHT"])
def test_a_product_that_lacks_an_extension_is_refused_as_one(tmp_path, name):
    write(tmp_path / PRODUCT.name)
    with fits.open(tmp_path / PRODUCT.name, mode="update") as hdus:
        del hdus[name]
    with pytest.raises(ProductError, match=f"it has no {name}"):
        check_product(tmp_path / PRODUCT.name, PRODUCT, USED)


def test_checksum_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"mosaic" * 1000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"mosaic" * 1000).hexdigest()


@pytest.fixture
def task(tmp_path):
    work = tmp_path / "out" / "foo_run" / "tasks" / "drizzle" / "work"
    work.mkdir(parents=True)
    write(work / PRODUCT.name)
    (work / PRODUCT.trailer).write_text("trailer")
    names = (PRODUCT.name, PRODUCT.trailer)
    made = [MadeFile(name, (work / name).stat().st_size, sha256(work / name)) for name in names]
    return work.parent, tmp_path / "out", made


def test_gathering_moves_products_and_trailers(task):
    folder, output, made = task
    gathered = gather_layer(LAYER, USED, made, folder, output)
    assert [file.name for file in gathered] == [PRODUCT.name, PRODUCT.trailer]
    assert [(file.kind, file.layer) for file in gathered] == [("mosaic", LAYER.name), ("trailer", LAYER.name)]
    assert all(file.exposures == USED for file in gathered)
    assert still_gathered(folder, output) == gathered


def test_nothing_is_moved_when_a_product_is_not_as_planned(task):
    folder, output, made = task
    with pytest.raises(ProductError):
        gather_layer(LAYER, USED[:1], made, folder, output)
    assert [path.name for path in output.iterdir()] == ["foo_run"]
    assert still_gathered(folder, output) is None


def test_incomplete_products_are_not_moved(task):
    folder, output, made = task
    (folder / "work" / PRODUCT.trailer).write_text("trai")
    with pytest.raises(ProductError, match="has 4 bytes, but its task has written 7"):
        gather_layer(LAYER, USED, made, folder, output)
    assert [path.name for path in output.iterdir()] == ["foo_run"]


def test_gathering_resumes_after_a_killed_driver(task):
    folder, output, made = task
    (folder / "work" / PRODUCT.name).replace(output / PRODUCT.name)
    gathered = gather_layer(LAYER, USED, made, folder, output)
    assert {file.name: file.sha256 for file in gathered} == {file.name: file.sha256 for file in made}
    assert still_gathered(folder, output) == gathered


@pytest.mark.parametrize("harm", ["removed", "changed"])
def test_changed_products_are_not_finished(task, harm):
    folder, output, made = task
    gather_layer(LAYER, USED, made, folder, output)
    if harm == "removed":
        (output / PRODUCT.name).unlink()
    else:
        (output / PRODUCT.trailer).write_text("Trailer")
    assert still_gathered(folder, output) is None


@pytest.mark.parametrize("links", [True, False], ids=["with hard links", "without"])
def test_published_files_stay_in_the_run_directory(tmp_path, monkeypatch, links):
    output = tmp_path / "out"
    output.mkdir()
    source = tmp_path / "icab01a0q_flc.fits"
    source.write_bytes(b"aligned")
    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("not here")))
    for _ in range(2):
        publish([(Gathered("foo_flc.fits", 7, sha256(source), kind="aligned exposure"), source)], output)
    assert (output / "foo_flc.fits").read_bytes() == source.read_bytes() == b"aligned"
    assert [path.name for path in output.iterdir()] == ["foo_flc.fits"]
