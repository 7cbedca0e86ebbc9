"""`import hstmosaic`: lazy names, a plan and an outcome that show themselves, a run without a listener."""

import ast
import logging
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import hstmosaic
from helpers.events import event_of
from hstmosaic.errors import ExitCode
from hstmosaic.monitor import progress_bar as bars

HEAVY = ("dask", "distributed", "drizzlepac", "matplotlib", "rich")


@pytest.fixture(scope="module")
def listed(simulated):
    return simulated.demo(200).list


@pytest.fixture(scope="module")
def plan(listed):
    return hstmosaic.make_plan(str(listed))


class Cells(HTMLParser):
    """The texts of the cells of all tables."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"):
            self.found.append("")

    def handle_data(self, data):
        if self.found:
            self.found[-1] += data


def loaded_by(code):
    """Names of costly packages that some code imports."""
    code_and_check = f"import sys\n{code}\nprint([name for name in {HEAVY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code_and_check], capture_output=True, text=True, check=True)
    return ast.literal_eval(shown.stdout.splitlines()[-1])


def test_importing_hstmosaic_loads_nothing_costly():
    assert loaded_by("import hstmosaic; dir(hstmosaic); hstmosaic.__version__, hstmosaic.HstMosaicError") == []


def test_planning_loads_neither_dask_nor_drizzlepac(listed):
    assert loaded_by(f"import hstmosaic; repr(hstmosaic.make_plan({str(listed)!r}))") == []
    command = f"from hstmosaic.cli import cli; cli.main(['plan', {str(listed)!r}], standalone_mode=False)"
    assert loaded_by(command) == []


def test_every_public_name_is_there():
    assert set(hstmosaic.__all__) <= set(dir(hstmosaic))
    for name in hstmosaic.__all__:
        assert getattr(hstmosaic, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        hstmosaic.fly  # noqa: B018


def test_the_stub_file_names_what_is_public():
    stub = ast.parse(Path(hstmosaic.__file__).with_suffix(".pyi").read_text())
    imported = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {"__version__"} == set(hstmosaic.__all__)


def test_a_plan_shows_itself_in_a_line_and_as_tables(plan):
    assert repr(plan).startswith("<Plan of 6 exposures in 3 layers on p1889, ")
    html = plan._repr_html_()
    cells = Cells(html).found
    for layer in plan.layers:
        assert layer.name in cells
        assert all(any(product.name in cell for cell in cells) for product in layer.products)
    assert "data:image/png;base64," in html


def test_the_plot_of_a_plan_has_every_chip(plan):
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    axes = plan.plot(Figure().add_subplot())
    drawn = [item for item in axes.collections if isinstance(item, PolyCollection)]
    assert [len(item.get_paths()) for item in drawn] == [2, 2, 2]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for path in (path for item in drawn for path in item.get_paths()):
        assert left < path.vertices[:, 0].min() < path.vertices[:, 0].max() < right
        assert bottom < path.vertices[:, 1].min() < path.vertices[:, 1].max() < top


def test_texts_in_tables_are_escaped(plan):
    assert "a &lt;b&gt; &amp; c" in replace(plan, notes=("a <b> & c",))._repr_html_()


@pytest.mark.upstream
def test_a_run_without_a_listener_returns_products_with_paths(listed, tmp_path, capsys):
    options = hstmosaic.RunOptions(str(listed), output=str(tmp_path), profile="local", skip_alignment=True, stub=True)
    outcome = hstmosaic.run_mosaic(options)
    assert outcome.exit_code is ExitCode.OK
    assert len(outcome.mosaics) == 4
    assert all(path.is_absolute() and path.is_file() for path in outcome.paths.values())
    assert set(outcome.mosaics) < set(outcome.paths.values())
    assert outcome.report.is_file()
    assert repr(outcome).startswith(f"<Outcome OK: 4 mosaics in {tmp_path}, 0 exposures left out, 0 failures, ")
    assert {path.name for path in outcome.mosaics} < set(Cells(outcome._repr_html_()).found)
    assert capsys.readouterr().out == ""


def test_warnings_of_a_run_go_to_the_logger(caplog):
    with bars.progress_bar() as listener, caplog.at_level(logging.WARNING, "hstmosaic"):
        listener(event_of("note", "mind the gap", "warning"))
        listener(event_of("note", "nothing", "info"))
    assert [record.getMessage() for record in caplog.records] == ["mind the gap"]


def test_a_notebook_gets_one_output_that_is_updated(monkeypatch):
    shown = []

    class Handle:
        def update(self, item):
            shown.append(item._repr_html_())

    shell = type("Shell", (), {"kernel": object()})()
    display = type(sys)("IPython.display")
    display.display = lambda item, display_id: Handle()
    ipython = type(sys)("IPython")
    ipython.get_ipython, ipython.display = lambda: shell, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with bars.progress_bar() as listener:
        listener(event_of("note", "hello"))
    assert shown
    assert all(text.startswith("<progress max='1' value='0.000'>") for text in shown)
