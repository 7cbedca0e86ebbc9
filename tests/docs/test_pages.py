"""The documentation: its commands work and its lists are complete."""

import re
import shlex

import pytest

from helpers.documented_pages import DOCS, execute, named_commands, read_page
from hstmosaic.cli import cli
from hstmosaic.errors import ExitCode

PAGES = [read_page(path) for path in sorted(DOCS.glob("*.md"))]
WITHOUT_CALLS = {"api.md", "architecture.md", "cite.md", "cli.md", "drizzlepac.md", "index.md", "python.md"}
PLACES = {"", "shell", "slurm", "image"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.name)
def test_every_command_is_executed_somewhere(page):
    assert page.unknown == (), "write commands as console, files as yaml or text"
    assert page.commands in PLACES
    assert bool(page.steps) == bool(page.commands), "a page with commands says where they can be executed"


def test_steps_are_what_is_written(tmp_path):
    path = tmp_path / "page.md"
    console = "```console\n$ echo a \\\n  b\na b\n$ true\n```\n"
    path.write_text(f"---\ncommands: shell\n---\n{console}```python\nprint(1)\n```\n```text\nx\n```\n")
    page = read_page(path)
    assert [(step.line, step.command, step.expected) for step in page.steps] == [
        (5, "echo a \\\n  b", "a b\n"),
        (8, "true", ""),
        (10, "print(1)\n", ""),
    ]
    execute(page, tmp_path)


@pytest.mark.parametrize("block", ["$ false", "$ echo this\nthat", "$ echo this\nthis and more"])
def test_a_page_that_is_not_true_is_found(tmp_path, block):
    path = tmp_path / "page.md"
    path.write_text(f"```console\n{block}\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, line 2"):
        execute(read_page(path), tmp_path)


@pytest.mark.upstream
@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.commands == "shell"], ids=lambda page: page.path.name)
def test_commands_of_the_page(page, tmp_path):
    execute(page, tmp_path, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))


def test_every_exit_code_is_explained():
    listed = {int(code) for code in re.findall(r"^## (\d+):", (DOCS / "problems.md").read_text(), re.MULTILINE)}
    assert listed == {int(code) for code in ExitCode}


@pytest.mark.parametrize("path", [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"], ids=lambda path: path.name)
def test_verbs_and_options_that_the_text_names_exist(path):
    calls = named_commands(path)
    assert calls or path.name in WITHOUT_CALLS
    for call in calls:
        verb, *words = shlex.split(call, comments=True)
        command = cli if verb == "VERB" else cli.commands[verb]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, call


def test_calls_are_found_in_text_and_in_indented_blocks(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "`hstmosaic run -s`, `from hstmosaic import x`, `hstmosaic`\n\n    .venv/bin/hstmosaic plan  # why\n"
    )
    assert named_commands(path) == ["run -s", "plan  # why"]
