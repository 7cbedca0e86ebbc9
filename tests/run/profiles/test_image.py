"""Command of Python in an image, and the directories that it binds."""

import json
import re
import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hstmosaic.errors import ClusterError, ProfileError
from hstmosaic.run import worker
from hstmosaic.run.probe import versions
from hstmosaic.run.profiles.image import IMAGE_VARIABLE, folders_of, versions_inside, worker_python
from hstmosaic.run.profiles.profile import profile_from_yaml

PYTHON = "jobqueue.slurm.python"


def test_the_words_are_read_by_a_shell_as_they_are_meant():
    words = worker_python("/images/my mosaics.sif", ["/data", "/ref:/ref:ro", "/data", "${TMPDIR:-/tmp}"])
    assert shlex.split(words) == [
        *("apptainer", "exec", "--bind", "/data", "--bind", "/ref:/ref:ro", "--bind", "${TMPDIR:-/tmp}"),
        *("/images/my mosaics.sif", "python3"),
    ]
    assert '--bind "${TMPDIR:-/tmp}"' in words


@pytest.mark.parametrize("bind", ["/my data", "/a,/b", "/a;id", "$(id)", "`id`", '/a"b', ""])
def test_what_cannot_be_bound_is_refused(bind):
    with pytest.raises(ProfileError, match="cannot bind"):
        worker_python("/image.sif", [bind])


@pytest.mark.parametrize("folder", ["/nights/12:30", "/my data", "/cost$", "/a,b"])
def test_a_folder_that_would_be_read_as_something_else_is_refused(folder):
    profile = profile_from_yaml("hstmosaic: {cluster: slurm, image: /i.sif}", "mine")
    with pytest.raises(ProfileError, match=re.escape(f"cannot bind {folder!r}")):
        profile.seeing([folder])
    # where there is no image, nothing is bound
    assert profile_from_yaml("hstmosaic: {cluster: slurm}", "mine").seeing([folder]).image == ""


@pytest.mark.parametrize("image", ["build/none.sif", "/images/none", "./none"])
def test_a_missing_file_is_not_an_image(image, monkeypatch):
    monkeypatch.setattr("subprocess.run", None)
    with pytest.raises(ClusterError, match=f"{image}: no such file"):
        versions_inside(image)


APPTAINER = """#!/bin/sh
echo 'INFO: {{"site": 7}} | 2026'
echo 2026
echo '{{"python": "none"}}'
{answer}
echo 'INFO: bye'
"""
"""Prints lines of the site around the answer of the image."""


@pytest.mark.parametrize("answers", [True, False])
def test_lines_of_the_site_are_no_versions(answers, tmp_path, monkeypatch):
    image = tmp_path / "image.sif"
    image.touch()
    program = tmp_path / "apptainer"
    program.write_text(APPTAINER.format(answer=f"echo '{json.dumps(versions())}'" if answers else ":"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    if answers:
        assert versions_inside(str(image)) == versions()
    else:
        with pytest.raises(ClusterError, match="did not report its versions"):
            versions_inside(str(image))


def test_workers_see_exposures_links_and_products_once(tmp_path):
    for name in ("archive/a", "archive/b", "links", "out"):
        (tmp_path / name).mkdir(parents=True)
    real, link = tmp_path / "archive" / "a" / "x_flc.fits", tmp_path / "links" / "x_flc.fits"
    real.touch()
    link.symlink_to(real)
    nested = tmp_path / "links" / "deep"
    nested.mkdir()
    exposures = [
        SimpleNamespace(path=path) for path in (link, nested / "y_flc.fits", tmp_path / "archive/b/z_flc.fits")
    ]
    seen = folders_of(SimpleNamespace(exposures=exposures), tmp_path / "out")
    assert sorted(seen) == [str(tmp_path / name) for name in ("archive/a", "archive/b", "links", "out")]


def test_a_profile_with_an_image_calls_python_in_there():
    profile = profile_from_yaml(
        "{jobqueue: {slurm: {local-directory: $SCRATCH}}, hstmosaic: {cluster: slurm, image: /i.sif, binds: [/ref]}}",
        "mine",
    )
    assert profile.dask[PYTHON] == 'apptainer exec --bind /ref --bind "$SCRATCH" /i.sif python3'
    seeing = profile.seeing(["/data", "/out"])
    assert seeing.dask[PYTHON] == 'apptainer exec --bind /data --bind /out --bind /ref --bind "$SCRATCH" /i.sif python3'
    assert replace(seeing, dask={}) == replace(profile, dask={})


def test_a_profile_without_one_takes_that_of_the_bridge(monkeypatch):
    monkeypatch.setenv(IMAGE_VARIABLE, "/bridge.sif")
    assert profile_from_yaml("hstmosaic: {cluster: slurm}", "mine").image == "/bridge.sif"
    assert profile_from_yaml("hstmosaic: {cluster: slurm, image: /own.sif}", "mine").image == "/own.sif"
    assert profile_from_yaml("hstmosaic: {cluster: local}", "mine").image == ""
    own = profile_from_yaml("{jobqueue: {slurm: {python: /my/python}}, hstmosaic: {cluster: slurm}}", "mine")
    assert (own.image, own.dask[PYTHON]) == ("", "/my/python")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hstmosaic: {cluster: allocation, image: /i.sif}", "is for cluster: slurm, not allocation"),
        ("{jobqueue: {slurm: {python: /p}}, hstmosaic: {cluster: slurm, image: /i.sif}}", "exclude each other"),
        ("hstmosaic: {cluster: slurm, image: /i.sif, binds: ['/my data']}", "cannot bind '/my data'"),
    ],
)
def test_what_does_not_go_together_is_an_error(text, words):
    with pytest.raises(ProfileError, match=words):
        profile_from_yaml(text, "mine")


def test_a_worker_with_other_versions_is_refused_with_both_named():
    here = worker.versions()
    worker.check_versions(here)
    for name in ("python", "hstmosaic", "dask", "distributed"):
        with pytest.raises(
            ClusterError, match=f"{name} {here[name]} in the driver, 0.1 in the worker".replace(".", r"\.")
        ):
            worker.check_versions(here | {name: "0.1"})
    with pytest.raises(ClusterError, match="unknown in the worker"):
        worker.check_versions({})
