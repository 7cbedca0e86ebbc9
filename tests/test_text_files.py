"""Text files are the same whatever the user's locale is, and hold any path."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hstmosaic.errors import ExitCode
from hstmosaic.store.files import ENCODING, write_atomically

SOURCES = Path(__file__).parents[1] / "src" / "hstmosaic"
TEXT_METHODS = {"read_text": 0, "write_text": 1}
"""How many arguments come before the encoding."""
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def calls_without_encoding(tree):
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        by_method = name in TEXT_METHODS and len(call.args) <= TEXT_METHODS[name]
        owner = getattr(getattr(call.func, "value", None), "id", "")
        opens = (name == "open" and owner not in ("fits", "os")) or name in ("fdopen", "TemporaryFile")
        as_text = opens and not any("b" in mode for mode in modes[-1:])
        if (by_method or as_text or "text" in keywords) and "encoding" not in keywords:
            yield name, call.lineno


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES)))
def test_no_text_file_depends_on_the_locale(path):
    assert list(calls_without_encoding(ast.parse(path.read_text(encoding=ENCODING)))) == []


def test_bytes_that_are_no_text_are_written_as_escapes(tmp_path):
    write_atomically(tmp_path / "file.txt", os.fsdecode(b"caf\xc3\xa9 \xff"))
    assert (tmp_path / "file.txt").read_bytes() == "caf\u00e9 \\udcff".encode()


@pytest.mark.upstream
@pytest.mark.parametrize("name", [b"caf\xe9", b"caf\xc3\xa9"], ids=["bytes", "utf-8"])
@pytest.mark.parametrize("environment", [{"PYTHONUTF8": "1"}, NO_LOCALE], ids=["utf-8", "no locale"])
def test_any_output_path_has_a_report(simulated, tmp_path, name, environment):
    folder = tmp_path / os.fsdecode(name)
    simulated.infrared(1).copy_to(folder)
    command = [Path(sys.executable).with_name("hstmosaic"), "run", folder / "list.txt", "-s", "--stub", "-o", "foo"]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    done = subprocess.run([*command, "--output-dir", folder], env=given | environment, capture_output=True, check=False)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == b""
    report = folder / "stub-foo_report.html"
    assert b"report: " + os.fsencode(report) in done.stdout
    assert "caf" in report.read_text(encoding=ENCODING)
    manifest = json.loads((folder / "stub-foo_manifest.json").read_text(encoding=ENCODING))
    kinds = {product["kind"]: product["name"] for product in manifest["products"]}
    assert (folder / kinds["provenance"]).is_file()
    paths = [os.fsencode(exposure["path"]) for exposure in manifest["exposures"]]
    if environment is not NO_LOCALE:
        assert all(os.path.exists(path) for path in paths)  # noqa: PTH110
