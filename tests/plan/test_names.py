"""Names of mosaics and their files."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.errors import HstMosaicError
from hstmosaic.plan.cells import ProjectionCell, load_sky_grid
from hstmosaic.plan.names import (
    check_prefix,
    default_prefix,
    file_key,
    is_aligned_copy,
    manifest_name,
    product_name,
    product_stem,
    trailer_name,
)

DOCUMENTED = re.compile(r"hst-skycell-p(\d{4})-ra(\d{1,3})d(\d{4})-dec([ns])(\d{1,2})d(\d{4})")


def cell_at(number: int, ra: float, dec: float) -> ProjectionCell:
    """A projection cell with this centre."""
    return ProjectionCell(number, 0, (ra, dec), (450287, 450287), 0.04, 256, 21)


def test_documented_example():
    assert default_prefix(cell_at(1974, 201.9512, 26.0012)) == "hst-skycell-p1974-ra201d9512-decn26d0012"


@pytest.mark.parametrize(
    ("ra", "dec", "end"),
    [
        (0.0, 0.0, "ra0d0000-decn0d0000"),
        (5.0, -0.00001, "ra5d0000-decs0d0000"),
        (12.00006, -2.0, "ra12d0001-decs2d0000"),
        (4.390243902439025, 89.999999999997, "ra4d3902-decn90d0000"),
        (187.90697674, -17.9999999, "ra187d9070-decs18d0000"),
    ],
)
def test_four_decimals_and_the_hemisphere(ra, dec, end):
    assert default_prefix(cell_at(7, ra, dec)) == f"hst-skycell-p0007-{end}"


def test_every_projection_cell_has_its_own_prefix():
    grid = load_sky_grid()
    prefixes = set()
    for number in range(2644):
        cell = grid.cell(number)
        prefix = default_prefix(cell)
        cell_id, ra, ra_decimals, hemisphere, dec, dec_decimals = DOCUMENTED.fullmatch(prefix).groups()
        assert int(cell_id) == number
        assert float(f"{ra}.{ra_decimals}") == pytest.approx(cell.center[0], abs=5.1e-5)
        sign = -1 if hemisphere == "s" else 1
        assert sign * float(f"{dec}.{dec_decimals}") == pytest.approx(cell.center[1], abs=5.1e-5)
        assert check_prefix(prefix) == prefix
        prefixes.add(prefix)
    assert len(prefixes) == 2644


@given(
    st.text(string.ascii_letters + string.digits + "_-.+", min_size=1, max_size=160).filter(
        lambda text: text[0] not in "-."
    )
)
def test_prefixes_are_taken_as_they_are(prefix):
    assert check_prefix(prefix) == prefix


@given(st.text(string.ascii_letters, min_size=1), st.sampled_from("/\\ \t\n\r\0\x7f\u00a0"), st.text("ab-"))
def test_prefixes_that_cannot_be_in_a_file_name(before, wrong, after):
    with pytest.raises(HstMosaicError, match="cannot begin a file name"):
        check_prefix(before + wrong + after)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "-rf",
        ".hidden",
        "..",
        "/tmp/mine",
        "../mine",
        "Müller",
        "a[1]",
        "a$b",
        "a(1)",
        "a,b",
        "@b",
        "a*",
        "٣",
        "m\n",
    ],
)
def test_prefixes_that_cannot_begin_a_file_name(prefix):
    with pytest.raises(HstMosaicError, match="cannot begin a file name") as caught:
        check_prefix(prefix)
    assert "--output-dir" in caught.value.next_step


def test_the_longest_prefix_leaves_room_for_the_longest_names():
    longest = "x" * 160
    stem = product_stem(check_prefix(longest), "wfc3", "uvis", "f606w-pol120v", coarse=True)
    assert len(f".{stem}-icab01a0_flc_single_sci.fits.part") < 255
    with pytest.raises(HstMosaicError, match="161 letters long"):
        check_prefix(longest + "x")


def test_names_of_files():
    fine = product_stem("foo_", "wfc3", "ir", "f160w", coarse=False)
    coarse = product_stem("foo_", "wfc3", "ir", "f160w", coarse=True)
    assert product_name(fine, "flt") == "foo__wfc3_ir_f160w_all_drz.fits"
    assert product_name(coarse, "flt") == "foo__wfc3_ir_f160w_coarse-all_drz.fits"
    uvis = product_stem("m33", "wfc3", "uvis", "f606w-pol0v", coarse=False)
    assert product_name(uvis, "flc") == "m33_wfc3_uvis_f606w-pol0v_all_drc.fits"
    assert trailer_name(coarse) == "foo__wfc3_ir_f160w_coarse-all_trl.txt"
    assert manifest_name("m33") == "m33_manifest.txt"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("icab01a0q_flc.fits", "icab01a0"),
        ("hst_12546_02_acs_wfc_f606w_jchb02ac_flc.fits", "jchb02ac"),
        ("icab-deep-1_flc.fits", "icab-dee"),
        ("icab_flc.fits", "icab_flc"),
    ],
)
def test_file_keys_of_working_copies(name, key):
    assert file_key(name) == key
    assert not is_aligned_copy(name)
    assert is_aligned_copy(f"{product_stem('foo', 'WFC3', 'UVIS', 'F606W', coarse=False)}-{key}_flc.fits")
