"""The list of repairs is complete, and the documentation has the same."""

import ast
import importlib.util
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from hstmosaic.store.files import ENCODING
from hstmosaic.store.task_names import Stage
from hstmosaic.tasks.upstream import repairs
from hstmosaic.tasks.upstream.repairs import REPAIRS, Repair, apply_repairs

pytestmark = pytest.mark.upstream

SOURCE = Path(importlib.util.find_spec("hstmosaic").origin).parent
FILES = [path for room in ("upstream", "exact", "boxes") for path in SOURCE.glob(f"tasks/{room}/*.py")]
DOCS = Path(__file__).parents[3] / "docs" / "drizzlepac.md"


def replaced_attributes(path):
    """Yield the functions of a module that set attributes of imported names, and what they set."""
    tree = ast.parse(path.read_text(ENCODING))
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for function in tree.body:
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in (part for one in targets for part in getattr(one, "elts", [one])):
                root = target
                while isinstance(root, ast.Attribute):
                    root = root.value
                if isinstance(target, ast.Attribute) and isinstance(root, ast.Name) and root.id in imported:
                    yield function.name, ast.unparse(target)


def called_names(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text(ENCODING))) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def test_every_function_that_replaces_something_is_listed():
    listed = {repair.name for repair in REPAIRS}
    found = {name: path for path in FILES for name, _ in replaced_attributes(path)}
    private = {name for name in found if name.startswith("_")}
    assert found.keys() - private <= listed, "add it to REPAIRS in tasks/upstream/repairs.py"
    assert len(found.keys() & listed) > 15
    for name in private:
        assert name in set().union(*map(called_names, FILES))


def test_nothing_is_replaced_outside_of_these_rooms():
    others = [path for path in SOURCE.rglob("*.py") if path not in FILES]
    replaced = {name for path in others for _, name in replaced_attributes(path)}
    assert replaced <= {"sys.stdout", "sys.stderr"}


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.name)
def test_a_repair_is_called_where_the_list_says(repair):
    callers = {path.name for path in (SOURCE / "tasks").glob("*.py") if repair.name in called_names(path)}
    assert callers == ({repair.caller} if repair.caller else set())


def test_a_task_applies_the_repairs_of_its_stage(monkeypatch):
    applied = []
    stages = [(Stage.SCREEN, Stage.DRIZZLE), (Stage.ALIGN,), (Stage.DRIZZLE,)]
    listed = [Repair(lambda n=number: applied.append(n), "", "", some) for number, some in enumerate(stages)]
    listed.append(Repair(pytest.fail, "", "", (Stage.DRIZZLE,), caller="drizzle.py"))
    monkeypatch.setattr(repairs, "REPAIRS", tuple(listed))
    apply_repairs(Stage.DRIZZLE)
    assert applied == [0, 2]


def numbers(version_text):
    return [int(part) for part in re.findall(r"\d+", version_text)]


@pytest.mark.parametrize("upstream", sorted({repair.upstream for repair in REPAIRS}))
def test_no_upstream_is_newer_than_the_list_says(upstream):
    name, _, looked_at = upstream.partition(" ")
    assert numbers(version(name)) <= numbers(looked_at), "see what is still needed, then change the list"


def test_the_documentation_has_the_same_list():
    rows = re.findall(r"^\| `(\w+)` \| ([\w.]+) \| (.+) \| (.+) \| (.+) \|$", DOCS.read_text(ENCODING), re.MULTILINE)
    assert rows == [(r.name, r.module, r.fault, r.upstream, stages_text(r)) for r in REPAIRS]


def stages_text(repair):
    return "all" if repair.stages == tuple(Stage) else ", ".join(repair.stages)
