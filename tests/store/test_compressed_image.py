"""Tile-compressed images."""

import os
import shutil
import subprocess

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.store.compressed_image import compress_images, occupied_tiles, write_compressed


@pytest.fixture(params=[(300, 700), (256, 256), (513, 257)], ids=str)
def files(request, tmp_path):
    """A file with images and its compressed copy."""
    rng = np.random.default_rng(1)
    science = rng.normal(size=request.param).astype(">f4")
    science[:, request.param[1] // 2 :] = np.nan
    science[:40] = 0
    weight = np.where(np.isfinite(science), 700, 0).astype(">f4")
    flags = rng.integers(0, 100, request.param, dtype=np.int16)
    table = fits.BinTableHDU.from_columns([fits.Column("name", "10A", array=["a", "b"])], name="HDRTAB")
    primary = fits.PrimaryHDU()
    primary.header["HISTORY"] = "made by a test"
    images = [fits.ImageHDU(data, name=name) for name, data in (("SCI", science), ("WHT", weight), ("DQ", flags))]
    images[0].header["CRVAL1"] = (12.5, "a keyword")
    images[0].header.add_comment("a comment")
    path = tmp_path / "a.fits"
    fits.HDUList([primary, *images, table]).writeto(path)
    copy = tmp_path / "b.fits"
    copy.write_bytes(path.read_bytes())
    compress_images(copy)
    return path, copy


def test_pixels_and_names_are_the_same(files):
    with fits.open(files[0]) as plain, fits.open(files[1]) as packed:
        assert [hdu.name for hdu in packed] == [hdu.name for hdu in plain]
        for name in ("SCI", "WHT", "DQ"):
            assert isinstance(packed[name], fits.CompImageHDU)
            assert packed[name].data.dtype.newbyteorder("=") == plain[name].data.dtype.newbyteorder("=")
            np.testing.assert_array_equal(packed[name].data, plain[name].data)
            np.testing.assert_array_equal(packed[name].section[3:9, 5:7], plain[name].data[3:9, 5:7])
        assert packed["HDRTAB"].data.tobytes() == plain["HDRTAB"].data.tobytes()


def test_header_cards_are_kept(files):
    with fits.open(files[0]) as plain, fits.open(files[1]) as packed:
        assert packed["SCI"].header["CRVAL1"] == 12.5
        assert str(packed["SCI"].header["COMMENT"]) == "a comment"
        ignored = ["XTENSION", "PCOUNT", "GCOUNT"]
        difference = fits.HeaderDiff(plain["SCI"].header, packed["SCI"].header, ignore_keywords=ignored)
        assert difference.identical, difference.report()
        assert str(packed[0].header["HISTORY"]) == "made by a test"


def test_two_compressions_give_the_same_bytes(files):
    again = files[0].with_name("c.fits")
    again.write_bytes(files[0].read_bytes())
    compress_images(again)
    assert again.read_bytes() == files[1].read_bytes()


def test_tables_are_valid_fits(files):
    with fits.open(files[1], disable_image_compression=True) as hdus:
        hdus.verify("exception")
        assert hdus["SCI"].header["ZCMPTYPE"] == "GZIP_2"
    assert files[1].stat().st_size % 2880 == 0


def test_sparse_images_are_small(tmp_path):
    data = np.zeros((2000, 2000), np.float32)
    data[1000:1100, 1000:1100] = 1.5
    path = tmp_path / "sparse.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]).writeto(path)
    compress_images(path)
    assert path.stat().st_size < 20_000
    np.testing.assert_array_equal(fits.getdata(path, "SCI"), data)


def test_tiles_without_data_are_known_from_the_table(tmp_path):
    data = np.zeros((600, 1100), np.float32)
    data[300:310, 515:520] = 2.5
    data[:256, 1024:] = np.nan
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="WHT")]).writeto(path)
    assert occupied_tiles(path, "WHT").tiles.all()
    compress_images(path)
    occupied = occupied_tiles(path, "WHT")
    # the last column and the last row have tiles of other shapes, of which one or more are empty
    assert occupied.tiles[1, 2]
    assert not occupied.tiles[:2, :2].any()
    assert (occupied.columns(0, 256), occupied.columns(250, 512)) == (slice(1024, 1100), slice(512, 1100))
    assert not (data[np.repeat(np.repeat(~occupied.tiles, 256, axis=0), 256, axis=1)[:600, :1100]] != 0).any()


def test_rows_of_another_width_are_refused(tmp_path):
    header = fits.ImageHDU(np.zeros((300, 300), np.float32)).header
    with (tmp_path / "a.fits").open("wb") as file, pytest.raises(ValueError, match="rows 256 and on"):
        write_compressed(header, [np.zeros((256, 300), ">f4"), np.zeros((300, 300), ">f4")], file)


def test_cfitsio_restores_the_same_pixels(files, tmp_path):
    """``funpack`` is CFITSIO's own program."""
    program = shutil.which("funpack")
    if program is None and "CI" not in os.environ:
        pytest.skip("funpack is not installed (Debian: libcfitsio-bin)")
    assert program, "funpack is not installed (Debian: libcfitsio-bin)"
    restored = tmp_path / "restored.fits"
    subprocess.run([program, "-O", restored, files[1]], check=True, timeout=60)
    with fits.open(files[0]) as plain, fits.open(restored) as found:
        assert [hdu.name for hdu in found] == [hdu.name for hdu in plain]
        for name in ("SCI", "WHT", "DQ"):
            assert found[name].data.tobytes() == plain[name].data.tobytes()


def test_fitsio_reads_images_and_parts_of_them(files):
    with fitsio.FITS(str(files[1])) as packed, fits.open(files[0]) as plain:
        for name in ("SCI", "WHT", "DQ"):
            np.testing.assert_array_equal(packed[name].read(), plain[name].data)
            np.testing.assert_array_equal(packed[name][3:9, 250:257], plain[name].data[3:9, 250:257])
