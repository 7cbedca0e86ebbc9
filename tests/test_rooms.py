"""Every module is in a room, the import contracts know all rooms, and the page on the architecture names them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "hstmosaic"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = {contract["containers"][0]: contract for contract in CONTRACTS if contract["type"] == "layers"}


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rooms():
    """Folders below ``src/hstmosaic``."""
    folders = (path for path in SOURCES.rglob("*") if path.is_dir() and path.name != "__pycache__")
    return sorted(f"{path.relative_to(SOURCES)}/" for path in folders if any(file.is_file() for file in path.iterdir()))


def named_paths(text):
    """Names of files and folders in back quotes."""
    return [name for name in re.findall(r"`([\w/.]+)`", text) if "/" in name or name.endswith(".py")]


@pytest.mark.parametrize("container", ["hstmosaic", "hstmosaic.run"])
def test_no_module_is_outside_of_a_room(container):
    folder = SOURCES.joinpath(*container.split(".")[1:])
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    contract = LAYERS[container]
    assert contract["exhaustive"]
    assert modules - {"__init__", "__main__"} == {name for layer in contract["layers"] for name in layer.split(" | ")}


def test_the_page_names_every_room():
    named = set(named_paths(section("Rooms")))
    assert set(rooms()) - named == set()
    single = {path.name for path in SOURCES.glob("*.py")} - {"__init__.py"}
    assert single - named == set()


@pytest.mark.parametrize("name", named_paths(section("Rooms") + section("Where do I change ...?")))
def test_what_the_page_names_exists(name):
    assert (SOURCES / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize(("path", "name"), re.findall(r"`([\w/]+\.py)`, `(\w+)`", section("Where do I change ...?")))
def test_functions_that_the_page_names_exist(path, name):
    assert re.search(rf"^(def|class) {name}\b", (SOURCES / path).read_text(encoding="utf-8"), re.MULTILINE)
