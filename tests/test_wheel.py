"""Contents of the wheel that `pip install` makes, here without a compiler."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
SOURCES_OF_THE_KERNEL = {".c", ".h", ".so"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build a wheel of a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "src", folder / "source" / "src", ignore=leave)
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder / "source")
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"CC": "/bin/false"}
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder / "source", env=environment, capture_output=True,
        check=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    files = [path for path in (ROOT / "src/hstmosaic").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    package = {str(path.relative_to(ROOT / "src")) for path in files if path.suffix not in SOURCES_OF_THE_KERNEL}
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == package
    assert any(name.startswith("hstmosaic/batch/") for name in package)


def test_the_wheel_is_for_all_pythons_from_the_oldest_on(wheel):
    assert "-cp311-abi3-linux" in wheel.name
