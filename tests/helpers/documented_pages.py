"""The commands of the documentation's pages, found and executed."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

DOCS = Path(__file__).parents[2] / "docs"
_LANGUAGES = {"console", "python"}
_CALL = re.compile(r"(?:.*[ /])?(?<!from )hstmosaic ((?:[a-z]+|VERB)(?: .*)?)")
_LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Step:
    """One command, or one piece of Python."""

    line: int
    command: str
    expected: str = ""
    """What it prints; empty where the page does not say."""
    python: bool = False


@dataclass(frozen=True)
class Page:
    """A page and what the tests need to execute it."""

    path: Path
    commands: str
    """``shell``, ``slurm`` or ``image``: where its commands can be executed; empty where it has none."""
    steps: tuple[Step, ...]
    unknown: tuple[str, ...]
    """Languages of blocks that are neither commands nor known not to be."""


def read_page(path: Path) -> Page:
    """Find the commands of a page."""
    tokens = MarkdownIt().use(front_matter_plugin).parse(path.read_text())
    matter = yaml.safe_load(next((token.content for token in tokens if token.type == "front_matter"), "")) or {}
    fences = [token for token in tokens if token.type == "fence"]
    steps: list[Step] = []
    for token in fences:
        line = token.map[0] + 1
        if token.info == "console":
            steps += _console(token.content, line)
        elif token.info == "python":
            steps.append(Step(line, token.content, python=True))
    directives = {token.info for token in fences if token.info.startswith("{")}
    unknown = {token.info for token in fences} - _LANGUAGES - directives - {"json", "toml", "yaml", "text"}
    unknown |= {"an indented block" for token in tokens if token.type == "code_block"}
    return Page(path, matter.get("commands", ""), tuple(steps), tuple(sorted(unknown)))


def _console(text: str, line: int) -> list[Step]:
    steps: list[Step] = []
    for offset, content in enumerate(text.splitlines(), start=1):
        if content.startswith("$ "):
            steps.append(Step(line + offset, content.removeprefix("$ ")))
        else:
            assert steps, f"line {line + offset}: output without a command"
            last = steps[-1]
            going_on = last.command.endswith("\\") and not last.expected
            command = f"{last.command}\n{content}" if going_on else last.command
            expected = last.expected if going_on else f"{last.expected}{content}\n"
            steps[-1] = Step(last.line, command, expected)
    return steps


def named_commands(path: Path) -> list[str]:
    """Return the calls of hstmosaic that are named in the text of a page, and in the indented blocks of the README."""
    tokens = MarkdownIt().use(front_matter_plugin).parse(path.read_text())
    inline = [child.content for token in tokens for child in token.children or [] if child.type == "code_inline"]
    blocks = [line for token in tokens if token.type == "code_block" for line in token.content.splitlines()]
    calls = (_CALL.match(text) for text in [*inline, *blocks])
    return [call[1] for call in calls if call]


def execute(page: Page, folder: Path, **environment: str) -> None:
    """Execute all steps of a page in order in one folder.

    Raises
    ------
    AssertionError
        At the first command that fails, or prints other things than the page shows.
    """
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {**os.environ, "PATH": paths, "COLUMNS": "120", **environment}
    for step in page.steps:
        command = [sys.executable, "-c", step.command] if step.python else ["bash", "-c", step.command]
        ended = subprocess.run(
            command,
            cwd=folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        where = f"{page.path.name}, line {step.line}: {step.command}\n"
        assert ended.returncode == 0, f"{where}exit code {ended.returncode}\n{ended.stdout}"
        if step.expected:
            same = doctest.OutputChecker().check_output(step.expected, ended.stdout, _LOOSE)
            assert same, f"{where}--- the page shows\n{step.expected}--- it printed\n{ended.stdout}"
