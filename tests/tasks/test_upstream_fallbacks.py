"""What drizzlepac does instead of its task is found, with and without a message."""

import ast
import functools
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from astropy.io import fits

from helpers.known_messages import HARMLESS, unknown_lines
from hstmosaic.products.run_record import read_record
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.drizzle_steps import ProcessingStep
from hstmosaic.store.result_files import TaskWarning
from hstmosaic.store.stage_events import Fallback
from hstmosaic.tasks.fallbacks import FALLBACKS, joined, read_warnings

pytestmark = pytest.mark.upstream

PACKAGES = (
    "drizzlepac",
    "stsci.skypac",
    "stsci.tools",
    "stwcs",
    "tweakwcs",
    "astropy.io.fits",
    "photutils.detection",
    "photutils.psf",
    "numpy.ma",
)
PLACEHOLDER = "12345"


@functools.cache
def messages():
    """Every text in the code of the libraries, with a number in place of each value."""
    files = [path for name in PACKAGES for path in Path(find_spec(name).origin).parent.rglob("*.py")]
    return {text for path in files for text in texts(ast.parse(path.read_text(errors="replace")))}


def texts(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("pattern", [part for fallback in FALLBACKS for part in fallback.pattern.split("|")])
def test_a_library_has_each_message(pattern):
    assert any(re.search(pattern, text) for text in messages()), "its wording has changed, or it is gone"


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize(
    "pattern", [part for harmless in HARMLESS for part in re.split(r"(?<!\\)\|(?![^(]*\))", harmless)]
)
def test_a_library_has_each_harmless_message(pattern):
    shown = pattern.replace(r"\d{1,3}", r"\d+")
    assert any(re.search(shown, text) for text in messages()), "drop it from tests/helpers/known_messages.py"


def test_a_message_in_a_trailer_is_a_warning():
    text = '[INFO    ] sky\n[WARNING ] Reverting sky computation to "localmin" from "match\n'
    (warning,) = read_warnings(["", text, text])
    assert (warning.step, warning.strict) == (ProcessingStep.SKY_MATCHING, True)
    assert "own sky" in warning.message
    assert read_warnings(["[INFO    ] 'subtractsky'=False WILL NOT be subtracted from image data"]) == ()


def test_a_record_is_not_repeated_by_its_message():
    observed = TaskWarning(ProcessingStep.SKY_MATCHING, "sky matching failed (AttributeError)")
    assert joined([observed], read_warnings(["Reverting sky computation"])) == (observed,)
    assert len(joined([observed], read_warnings(["All pixels masked out when applying static mask!"]))) == 2


def test_unknown_lines_are_alarms_without_a_pattern():
    harmless = "[WARNING ] No CR mask file found! Input DQ array not updated."
    alarms = ["[ERROR   ] new", "2026331215627 WARNING src=a- new"]
    assert unknown_lines("\n".join([harmless, *alarms, "[INFO    ] ERROR"]), []) == alarms


def test_a_traceback_is_judged_by_its_exception():
    traceback = [
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "    fit()",
        "ValueError: singular",
        "later",
    ]
    text = "\n".join(traceback)
    assert unknown_lines(text, []) == ["exception: ValueError: singular"]
    assert unknown_lines(text, ["ValueError: singular"]) == []
    assert unknown_lines("\n".join(traceback[:3]), []) == ["exception: a traceback without its last line"]


FIELD = {"camera": "wfc3_uvis", "filter": "F606W", "subarray": (200, 200)}


def run(*arguments, path=""):
    command = [sys.executable, "-m", "hstmosaic.cli", "run", *map(str, arguments), "-s", "-o", "x", "--no-learning"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(path)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Three exposures that overlap, with what an earlier pipeline wrote as their sky, and one far from them."""
    folder = tmp_path_factory.mktemp("field")
    visits = [Visit(**FIELD, exposures=3), Visit(**FIELD, exposures=1, offset=(60.0, 0.0))]
    for path in simulate_field(build_field("x", Pointing(*sky_cell_corner(), 30.0), visits, dither=1.0), folder):
        fits.setval(path, "MDRIZSKY", value=33.0, extname="SCI", extver=1)
    return folder


@pytest.fixture
def broken(tmp_path):
    """A folder for PYTHONPATH in which spherical_geometry has what 1.4.0 dropped no more."""
    (tmp_path / "path").mkdir()
    drop = "from spherical_geometry.polygon import SphericalPolygon\ndel SphericalPolygon.iter_polygons_flat\n"
    (tmp_path / "path/sitecustomize.py").write_text(drop)
    return tmp_path / "path"


def history(mosaic):
    return "".join(fits.getheader(mosaic)["HISTORY"]).replace("\n", "")


@pytest.mark.slow
def test_an_exposure_that_overlaps_no_other_keeps_its_sky(field, tmp_path):
    ended = run(field / "list.txt", "--output-dir", tmp_path / "out", "--strict")
    assert ended.returncode == 0, ended.stderr
    assert "warnings: wfc3_uvis_f606w: skies were matched within 2 groups" in ended.stdout + ended.stderr
    mosaic = tmp_path / "out/x_wfc3_uvis_f606w_all_drc.fits"
    with fits.open(mosaic) as hdus:
        skies = hdus["HDRTAB"].data["MDRIZSKY"]
    assert skies[-1] == 0
    assert max(skies) < 1
    assert "WARNING: skies were matched within 2 groups" in history(mosaic)


@pytest.mark.slow
def test_failed_sky_matching_is_reported_everywhere(field, tmp_path, broken):
    ended = run(field / "list.txt", "--output-dir", tmp_path / "out", path=broken)
    assert ended.returncode == 0, ended.stderr
    assert "warnings: wfc3_uvis_f606w: sky matching failed (AttributeError" in ended.stdout + ended.stderr
    (fallback,) = read_record(tmp_path / "out/x_run").payloads(Fallback)
    assert fallback.step == ProcessingStep.SKY_MATCHING
    assert "finished with warnings" in (tmp_path / "out/x_report.html").read_text()
    assert "WARNING: sky matching failed (AttributeError" in history(tmp_path / "out/x_wfc3_uvis_f606w_all_drc.fits")


@pytest.mark.slow
def test_strict_publishes_no_mosaic_with_a_fallback(field, tmp_path, broken):
    first = run(field / "list.txt", "--output-dir", tmp_path / "out", "--strict", path=broken)
    assert first.returncode == 7, first.stderr
    assert "sky matching failed" in first.stderr + first.stdout
    assert not list((tmp_path / "out").glob("*_drc.fits"))
