"""The table of caught exceptions in docs/drizzlepac.md against the code of the libraries."""

import ast
import functools
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from hstmosaic.tasks.fallbacks import FALLBACKS

pytestmark = [pytest.mark.upstream, pytest.mark.filterwarnings("ignore::SyntaxWarning")]

PAGE = Path(__file__).parents[2] / "docs" / "drizzlepac.md"
LIBRARIES = ("drizzlepac", "stsci.skypac", "stsci.tools", "stwcs", "simplify_polyline")
FROM_MESSAGE = "reported, from the message"


@functools.cache
def sources():
    """Texts of modules by name, with folders of packages among them."""
    found = {}
    for library in LIBRARIES:
        root = Path(find_spec(library).origin).parent
        for path in root.rglob("*.py"):
            name = path.parent.name if path.name == "__init__.py" else path.stem
            found[name] = found.get(name, "") + path.read_text(encoding="utf-8", errors="replace")
    return found


def rows():
    """Cells of the table: what catches, and what hstmosaic does about it."""
    table = PAGE.read_text(encoding="utf-8").partition("| where | what it hides |")[2].partition("\n\n")[0]
    return [(row.split("|")[1], row.split("|")[3].strip()) for row in table.splitlines()[2:]]


def names(cell):
    """Dotted names in backquotes; a name without a dot stands in the module before it."""
    return re.findall(r"`([\w.]+)`", cell)


@pytest.mark.parametrize("cell", [cell for cell, _ in rows()])
def test_a_library_has_each_name(cell):
    module = ""
    for name in names(cell):
        parts = name.removeprefix("stsci.").split(".")
        while parts and parts[0] in sources() and parts[0] != module:
            module = parts.pop(0)
        defined = {node.name for node in ast.walk(ast.parse(sources()[module])) if hasattr(node, "name")}
        assert set(parts) <= defined, f"{module} has no {parts}"


@pytest.mark.parametrize("cell", [cell for cell, action in rows() if action.startswith(FROM_MESSAGE)])
def test_each_message_that_is_reported_is_read(cell):
    modules = {part for name in names(cell) for part in name.split(".") if part in sources()}
    texts = [sources()[module] for module in modules]
    # values in f-strings stand between braces
    plain = [re.sub(r"\{[^}]*\}", "12345", text) for text in texts]
    assert any(re.search(fallback.pattern, text) for text in plain for fallback in FALLBACKS)


def test_the_table_has_rows():
    assert len(rows()) > 40
