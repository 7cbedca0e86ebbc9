"""The list of required keywords is measured: drizzlepac fails without each of them, and without no other."""

from __future__ import annotations

import functools
import json
import multiprocessing
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from hstmosaic.plan.build import make_plan
from hstmosaic.plan.keywords import required_keywords
from hstmosaic.products.header_notes import HeaderNotes
from hstmosaic.run.stages.drizzle_specs import drizzle_spec
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field
from hstmosaic.store.result_files import ANSWER_FILE, TaskResult, read_result
from hstmosaic.store.spec_files import spec_to_json
from hstmosaic.store.task_specs import SPEC_FILE, DrizzleSpec, ScreenSpec, TaskSpec
from hstmosaic.tasks.execute import execute

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

CAMERAS = {
    "uvis": "wfc3_uvis:F606W:2",
    "ir": "wfc3_ir:F160W:2",
    "wfc": "acs_wfc:F814W:2",
    "hrc": "acs_wfc:F814W:2",
    "sbc": "acs_wfc:F814W:2",
}
"""What is simulated for a detector; exposures of HRC and SBC are those of WFC with another header."""
NO_READOUT = ("ATODGN", "READNSE", "BIASLEV", "CCDAMP", "CCDGAIN")
"""Keywords that begin so are not in headers of SBC, which has no amplifiers."""
STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER", "COMMENT")
WCS = ("CRVAL", "CRPIX", "CD", "CTYPE", "CUNIT", "A_", "B_", "CPDIS", "CPERR", "DP", "D2IM", "WCS", "LTV", "LTM")
READ_BY_PLAN = (
    *("INSTRUME", "DETECTOR", "ROOTNAME", "EXPTIME", "EXPSTART", "PROPOSID", "PRIMESI", "OBSTYPE", "IMAGETYP"),
    *("APERTURE", "SUBARRAY", "TARGNAME", "DATE-OBS", "DRIZCORR", "FGSLOCK", "DATE", "EXPEND", "TELESCOP", "PA_V3"),
    *("FILTER", "FILTER1", "FILTER2", "SCAN_TYP", "CHINJECT"),
)
"""Without these the plan cannot read an exposure."""


