"""The site: it builds without warnings, no page shows raw markup, and the page that is executed shows its results."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from helpers.documented_pages import DOCS

pytestmark = pytest.mark.slow

RAW_MARKUP = re.compile(r"`|\*\*|::|\]\(|^\s*#+ |^\s*\.\. |:[a-z]+:|\{[a-z-]+\}", re.MULTILINE)
CODE = {"code", "pre", "script", "style", "svg", "title"}


class Prose(HTMLParser):
    """The text of a page's article outside of code."""

    def __init__(self, text):
        super().__init__()
        self.words = []
        self.depth = self.code = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        literal = tag in CODE or "descclassname" in dict(attrs).get("class", "")
        self.depth += tag == "article"
        self.code += literal

    def handle_endtag(self, tag):
        self.depth -= tag == "article"
        self.code -= tag in CODE

    def handle_data(self, data):
        if self.depth and not self.code:
            self.words.append(data)


def raw_markup(html):
    """Pieces of reST or Markdown that a page shows."""
    return RAW_MARKUP.findall("".join(Prose(html).words))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--fail-on-warning", "--keep-going", "-b", "html"]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder), "-d", str(folder / ".doctrees")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("shown", ["see `x`", "**bold**", ".. click:: a", ":prog: a", "[a](b)", "# Title", "{click} a"])
def test_raw_markup_is_recognised(shown):
    assert raw_markup(f"<article><p>{shown}</p></article>")
    assert not raw_markup(f"<article><p><code>{shown}</code></p></article>")


@pytest.mark.parametrize("page", sorted(path.stem for path in DOCS.glob("*.md")))
def test_no_page_shows_markup(site, page):
    assert raw_markup((site / f"{page}.html").read_text()) == []


def test_the_command_line_page_describes_every_verb(site):
    from hstmosaic.cli import cli

    text = (site / "cli.html").read_text()
    for verb in cli.commands:
        assert f"hstmosaic {verb} [OPTIONS]" in re.sub("<[^>]+>", "", text)


def test_the_executed_page_shows_its_results(site):
    text = (site / "python.html").read_text()
    assert "&lt;ExitCode.OK: 0&gt;" in text
    assert text.count("data:image/png;base64,") == 1
    assert "<Plan" not in text, "a plan is shown as tables"
    assert "stub_wfc3_ir_f160w_all_drz.fits" in text
