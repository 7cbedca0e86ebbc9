"""Catalogues that users bring."""

import csv

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from hstmosaic.errors import AlignmentError
from hstmosaic.plan.catalog_replies import COLUMNS, USER_CATALOG, Cone, check_reply, reply_text
from hstmosaic.plan.user_catalog import FORMATS, catalog_reply, read_catalog, reply_table, write_catalog

SKY = Cone(0.0, 0.0, 180.0)


def parsed(text):
    lines = text.split("\r\n")
    assert lines[0].startswith("Objects found")
    return [{key: float(value or "nan") for key, value in row.items()} for row in csv.DictReader(lines[1:-1])]


@pytest.fixture
def table():
    return Table(
        {
            "ra": [10.0, 359.9999999],
            "dec": [60.0, -45.0],
            "ra_error": [0.2, 0.3],
            "dec_error": [0.1, 0.4],
            "pmra": [100.0, 50.0],
            "pmdec": [-200.0, 0.0],
            "mag": [18.0, 19.0],
            "epoch": [2016.0, 2016.0],
        }
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_reads_the_same(table, tmp_path, suffix):
    path = tmp_path / f"stars{suffix.upper()}"
    write_catalog(table, path)
    columns = read_catalog(path)
    for name in table.colnames:
        np.testing.assert_allclose(columns[name], table[name], rtol=1e-14)


def test_replies_have_positions_at_the_catalogues_epoch(table, tmp_path):
    table.write(tmp_path / "stars.ecsv")
    text = catalog_reply(read_catalog(tmp_path / "stars.ecsv"), SKY)
    assert check_reply(text, USER_CATALOG) == 2
    first, second = parsed(text)
    for row, given in zip((first, second), table, strict=True):
        for name in ("dec", "pmra", "pmdec", "epoch", "ra_error", "dec_error", "mag"):
            assert row[name] == pytest.approx(given[name], abs=1e-9), name
        assert row["ra"] % 360 == pytest.approx(given["ra"] % 360, abs=1e-9)


def test_units_and_names_of_gaia(tmp_path):
    given = Table(
        {
            "RA": [0.5] * u.hourangle,
            "Dec": [600.0] * u.arcmin,
            "RA_ERROR": [1e-3] * u.arcsec,
            "pmRA": [0.01] * u.arcsec / u.yr,
            "phot_g_mean_mag": [17.0],
            "ref_epoch": [2016.0],
        }
    )
    given.write(tmp_path / "gaia.ecsv")
    columns = {name: float(values[0]) for name, values in read_catalog(tmp_path / "gaia.ecsv").items()}
    expected = {"ra": 7.5, "dec": 10.0, "ra_error": 1.0, "pmra": 10.0, "mag": 17.0, "epoch": 2016.0}
    assert columns == pytest.approx(expected)


def test_positions_alone_are_enough(tmp_path):
    (tmp_path / "stars.csv").write_text("ra,dec\n10,20\n")
    (row,) = parsed(catalog_reply(read_catalog(tmp_path / "stars.csv"), SKY))
    assert (row["ra"], row["dec"], row["ra_error"]) == (10, 20, 0)
    assert all(np.isnan(row[name]) for name in ("pmra", "pmdec", "mag", "epoch"))


def test_only_the_field_is_taken(table, tmp_path):
    table.write(tmp_path / "stars.ecsv")
    (row,) = parsed(catalog_reply(read_catalog(tmp_path / "stars.ecsv"), Cone(10.1, 60.0, 0.1)))
    assert row["ra"] == 10.0
    text = catalog_reply(read_catalog(tmp_path / "stars.ecsv"), Cone(50.0, 60.0, 0.1))
    assert check_reply(text, USER_CATALOG) == 0


def test_missing_values(tmp_path):
    table = Table({"ra": [10.0, 11.0, np.nan], "dec": [20.0, 21.0, 22.0]}, meta={"epoch": 2016.0})
    table["pmra"] = MaskedColumn([5.0, 6.0, 7.0], mask=[True, False, False])
    table["ra_error"] = MaskedColumn([0.5, 0.1, 9.0], mask=[True, False, False])
    table.write(tmp_path / "stars.ecsv")
    rows = parsed(catalog_reply(read_catalog(tmp_path / "stars.ecsv"), SKY))
    assert [row["ra"] for row in rows] == [10.0, 11.0]
    assert np.isnan(rows[0]["pmra"])
    assert (rows[1]["pmra"], rows[1]["epoch"]) == (6.0, 2016.0)
    assert [row["ra_error"] for row in rows] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("epoch", "years"), [(2016, 2016.0), ("2016.0", 2016.0), ("J2016.0", 2016.0014), ("B1950.0", 1949.9998)]
)
def test_epochs_of_tables_as_they_are_written(tmp_path, epoch, years):
    """Julian years begin at the noon of 2000 January 1, 365.25 days each; Besselian ones in 1949 December 31.92."""
    Table({"ra": [10.0], "dec": [20.0], "pmra": [5.0]}, meta={"epoch": epoch}).write(tmp_path / "stars.ecsv")
    assert read_catalog(tmp_path / "stars.ecsv")["epoch"] == pytest.approx([years], abs=1e-4)


