"""Directories that `container/run.sh` binds, with replacements of Apptainer and podman."""

import itertools
import os
import subprocess

import pytest

from helpers.image_tools import ROOT


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Give a function that calls the script in `here`, and returns exit code, the engine's words and error messages."""
    programs = tmp_path / "programs"
    for folder in (programs, tmp_path / "here"):
        folder.mkdir()
    for name in ("apptainer", "podman"):
        (programs / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (programs / name).chmod(0o755)
    (tmp_path / "an.sif").touch()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ENGINE", "podman")
    monkeypatch.chdir(tmp_path / "here")

    def called(image, *words):
        command = [ROOT / "container/run.sh", image, *words]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    return called


def folder(path, *names):
    """Make a folder with files in it."""
    path.mkdir(parents=True)
    for name in names:
        (path / name).touch()
    return path


def seen(words, option="--bind"):
    return {value for before, value in itertools.pairwise(words) if before == option}


def test_what_a_list_names_is_seen(call, tmp_path, monkeypatch):
    archive = folder(tmp_path / "archive", "c_flc.fits")
    plain = folder(tmp_path / "my data", "a_flc.fits")
    visits = [folder(tmp_path / "visits" / name, "b_flc.fits") for name in ("one", "two")]
    variable = folder(tmp_path / "set", "d_flc.fits")
    links = folder(tmp_path / "links")
    (links / "c_flc.fits").symlink_to(archive / "c_flc.fits")
    monkeypatch.setenv("PLACE", str(variable))
    lists = folder(tmp_path / "lists")
    lines = [
        f"\ufeff{plain}/a_flc.fits",
        f"'{tmp_path}/visits/*/b_fl?.fits'  # both",
        f"{links}/*.fits",
        "${PLACE}/d_flc.fits",
        "$NOT_SET_ANYWHERE/e_flc.fits",
    ]
    (lists / "list.txt").write_text("\r\n".join(lines))
    code, words, _ = call(tmp_path / "an.sif", "run", lists / "list.txt")
    assert code == 0
    wanted = {plain, *visits, links, archive, variable, lists, tmp_path / "here"}
    assert seen(words) == set(map(str, wanted))
    assert words[-3:] == ["hstmosaic", "run", str(lists / "list.txt")]


def test_what_arguments_name_is_seen(call, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    profile = folder(tmp_path / "home/batch", "site.yaml")
    deep = folder(tmp_path / "data/deep/er", "a_flc.fits")
    out = folder(tmp_path / "out")
    words = ("run", f"{tmp_path}/data/**/a_flc.fits", "--profile=~/batch/site.yaml", "--output-dir", out / "new/one")
    code, printed, _ = call(tmp_path / "an.sif", *words)
    assert code == 0
    assert seen(printed) == set(map(str, (profile, deep, out, tmp_path / "here")))


def test_grids_and_parameters_are_seen(call, tmp_path):
    images = folder(tmp_path / "images", "a.fits")
    links = folder(tmp_path / "links")
    (links / "grid.fits").symlink_to(images / "a.fits")
    values = folder(tmp_path / "values")
    (values / "drizzle.toml").write_text("/ = 1\n/usr = 2\n")
    words = ("run", "a_flc.fits", "--grid", f"{links}/grid.fits[SCI,1]", f"--parameters={values}/drizzle.toml")
    code, printed, _ = call(tmp_path / "an.sif", *words)
    assert code == 0
    assert seen(printed) == set(map(str, (images, links, values, tmp_path / "here")))


def test_podman_gets_the_same_folders_and_the_user(call, tmp_path):
    data = folder(tmp_path / "a,b", "a_flc.fits")
    code, words, _ = call("hstmosaic", "run", data / "a_flc.fits")
    assert code == 0
    assert seen(words, "--volume") == {f"{place}:{place}" for place in (data, tmp_path / "here")}
    assert seen(words, "--user") == {f"{os.getuid()}:{os.getgid()}"}


@pytest.mark.parametrize(
    ("image", "name", "mark"), [("an.sif", "a:b", "colon"), ("an.sif", "a,b", "comma"), ("", "a:b", "colon")]
)
def test_paths_outside_of_the_image_are_errors(image, name, mark, call, tmp_path):
    data = folder(tmp_path / name, "a_flc.fits")
    code, words, printed = call(tmp_path / image if image else "hstmosaic", "run", data / "a_flc.fits")
    assert (code, words) == (1, [])
    assert f"{data} cannot be seen in an image, because of the {mark} in its name" in printed


@pytest.mark.parametrize("name", ["build/hstmosaic.sif", "/images/sandbox", "./sandbox"])
def test_a_missing_file_is_not_an_image(name, call):
    code, words, printed = call(name, "run", "list.txt")
    assert (code, words) == (1, [])
    assert f"{name}: there is no such file" in printed
