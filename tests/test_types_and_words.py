"""Types between rooms, names of files and events, and the words of docstrings: rules that a linter has no name for."""

import ast
import re
from functools import cache
from pathlib import Path

from hstmosaic.store.payload import EventKind
from hstmosaic.store.run_directory import RunDirectory

SOURCES = Path(__file__).parents[1] / "src" / "hstmosaic"
UNTYPED = re.compile(r"(dict|Mapping)\[str, Any\]")
JSON = {"to_dict", "from_dict"}
"""Methods at the border to JSON."""
FORBIDDEN = re.compile(
    r"\b(told|hears?|mend(s|ed|ing)?|in vain|for want of|hire[ds]?|roster|staff|so many|whilst|all the same|"
    r"again and again)\b|\w\(s\)|\bis no (number|directory|file)\b",
    re.IGNORECASE,
)
CLAUSE = re.compile(r"(What|Who|How|Whether)\b")
EXCEPTIONS = {"for (?:want|lack) of memory"}
"""Patterns of messages of other programs."""


@cache
def trees():
    return {path.relative_to(SOURCES): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES.rglob("*.py")}


def room(path):
    return str(path.parent) if path.parent.parts else path.stem


def signature(function):
    arguments = function.args
    annotated = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found = [argument.annotation for argument in annotated] + [function.returns]
    return " ".join(ast.unparse(annotation) for annotation in found if annotation is not None)


def untyped_functions():
    """Yield (module, function) of the public functions that take or return a dictionary of anything."""
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name[0] != "_" and UNTYPED.search(signature(node)):
                yield ".".join(["hstmosaic", *path.with_suffix("").parts]), node.name


def test_no_room_passes_a_dictionary_of_anything_to_another():
    untyped = set(untyped_functions())
    passed = [
        f"{path} imports {name.name} of {node.module}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if (node.module, name.name) in untyped and room(path) != room(Path(*node.module.split(".")[1:]))
    ]
    assert passed == []


def test_no_dataclass_outside_of_the_store_holds_a_dictionary_of_anything():
    held = [
        f"{path}: {ast.unparse(item)}"
        for path, tree in trees().items()
        if path.parts[0] != "store"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and UNTYPED.search(ast.unparse(item.annotation))
    ]
    assert held == ["run/profiles/profile.py: dask: Mapping[str, Any] = field(default_factory=dict)"]


def test_findings_of_tasks_are_read_as_dataclasses():
    """Only what writes results touches their JSON."""
    writers = {"tasks/execute.py", "run/node/task.py"}
    touched = {
        str(path)
        for path, tree in trees().items()
        if path.parts[0] != "store"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "data" and ast.unparse(node.value).endswith("result")
    }
    assert touched <= writers


def test_events_are_emitted_as_payloads():
    literal = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "emit"
        if node.args and isinstance(node.args[0], ast.Constant)
    ]
    assert literal == []
    assert len({str(kind) for kind in EventKind}) == len(EventKind)


def test_names_in_the_run_directory_are_spelled_once():
    directory = RunDirectory(Path("foo_run"))
    properties = [name for name, value in vars(RunDirectory).items() if isinstance(value, property)]
    paths = [getattr(directory, name) for name in properties if name not in ("output", "prefix")]
    names = {path.name for path in paths if isinstance(path, Path) and "." in path.name}
    assert {"run.jsonl", "plan.json"} <= names
    spelled = [
        f"{path}:{node.lineno}: {node.value}"
        for path, tree in trees().items()
        if path != Path("store/run_directory.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert spelled == []


def strings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def test_docstrings_and_messages_have_no_forbidden_words():
    found = [
        f"{path}:{node.lineno}: {match.group()}"
        for path, tree in trees().items()
        for node in strings(tree)
        if (match := FORBIDDEN.search(node.value)) and not any(known in node.value for known in EXCEPTIONS)
    ]
    assert found == []


def test_docstrings_of_modules_and_functions_are_no_clauses():
    documented = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    clauses = [
        f"{path}: {text.splitlines()[0]}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, documented) and (text := ast.get_docstring(node)) and CLAUSE.match(text)
    ]
    assert clauses == []
