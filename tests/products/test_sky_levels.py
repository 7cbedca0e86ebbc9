"""Single columns of tables are read as astropy reads them."""

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.products.sky_levels import read_columns

COLUMNS = [
    fits.Column("ROOT", "9A", array=["ab", "longer   ", ""]),
    fits.Column("SHORT", "A", array=["x", "y", "z"]),
    fits.Column("PAIR", "2E", array=np.arange(6).reshape(3, 2)),
    fits.Column("YES", "L", array=[True, False, True]),
    fits.Column("VERSION", "K", array=[1, 2, 2**40]),
    fits.Column("SKY", "D", array=[0.1, np.nan, -3.5]),
]


@pytest.mark.parametrize(
    "added",
    [[], [fits.Column("LIST", "PJ()", array=[[1], [2, 3], []])], [fits.Column("FLAG", "I", bzero=32768)]],
    ids=["plain", "variable length", "offset"],
)
def test_single_columns_are_those_of_astropy(tmp_path, added):
    table = fits.BinTableHDU.from_columns([*COLUMNS, *added], name="TABLE")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 5))), table]).writeto(tmp_path / "a.fits")
    names = ("SKY", "ROOT", "VERSION", *[column.name for column in added if column.name == "FLAG"])
    with fits.open(tmp_path / "a.fits") as hdus:
        found, expected = read_columns(hdus["TABLE"], names), hdus["TABLE"].data
        for name, column in zip(names, found, strict=True):
            np.testing.assert_array_equal(np.char.strip(column) if name == "ROOT" else column, expected[name])
        assert read_columns(hdus["TABLE"], ("SKY", "MISSING")) is None