def test_sources_without_errors_weigh_like_the_worst_with_errors():
    """Drizzlepac would not use them at all; a 0 is what many tables have for an error that is not known."""
    columns = {key: np.array(values) for key, values in {
        "ra": [10.0, 11.0, 12.0, 13.0],
        "dec": [20.0, 21.0, 22.0, 23.0],
        "ra_error": [0.0, 0.4, 0.2, -1.0],
        "dec_error": [0.0, 0.0, 0.0, 0.0],
    }.items()}  # fmt: skip
    rows = parsed(catalog_reply(columns, SKY))
    assert [row["ra_error"] for row in rows] == [0.4, 0.4, 0.2, 0.4]
    assert [row["dec_error"] for row in rows] == [0.0] * 4


def test_our_names_count_more_than_gaias(tmp_path):
    table = Table(
        {"ra": [1.0], "dec": [2.0], "mag": [17.0], "phot_g_mean_mag": [18.0], "source_id": [5], "SOURCE_ID": [6]}
    )
    table.write(tmp_path / "stars.ecsv")
    assert read_catalog(tmp_path / "stars.ecsv")["mag"] == [17.0]


def test_a_spreadsheet_begins_with_a_byte_order_mark(tmp_path):
    (tmp_path / "stars.csv").write_text("ra,dec,mag\n1,2,18\n", encoding="utf-8-sig")
    assert read_catalog(tmp_path / "stars.csv")["ra"] == [1.0]


def test_several_numbers_a_row(tmp_path):
    Table({"ra": [[1.0, 2.0]], "dec": [[1.0, 2.0]]}).write(tmp_path / "stars.fits")
    with pytest.raises(AlignmentError, match=r"column ra is not usable \(2 numbers a row"):
        read_catalog(tmp_path / "stars.fits")


@pytest.mark.parametrize(("epoch", "stated"), [(57388.0, "57388"), (2457388.5, "2457388.5"), (16.0, "16")])
def test_an_epoch_that_is_not_a_year(tmp_path, epoch, stated):
    """Or proper motions would move stars by degrees, and nobody would know why none matches."""
    table = Table({"ra": [10.0, 11.0], "dec": [20.0, 21.0], "pmra": [5.0, 5.0]})
    Table(table, meta={"epoch": epoch}).write(tmp_path / "meta.ecsv")
    table["epoch"] = [2016.0, epoch]
    table.write(tmp_path / "column.ecsv")
    for name in ("meta.ecsv", "column.ecsv"):
        with pytest.raises(AlignmentError, match=f"{name}: its epoch {stated} is not a year"):
            read_catalog(tmp_path / name)


def test_an_epoch_that_is_none(tmp_path):
    Table({"ra": [10.0], "dec": [20.0]}, meta={"EPOCH": "soon"}).write(tmp_path / "stars.ecsv")
    with pytest.raises(AlignmentError, match=r"stars.ecsv: its epoch 'soon' is not understood"):
        read_catalog(tmp_path / "stars.ecsv")


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("stars.txt", "ra,dec\n1,2\n", "unknown kind"),
        ("stars.csv", None, "no such file"),
        ("stars.csv", "x,y\n1,2\n", "no columns ra and dec"),
        ("stars.csv", "ra,dec\n", "no source with a position"),
        ("stars.csv", "ra,dec\n,\n", "no source with a position"),
        ("stars.csv", "ra,dec\n10:00:00,2\n", "column ra is not usable"),
        ("stars.csv", "ra,dec,pmra\n10,2,3\n", "no epoch"),
        ("stars.csv", "ra,dec,pmra,epoch\n10,2,3,\n", "no epoch"),
        (
            "stars.ecsv",
            "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\n"
            "# - {name: RA, datatype: float64}\n# - {name: dec, datatype: float64}\nra RA dec\n1 2 3\n",
            "two columns ra",
        ),
        ("stars.csv", "", "cannot be read|no columns"),
        ("stars.fits", "not fits", "cannot be read"),
        ("stars.vot", "not xml", "cannot be read"),
        ("stars.ecsv", "ra dec\n1 2\n", "cannot be read"),
    ],
)
def test_bad_catalogues(tmp_path, name, text, cause):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(AlignmentError, match=cause) as caught:
        read_catalog(path)
    assert str(path) in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize("catalog", ["GAIAeDR3", "GSC242", "2MASS"])
def test_a_reply_becomes_a_users_catalogue(tmp_path, catalog):
    values = {"epoch": "2015.5", "jdate": f"{Time(2000.25, format='decimalyear').jd:.6f}"}
    values |= {"ra": "10.5", "dec": "-20.25", "pmra": "", "rapm": "3.5"}
    text = reply_text(COLUMNS[catalog], [[values.get(column, "1") for column in COLUMNS[catalog]]])
    write_catalog(reply_table(text, catalog), tmp_path / "kept.ecsv")
    columns = {name: column[0] for name, column in read_catalog(tmp_path / "kept.ecsv").items()}
    assert (columns["ra"], columns["dec"]) == (10.5, -20.25)
    assert columns["epoch"] == pytest.approx(2000.25 if catalog == "2MASS" else 2015.5, abs=1e-4)
    assert columns.get("pmra") == {"GAIAeDR3": pytest.approx(np.nan, nan_ok=True), "GSC242": 3.5}.get(catalog)
