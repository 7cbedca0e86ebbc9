"""How Sphinx builds the site: `make docs`."""

import sys
from pathlib import Path

from hstmosaic import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "hstmosaic"
author = "hstmosaic developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "executed_python",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Every reference has to lead somewhere; warnings are errors (see the Makefile).
suppress_warnings: list[str] = []

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = False

html_theme = "furo"
html_title = "hstmosaic"
html_show_sphinx = False
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"


def show_examples_as_code(_app, _context, lines):
    """Turn the examples in the help of a command, which sphinx-click makes a line block, into a block of code."""
    heading = next((number for number, line in enumerate(lines) if line.strip("| ") == "Examples:"), None)
    if heading is not None:
        examples = [f"   {line.removeprefix('|').strip()}" for line in lines[heading + 1 :] if line.strip("| ")]
        lines[heading:] = ["Examples:", "", ".. code-block:: text", "", *examples, ""]


def setup(app):
    """Register what is not an extension of its own."""
    app.connect("sphinx-click-process-description", show_examples_as_code)
