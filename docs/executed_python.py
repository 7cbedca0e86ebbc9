"""Directive ``executed-python``: Python of a page, executed while the site is built, with its result below it.

The blocks of a page share their names and an empty working directory. The last line of a block is shown if it is an
expression: as HTML if the object has any, as in a notebook, else as text.
"""

from __future__ import annotations

import ast
import tempfile
from contextlib import chdir
from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import Directive

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Session:
    """Names and working directory that the blocks of a page share."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._folder = tempfile.TemporaryDirectory()

    def execute(self, code: str) -> str:
        """Execute a block and return its result as HTML; empty if it ends with a statement."""
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with chdir(self._folder.name):
            exec(compile(tree, "<page>", "exec"), self.names)
            if last is None:
                return ""
            result = eval(compile(ast.Expression(last.value), "<page>", "eval"), self.names)
            return _as_html(result).replace(self._folder.name, "/home/me")


def _as_html(result: object) -> str:
    if hasattr(result, "_repr_html_"):
        return str(result._repr_html_())
    return f"<pre>{escape(repr(result))}</pre>"


class ExecutedPython(Directive):
    """Show a block of Python and its result."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Execute the block."""
        sessions = self.state.document.settings.env.temp_data
        session = sessions.setdefault("executed-python", Session())
        code = "\n".join(self.content)
        shown = nodes.literal_block(code, code, language="python")
        result = session.execute(code)
        return [shown, nodes.raw("", f"<div class='executed'>{result}</div>", format="html")] if result else [shown]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("executed-python", ExecutedPython)
    return {"parallel_read_safe": True}