@dataclass(frozen=True)
class Field:
    """Two exposures, and the task that drizzles them, which succeeds as they are."""

    folder: Path
    path: Path
    """The exposure that loses keywords."""
    spec: DrizzleSpec


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Return the function that simulates the field of a detector once."""
    return functools.cache(lambda detector: make_field(detector, tmp_path_factory.mktemp(detector)))


def make_field(detector: str, folder: Path) -> Field:
    paths = simulate_field(requested_field(cameras=(CAMERAS[detector],), subarray=(160, 160)), folder / "field")
    paths = [as_detector(path, detector) for path in paths]
    plan = make_plan([str(path) for path in paths], prefix="x")
    (layer,) = plan.layers
    made = Field(folder, paths[0], drizzle_spec(plan, layer, layer.exposures, HeaderNotes(), {}, {}, "info"))
    failure, _ = made_without(made, [])
    assert not failure, "removing a keyword shows nothing where drizzlepac fails anyway"
    return made


def as_detector(path: Path, detector: str) -> Path:
    if detector not in {"hrc", "sbc"}:
        return path
    with fits.open(path, mode="update") as hdus:
        primary = hdus[0].header
        primary.update({"DETECTOR": detector.upper(), "APERTURE": detector.upper(), "CCDAMP": "C"})
        del hdus["SCI"].header["CCDCHIP"]
        if detector == "sbc":
            primary.update({"FILTER1": "F140LP", "FILTER2": "N/A"})
            for key in [key for key in primary if key.startswith(NO_READOUT)]:
                del primary[key]
    return path.rename(path.with_name(path.name.replace("_flc", "_flt")))


def run(spec: TaskSpec, folder: Path) -> TaskResult:
    """Run a task in a process of its own, where warnings are not errors."""
    (folder / SPEC_FILE).write_text(spec_to_json(spec))
    process = multiprocessing.get_context("fork").Process(target=execute_quietly, args=(folder,))
    process.start()
    process.join()
    return read_result(folder, ANSWER_FILE) or TaskResult(ok=False, error=f"exit code {process.exitcode}")


def execute_quietly(folder: Path) -> None:
    warnings.simplefilter("ignore")
    execute(folder, folder / "work")


def made_without(field: Field, removed: list[tuple[int, str]]) -> tuple[str, dict[str, np.ndarray]]:
    """Return what fails, or the pixels of the mosaics, if these keywords are taken out of one exposure."""

    def remove(hdus: fits.HDUList) -> None:
        for extension, key in removed:
            hdus[extension].header.remove(key, remove_all=True)

    return made_after(field, remove)


def made_after(field: Field, change: Callable[[fits.HDUList], None]) -> tuple[str, dict[str, np.ndarray]]:
    """Return what fails, or the pixels of the mosaics, after a change of one exposure."""
    with tempfile.TemporaryDirectory(dir=field.folder) as name:
        folder = Path(name)
        path = Path(shutil.copy(field.path, folder))
        with fits.open(path, mode="update") as hdus:
            change(hdus)
        links = tuple((link, str(path) if link == path.name else target) for link, target in field.spec.links)
        result = run(replace(field.spec, links=links), folder)
        if not result.ok:
            return f"drizzle: {result.error}", {}
        pixels = {
            f"{product} {extension}": fits.getdata(folder / "work" / product, extension)
            for product in field.spec.products
            if product.endswith(".fits")
            for extension in ("SCI", "WHT")
        }
        screened = run(ScreenSpec(str(path)), folder)
        return "" if screened.ok and screened.data["usable"] else f"screen: {json.dumps(screened.data)}", pixels


def same_pixels(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(pixels, second[name], equal_nan=True) for name, pixels in first.items())


def required(detector: str) -> list[tuple[int, str]]:
    keys = required_keywords(detector)
    science = (*keys.first, *keys.science, *keys.distorted)
    return [(0, key) for key in keys.primary] + [(1, key) for key in science]


@pytest.mark.parametrize(
    ("detector", "extension", "keyword"), [(detector, *place) for detector in CAMERAS for place in required(detector)]
)
def test_drizzlepac_fails_without_each_required_keyword(field, detector, extension, keyword):
    failure, _ = made_without(field(detector), [(extension, keyword)])
    print(f"{detector} without {keyword}: {failure}")
    assert failure, f"drizzlepac does not need {keyword} any more"


@pytest.mark.parametrize("detector", CAMERAS)
def test_drizzlepac_needs_no_other_keyword(field, detector):
    found = field(detector)
    with fits.open(found.path) as hdus:
        there = [(0, key) for key in dict.fromkeys(hdus[0].header)] + [
            (1, key) for key in dict.fromkeys(hdus[1].header)
        ]
    needed = {*required(detector), *((0, key) for key in READ_BY_PLAN)}
    others = [(n, key) for n, key in there if key and (n, key) not in needed and not key.startswith((*STRUCTURE, *WCS))]
    assert len(others) > 30
    failure, pixels = made_without(found, others)
    assert not failure
    assert same_pixels(made_without(found, [])[1], pixels)


def test_drizzlepac_needs_the_first_science_extension(field):
    def renumber(hdus: fits.HDUList) -> None:
        for name in ("SCI", "ERR", "DQ"):
            hdus[name, 1].ver = 2

    failure, _ = made_after(field("uvis"), renumber)
    assert failure


def test_blank_wheel_changes_no_pixel(field):
    def blank(hdus: fits.HDUList) -> None:
        hdus[0].header["FILTER1"] = " "

    failure, pixels = made_after(field("wfc"), blank)
    assert not failure
    assert same_pixels(made_without(field("wfc"), [])[1], pixels)


def test_drizzlepac_drops_an_exposure_without_good_pixels(field):
    """So that the mosaic is that of the other exposure, without a word in the return code."""

    def worsen(hdus: fits.HDUList) -> None:
        hdus["SCI"].header["NGOODPIX"] = 0

    failure, pixels = made_after(field("uvis"), worsen)
    assert not failure
    assert not same_pixels(made_without(field("uvis"), [])[1], pixels)


def test_drizzlepac_cannot_make_mosaics_of_wfpc2(tmp_path):
    """Its primary header has no DETECTOR."""
    from astropy.table import Table
    from drizzlepac.haputils.poller_utils import sort_poller_table

    path = tmp_path / "u2fx0101t_c0m.fits"
    science = fits.ImageHDU(np.ones((4, 4)), fits.Header({"DETECTOR": 1, "PHOTFLAM": 1e-18}), name="SCI")
    fits.HDUList([fits.PrimaryHDU(header=fits.Header({"INSTRUME": "WFPC2"})), science]).writeto(path)
    with pytest.raises(KeyError, match="DETECTOR"):
        sort_poller_table(Table({"filename": [str(path)], "exptime": [100.0]}))
