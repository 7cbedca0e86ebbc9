"""Contents of the image."""

import json
import re
import tarfile

import pytest
from packaging.requirements import Requirement

from helpers.image_tools import ROOT, output_of
from hstmosaic import __version__

pytestmark = [pytest.mark.image, pytest.mark.slow, pytest.mark.timeout(1800)]  # the first one builds the image

PROGRAMS = {"gcc", "cc", "cc1", "c++", "as", "ld", "make", "pip", "pip3", "apptainer", "sbatch"}
INSTALLERS = ("/pip/__init__.py", "/setuptools/__init__.py", "/ensurepip/__init__.py")
SITE = "/opt/hstmosaic/lib/python3.11/site-packages/"
TESTS = {"test", "tests", "_tests"}
CACHES = ("/.cache/", "/var/lib/apt/lists/", "/var/cache/apt/")


def files(image):
    for layer in image.layers():
        with tarfile.open(fileobj=layer) as listed:
            yield from (f"/{member.name.removeprefix('./')}" for member in listed if member.isfile() and member.size)


def locked():
    """Return the versions that the lock has for this Python on Linux."""
    found = {}
    for line in (ROOT / "container" / "lock.txt").read_text().splitlines():
        if line[:1].isalnum():
            wanted = Requirement(line.rstrip(" \\"))
            if wanted.marker is None or wanted.marker.evaluate():
                (pin,) = wanted.specifier
                found[canonical(wanted.name)] = pin.version
    return found


def is_debian(component):
    return component.get("purl", "").startswith("pkg:deb/")


def canonical(name):
    return name.lower().replace("_", "-").replace(".", "-")


def test_nothing_of_the_secrets_is_in_a_layer(image):
    in_a_file = "determine_projection_cell"
    seen = dict.fromkeys((*image.secrets, in_a_file), 0)
    overlap = b""
    with image.archive.open("rb") as archive:
        while block := archive.read(1 << 22):
            for word in seen:
                seen[word] += word.encode() in overlap + block
            overlap = block[-64:]
    assert seen.pop(in_a_file)  # layers are not compressed in there
    assert [word for word, times in seen.items() if times] == []


def test_no_compiler_no_cache_no_test(image):
    every = set(files(image))
    assert any(path.endswith("/drizzlepac/__init__.py") for path in every)
    assert [path for path in every if "bin/" in path and path.rpartition("/")[2] in PROGRAMS] == []
    assert [path for path in every if path.endswith(INSTALLERS)] == []
    assert [path for path in every if any(cache in path for cache in CACHES)] == []
    extensions = ("boxes/square", "exact/clip", "exact/filters")
    assert {f"{SITE}hstmosaic/tasks/{name}.abi3.so" for name in extensions} <= set(every)
    ours = {path.removeprefix(SITE) for path in every if path.startswith(SITE)}
    # what others import of astropy's is there
    assert {path for path in ours if TESTS & set(path.split("/")) and not path.startswith("astropy/tests/")} == set()
    assert {path for path in ours if path.startswith(("doc/", "docs/", "examples/", "notebooks/"))} == set()


def test_every_module_is_compiled(image):
    every = set(files(image))
    sources = {path for path in every if path.endswith(".py") and path.startswith("/opt/hstmosaic/lib")}
    assert len(sources) > 5000

    def compiled(path):
        folder, _, name = path.rpartition("/")
        return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc"

    assert [path for path in sources if compiled(path) not in every] == []


def test_the_list_of_contents_is_the_lock_and_what_debian_says(image):
    python = {canonical(c["name"]): c["version"] for c in image.sbom["components"] if not is_debian(c)}
    wanted = locked() | {"hstmosaic": __version__}
    del wanted["setuptools"]  # it builds hstmosaic and stays behind
    assert python == wanted
    debian = {c["name"]: c["version"] for c in image.sbom["components"] if is_debian(c)}
    query = ("-W", "-f", "${Package} ${Version}\\n")
    there = output_of(*image.podman(*query, options=("--entrypoint", "dpkg-query")))
    assert debian == dict(line.split() for line in there.splitlines())


def test_the_list_is_in_the_image_and_would_be_the_same_again(image):
    inside = output_of(*image.podman("/opt/hstmosaic/sbom.cdx.json", options=("--entrypoint", "cat")))
    assert json.loads(inside) == image.sbom
    # nothing in it depends on when or how often the image is built
    assert "timestamp" not in image.sbom["metadata"]
    assert "serialNumber" not in image.sbom


def test_labels_user_and_entry(image):
    config = image.inspect()["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "BSD-3-Clause"
    head = output_of("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head
    assert labels["org.hstmosaic.digest"].startswith("sha256:")
    assert (config["User"], config["Entrypoint"]) == ("hstmosaic", ["hstmosaic"])
    # what is for the build only does not stay
    assert not [line for line in config["Env"] if line.startswith(("DEBIAN_", "PIP_"))]


def test_the_sif_has_labels_and_help(image):
    labels = json.loads(output_of("apptainer", "inspect", "--json", image.sif))["data"]["attributes"]["labels"]
    assert labels["org.hstmosaic.digest"] == image.inspect()["Config"]["Labels"]["org.hstmosaic.digest"]
    assert "hstmosaic-slurm" in output_of("apptainer", "run-help", image.sif)


def test_layers_are_of_a_size(image):
    sizes = [layer["size"] for layer in json.loads(output_of("podman", "history", "--format", "json", image.name))]
    assert 400e6 < sum(sizes) < 1e9
    # a new version of hstmosaic moves a few megabytes
    first_big = next(i for i, size in enumerate(sizes) if size > 100e6)
    assert sum(sizes[:first_big]) < 5e6
    # what container/README.md says
    base, python, packages, *ours = [size for size in reversed(sizes) if size]
    page = (ROOT / "container" / "README.md").read_text()
    documented = [*re.findall(r"^\| .* \| (\d+) \|$", page, re.MULTILINE), *re.findall(r"SIF file has (\d+) MB", page)]
    found = [base, python, packages, sum(ours), image.sif.stat().st_size]
    assert [int(size) * 1e6 for size in documented] == pytest.approx(found, rel=0.05, abs=1e6)
