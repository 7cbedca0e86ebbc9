"""What a task does last to the files it has made."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.scripts import fitscheck

from hstmosaic.products.decimate import decimate
from hstmosaic.products.gather import Gathered
from hstmosaic.products.manifest import Manifest
from hstmosaic.products.verify import read_manifests, verify_products
from hstmosaic.store.files import sha256
from hstmosaic.tasks.finish import finish_file, finish_fits, refer_npixfrac

CARDS = [("ALNCAT", "GAIAeDR3", "catalogue"), ("ALNMATCH", 17, "stars"), ("ALIGNED", True, "fitted")]


@pytest.fixture
def mosaic(tmp_path):
    path = tmp_path / "foo_drc.fits"
    pixels = np.random.default_rng(5).normal(size=(50, 70)).astype("f4")
    table = fits.BinTableHDU.from_columns([fits.Column("ROOTNAME", "9A", array=["icab01a0q", "icab01a1q"])])
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(pixels, name="SCI"), fits.ImageHDU(pixels**2, name="WHT"), table]
    hdus[0].header["NPIXFRAC"] = (600 / 2000, "Fraction of pixels with data")
    hdus[0].header.add_history("drizzled")
    hdus[-1].name = "HDRTAB"
    fits.HDUList(hdus).writeto(path)
    return path


def test_every_checksum_holds_and_is_reported(mosaic):
    made = finish_fits(mosaic, CARDS, ["moved"])
    # astropy warns of a checksum that does not hold, and warnings are errors
    with fits.open(mosaic, checksum=True) as hdus:
        assert [hdu.verify_checksum() for hdu in hdus] == [1] * 4
        assert [hdu.verify_datasum() for hdu in hdus] == [1] * 4
        assert made.datasum == {hdu.name: hdu.header["DATASUM"] for hdu in hdus}
        assert made.checksum == {hdu.name: hdu.header["CHECKSUM"] for hdu in hdus}
    assert fitscheck.main([str(mosaic)]) == 0
    assert (made.name, made.size, made.sha256) == (mosaic.name, mosaic.stat().st_size, sha256(mosaic))


def test_records_are_added_and_nothing_else_changes(mosaic):
    with fits.open(mosaic) as hdus:
        before = [(hdu.header.copy(), None if hdu.data is None else hdu.data.tobytes()) for hdu in hdus]
    finish_fits(mosaic, CARDS, ["moved", "turned"])
    moved = "".join(f"HISTORY {record:<72}" for record in ("moved", "turned"))
    with fits.open(mosaic) as hdus:
        header = hdus[0].header
        assert {keyword: (header[keyword], header.comments[keyword]) for keyword, _, _ in CARDS} == {
            keyword: (value, comment) for keyword, value, comment in CARDS
        }
        assert list(header["HISTORY"]) == ["drizzled", "moved", "turned"]
        for (old, data), hdu in zip(before, hdus, strict=True):
            left = hdu.header.copy()
            for keyword in ("CHECKSUM", "DATASUM", *(keyword for keyword, _, _ in CARDS)):
                left.remove(keyword, ignore_missing=True)
            assert left.tostring(padding=False).replace(moved, "") == old.tostring(padding=False)
            assert data is None or hdu.data.tobytes() == data


def test_checksums_that_were_there_before_leave_no_date(mosaic):
    with fits.open(mosaic, mode="update") as hdus:
        for hdu in hdus:
            hdu.add_checksum()
    finish_fits(mosaic, CARDS)
    with fits.open(mosaic, checksum=True) as hdus:
        for hdu in hdus:
            assert hdu.verify_checksum() == 1
            assert {hdu.header.comments[keyword] for keyword in ("CHECKSUM", "DATASUM")} == {"FITS checksum convention"}


def test_checksums_hold_where_the_header_has_to_grow(mosaic):
    finish_fits(mosaic, CARDS, [f"record {i}" for i in range(100)])
    with fits.open(mosaic, checksum=True) as hdus:
        assert len(hdus[0].header["HISTORY"]) == 101
        assert [hdu.verify_checksum() for hdu in hdus] == [1] * 4


def test_checksums_that_were_true_before_are_replaced(mosaic):
    finish_fits(mosaic)
    with fits.open(mosaic, mode="update") as hdus:
        hdus["SCI"].data[0, 0] = 1000
    made = finish_fits(mosaic)
    with fits.open(mosaic, checksum=True) as hdus:
        assert made.datasum["SCI"] == hdus["SCI"].header["DATASUM"]
        assert [hdu.verify_datasum() for hdu in hdus] == [1] * 4


def test_the_same_file_gets_the_same_bytes(mosaic, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / mosaic.name
    other.write_bytes(mosaic.read_bytes())
    assert finish_fits(mosaic, CARDS) == finish_fits(other, CARDS)


def test_extensions_that_share_a_name_are_distinguished(tmp_path):
    chips = [fits.ImageHDU(np.full((2, 2), i, "f4"), name="SCI", ver=i) for i in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *chips, fits.ImageHDU(name="WHT")]).writeto(tmp_path / "a_flc.fits")
    assert list(finish_fits(tmp_path / "a_flc.fits").datasum) == ["PRIMARY", "SCI,1", "SCI,2", "WHT"]


def test_other_files_have_no_checksums_inside(tmp_path):
    (tmp_path / "trailer.txt").write_text("trailer")
    made = finish_file(tmp_path / "trailer.txt")
    assert (made.size, made.datasum, made.checksum) == (7, {}, {})


def test_npixfrac_refers_to_the_documented_limits(mosaic):
    assert refer_npixfrac(mosaic, 2000, 1_000_000) == ("NPIXFRAC", 0.0006, "Fraction of pixels with data")


@pytest.fixture
def compressed(tmp_path):
    """A mosaic with its compressed copy, and what was recorded of the latter."""
    pixels = np.random.default_rng(5).normal(size=(300, 500)).astype("f4")
    pixels[:, 400:] = 0
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(pixels, name="SCI"), fits.ImageHDU((pixels != 0) * 2.5, name="WHT")]
    hdus[1].header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -1e-5, "CD2_2": 1e-5})
    paths = tmp_path / "plain" / "foo_drc.fits", tmp_path / "foo_drc.fits"
    paths[0].parent.mkdir()
    for path in paths:
        fits.HDUList(hdus).writeto(path)
    finish_fits(paths[0], CARDS, ["moved"])
    return *paths, finish_fits(paths[1], CARDS, ["moved"], compress=True)


def test_compressed_mosaics_have_the_same_pixels(compressed):
    with fits.open(compressed[0]) as plain, fits.open(compressed[1]) as packed:
        assert list(packed[0].header["HISTORY"]) == ["moved"]
        for name in ("SCI", "WHT"):
            np.testing.assert_array_equal(packed[name].data, plain[name].data)
    assert compressed[1].stat().st_size < compressed[0].stat().st_size


def test_checksums_of_compressed_mosaics_hold(compressed):
    _, path, made = compressed
    with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
        assert [hdu.verify_checksum() for hdu in hdus] == [1] * 3
        assert made.checksum == {hdu.name: hdu.header["CHECKSUM"] for hdu in hdus}
        assert made.datasum == {hdu.name: hdu.header["DATASUM"] for hdu in hdus}
    assert made.sha256 == sha256(path)


def test_pictures_see_the_same_in_compressed_mosaics(compressed):
    plain, packed = (decimate(path, side=100) for path in compressed[:2])
    np.testing.assert_array_equal(packed.science, plain.science)
    np.testing.assert_array_equal(packed.weight, plain.weight)
    assert (packed.noise, packed.shape, packed.covered_pixels) == (plain.noise, plain.shape, plain.covered_pixels)


def test_compressed_mosaics_are_verified(compressed, tmp_path):
    _, path, made = compressed
    product = Gathered(**vars(made), kind="mosaic")
    manifest = Manifest("foo", "2026", {}, 0, (product,), (), (), ())
    (tmp_path / "foo_manifest.json").write_text(manifest.to_json())
    assert verify_products(tmp_path, read_manifests(tmp_path), lambda _: None).faults == ()
    content = bytearray(path.read_bytes())
    content[-4000] ^= 1
    path.write_bytes(content)
    (fault,) = verify_products(tmp_path, read_manifests(tmp_path), lambda _: None).faults
    assert "the data of WHT do not have its DATASUM" in fault.cause
