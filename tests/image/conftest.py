"""The image, built once: from a base made on the spot, with podman, and made into a SIF."""

import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pip._internal.models.index import PyPI

from helpers.image_tools import ROOT, Image, clean_environment, output_of
from hstmosaic import __version__

HERE = Path(__file__).parent
PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "apptainer": "no Debian package; tests/image/get_apptainer.sh fetches one",
    "setpriv": "util-linux",
}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def unavailable(words):
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)


@pytest.fixture(scope="session")
def programs():
    """Skip where a program is missing, and fail where it must not be."""
    if os.geteuid() != 0:
        unavailable("the base of the image can be made by root only")
    missing = [f"{name} ({package})" for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if missing:
        unavailable(f"not found: {', '.join(missing)}")


@pytest.fixture(scope="session")
def workshop(programs):
    """Give a folder that all users may enter; podman and Apptainer keep everything in it."""
    kept = os.environ.get("HSTMOSAIC_TEST_WORKSHOP")  # for the second and further runs while working on the image
    folder = Path(kept or tempfile.mkdtemp(prefix="hstmosaic-image-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        patch.setenv("CONTAINERS_CONF", str(HERE / "containers.conf"))
        patch.setenv("APPTAINER_CACHEDIR", str(folder / "cache"))
        patch.setenv("ENGINE", "podman")
        yield folder
        if not kept:
            # podman mounts it on itself
            subprocess.run(["umount", "--recursive", folder / "graph" / "overlay"], check=False)
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base(workshop):
    """Make what stands in for debian:bookworm-slim, which no registry gives us here."""
    name = "localhost/hstmosaic-test-base:bookworm"
    if subprocess.run(["podman", "image", "exists", name], check=False).returncode != 0:
        archive = workshop / "base.tar"
        output_of(HERE / "make_base.sh", archive)
        output_of("podman", "import", "--quiet", archive, name)
        archive.unlink()
    return name


def pip_configuration():
    """Return what this machine's pip knows of where packages come from."""
    lines = [line.partition("=") for line in output_of(sys.executable, "-m", "pip", "config", "list").splitlines()]
    values = {key.rpartition(".")[2]: value.strip("'") for key, _, value in lines}
    wanted = {key: values[key] for key in ("index-url", "trusted-host", "timeout") if key in values}
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items())


def private_words(text):
    """Return hosts and passwords of addresses in a text, apart from hosts that all the world knows."""
    addresses = [urlsplit(word) for word in text.split() if "://" in word]
    home = urlsplit(platform.freedesktop_os_release()["HOME_URL"]).netloc.removeprefix("www.")
    public = (home, PyPI.netloc, PyPI.file_storage_domain)
    hosts = {address.hostname for address in addresses if address.hostname and not address.hostname.endswith(public)}
    return {address.password for address in addresses if address.password} | {
        host for host in hosts if not host.startswith(("127.", "localhost"))
    }


@pytest.fixture(scope="session")
def image(workshop, base):
    """Build the image as `make image` and `make sif` do, with secrets whose words can be looked for."""
    words = tuple(secrets.token_hex(12) for _ in range(3))
    files = {"APT_SOURCES": "build.sources", "PIP_CONF": "pip.conf", "CA_BUNDLE": "ca.crt"}
    texts = [
        Path("/etc/apt/sources.list.d/debian.sources").read_text(),
        pip_configuration(),
        Path(os.environ.get("PIP_CERT", CERTIFICATES)).read_text(),
    ]
    environment = clean_environment(BASE_IMAGE=base)
    words += tuple(private_words("\n".join(texts)))
    for (variable, name), word, text in zip(files.items(), words[:3], texts, strict=True):
        (workshop / name).write_text(f"# {word}\n{text}")
        environment[variable] = str(workshop / name)
    name = f"hstmosaic:{__version__}"
    print(output_of("make", "--silent", "image", cwd=ROOT, env=environment)[-3000:])
    for file in files.values():
        (workshop / file).unlink()
    sif, archive = workshop / "hstmosaic.sif", workshop / "hstmosaic.tar"
    archive.unlink(missing_ok=True)
    output_of("podman", "save", "--quiet", "--format", "docker-archive", "--output", archive, name)
    fast = {
        "SIF": str(sif),
        "SIF_OPTIONS": '--mksquashfs-args "-comp zstd -Xcompression-level 1"',
        "ARCHIVE": str(archive),
    }
    print(output_of("make", "--silent", "sif", cwd=ROOT, env=environment | fast))
    (sbom,) = (ROOT / "build").glob("hstmosaic-*.cdx.json")
    yield Image(name, sif, archive, words, json.loads(sbom.read_text()))


@pytest.fixture(scope="session")
def demo(workshop):
    """Simulate the demo field where ordinary users can read it; this installation mosaics it too."""
    folder = workshop / "demo"
    if not folder.exists():
        output_of(sys.executable, "-m", "hstmosaic.cli", "simulate", folder / "exposures")
        output_of(
            sys.executable,
            "-m",
            "hstmosaic.cli",
            "run",
            folder / "exposures/list.txt",
            "-s",
            "--output-dir",
            folder / "outside",
        )
    return folder


@pytest.fixture
def place(workshop, monkeypatch):
    """Work in a folder of nobody's."""
    folder = Path(tempfile.mkdtemp(prefix="place-", dir=workshop))
    shutil.chown(folder, "nobody", "nogroup")
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)
