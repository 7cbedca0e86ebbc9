"""Runs in the image: the same bits as outside, with files, signals and exit codes as if there were no image."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits

from helpers.image_tools import ROOT, as_nobody, bits, clean_environment, output_of

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]  # the first one builds the image

NOBODY = (65534, 65534)


def pixels(folder):
    """Return science pixels and weights of all mosaics and tiles in a folder."""
    return {
        path.name: [fits.getdata(path, name).astype(np.float32).tobytes() for name in ("SCI", "WHT")]
        for path in folder.glob("*_dr[cz].fits")
    }


def owners(folder):
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in folder.rglob("*")}


@pytest.fixture
def fuse(image):
    """Skip where only root may mount SIF files."""
    probe = as_nobody("apptainer", "exec", image.sif, "true")
    if subprocess.run(probe, env=clean_environment(HOME="/"), capture_output=True, check=False).returncode != 0:
        words = "ordinary users cannot mount SIF files here: /dev/fuse is for root only (chmod 666 /dev/fuse)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)


def test_podman_makes_the_pixels_of_the_same_options_as_the_user(image, demo, place):
    exposures = demo / "exposures"
    parameters = place / "parameters.toml"
    parameters.write_text("[wfc3.ir]\nfinal_pixfrac = 0.8\n")
    words = ("run", exposures / "list.txt", "-s", "--compress", "--tiles", "1000x1000", "--parameters", parameters)
    output_of(*image.podman(*words, options=("-v", f"{exposures}:{exposures}:ro"), where=place))
    parameters.unlink()
    inside, outside = (pixels(folder) for folder in (place, demo / "outside"))
    for name, expected in outside.items():
        assert (inside[name] == expected) == ("_wfc3_ir_" not in name)
    assert any("_tile-x" in name for name in inside)
    assert owners(place) == {NOBODY}
    label = image.inspect()["Config"]["Labels"]["org.hstmosaic.digest"]
    for mosaic in place.glob("*_dr[cz].fits"):
        header = fits.getheader(mosaic)
        with fits.open(mosaic) as hdus:
            assert isinstance(hdus["SCI"], fits.CompImageHDU) or "_tile-" in mosaic.name
        assert header["D001PIXF"] == (0.8 if "_wfc3_ir_" in mosaic.name else 1.0)
        assert (header["HMIMAGE"], f"sha256:{header['HMIMGDIG']}") == (image.name, label)


def test_apptainer_makes_the_same_bits_as_the_user(image, fuse, demo, place):
    printed = output_of(
        *as_nobody("apptainer", "run", "--bind", demo, image.sif, "run", demo / "exposures/list.txt", "-s"),
        # packages of the host do not get in
        env=clean_environment(HOME=str(place), PYTHONPATH="/nowhere", PYTHONHOME="/nowhere"),
    )
    assert "finished" in printed
    assert bits(place) == bits(demo / "outside")
    assert owners(place) == {NOBODY}


@pytest.mark.parametrize("kind", ["podman", "apptainer"])
def test_make_mosaic_in_an_image(kind, image, demo, workshop):
    where = str(image.sif) if kind == "apptainer" else image.name
    out = workshop / f"made-by-make-{kind}"
    given = {"IMAGE": where, "INPUT": str(demo / "exposures/list.txt"), "OUT": str(out), "SKIP_ALIGN": "1"}
    output_of("make", "--silent", "mosaic", *(f"{k}={v}" for k, v in given.items()), cwd=ROOT, env=clean_environment())
    assert bits(out) == bits(demo / "outside")


def commands(image, place, *words):
    """Return the same call in podman and in Apptainer, as the same user."""
    return [image.podman(*words, where=place), as_nobody("apptainer", "exec", image.sif, "hstmosaic", *words)]


def test_exit_codes_pass_through(image, fuse, place):
    for words, code in (("run", "no-list.txt"), 3), (("run",), 2), (("--version",), 0):
        for command in commands(image, place, *words):
            done = subprocess.run(
                command, capture_output=True, text=True, env=clean_environment(HOME=str(place)), check=False
            )
            assert done.returncode == code, (command, done.stderr)


@pytest.mark.parametrize("kind", [0, 1], ids=["podman", "apptainer"])
def test_sigterm_passes_through(kind, image, fuse, demo, place):
    output_of("cp", "-r", demo / "exposures", place / "exposures")
    command = commands(image, place, "run", "exposures/list.txt", "-s", "-o", "stopped")[kind]
    with subprocess.Popen(
        command, env=clean_environment(HOME=str(place)), stderr=subprocess.PIPE, text=True
    ) as running:
        while not list(place.glob("stopped_run/tasks/*/log.txt")):
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        _, words = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in words
    assert list(place.glob(".*.part")) == []
    if kind == 0:
        assert output_of("podman", "ps", "--quiet") == ""


def test_the_doctor_compares_inside_and_outside(image, tmp_path):
    outside = (sys.executable, "-m", "hstmosaic.cli", "doctor", "--output-dir", tmp_path)
    for where in image.sif, image.name:
        assert f"{where} has the same versions" in output_of(*outside, "--image", where)
    inside = output_of(*image.podman("doctor", "--output-dir", "/tmp"))
    assert "ok    drizzle kernel: the one of hstmosaic\n" in inside
    here = output_of(*outside).splitlines()[0]
    assert inside.splitlines()[0].startswith(f"{here}; image {image.name}@sha256:")


def test_another_version_in_the_image_fails(image, tmp_path, monkeypatch):
    from hstmosaic.run import doctor
    from hstmosaic.run.profiles.profile import load_profile

    here = doctor.versions() | {"dask": "2020.1.0"}
    monkeypatch.setattr(doctor, "versions", lambda: here)
    (finding,) = [
        found for found in doctor.examine(load_profile("local"), tmp_path, str(image.sif)) if not found.passed
    ]
    assert finding.message.startswith("dask 2020.1.0 here, ")
    assert finding.message.endswith(" in the image")


def test_a_missing_image_fails(tmp_path):
    from hstmosaic.run.doctor import examine
    from hstmosaic.run.profiles.profile import load_profile

    (finding,) = [
        found for found in examine(load_profile("local"), tmp_path, "localhost/no-such:image") if not found.passed
    ]
    assert "cannot start localhost/no-such:image" in finding.message
