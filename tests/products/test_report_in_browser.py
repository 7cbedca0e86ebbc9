"""The report in a real browser: what it asks for, what it shows, who can read it."""

import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from astropy.table import Table
from axe_playwright_python.sync_playwright import Axe

from helpers.alignment_fields import OBSERVED, three_cameras
from helpers.catalog_service import Stars, catalog_service
from hstmosaic.errors import AlignmentError
from hstmosaic.products.report import write_report
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages.catalog import URL_VARIABLE
from hstmosaic.simulate import simulate_field

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORTS = ("aligned", "broken", "stopped")
NARROW, WIDE = 360, 1280

pytestmark = [
    pytest.mark.browser,
    pytest.mark.upstream,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() and not os.environ.get("CI"), reason=f"{CHROMIUM} is not there: install chromium"
    ),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Reports of an aligned run, of one in which a layer broke, and of one that was stopped."""
    folder = tmp_path_factory.mktemp("reports")
    simulate_field(three_cameras(rows=900), folder / "exposures")
    listed = folder / "exposures" / "list.txt"
    # an exposure twice, so that one is left out
    first = listed.read_text().split()[0]
    listed.write_text(listed.read_text() + f"{first}\n")
    stars = Stars.from_truth(Table.read(folder / "exposures" / "truth.ecsv"), OBSERVED, motion=5.0)
    with catalog_service(stars) as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv(URL_VARIABLE, service.url)
        done = run_mosaic(RunOptions(str(listed), "foo", output=folder / "aligned"), lambda event: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "nothing"))
        patch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
        required = RunOptions(str(listed), "foo", output=folder / "stopped", require_alignment=True)
        with pytest.raises(AlignmentError):
            run_mosaic(required, lambda event: None)
    shutil.copytree(folder / "aligned", folder / "broken")
    _break(folder / "broken" / "foo_run", done.plan.layers[0].name)
    return {name: folder / name / "foo_report.html" for name in REPORTS}


def _break(run, layer):
    """Tell in the run log that a layer failed, as a killed task does."""
    lines = [json.loads(line) for line in (run / "logs" / "run.jsonl").read_text().splitlines()]
    kept = [line for line in lines if not (line["kind"] == "gathered" and line["layer"] == layer)]
    retry = {"kind": "retrying", "level": "warning", "message": "drizzle-x is started again with 900 MB: killed"}
    failed = {"kind": "failed", "level": "error", "message": f"{layer} failed: SIGKILL (log: x)", "layer": layer}
    ended = {"kind": "finished", "level": "info", "message": "1 layer failed", "exit_code": 7}
    for event in (retry, failed, ended):
        kept.append(event | {"time": lines[-1]["time"]})
    (run / "logs" / "run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    write_report(run)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser, reports):
    """Open a report as a user would, and watch what it asks for and complains of."""

    @contextmanager
    def open_report(name, width=WIDE, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(reports[name].as_uri())
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        yield page
        context.close()

    return open_report


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_loads_nothing_and_has_no_errors(opened, reports, name):
    with opened(name) as page:
        page.wait_for_load_state("networkidle")
        requests = [url for url in page.requests if not url.startswith("data:")]
        assert requests == [reports[name].as_uri()]
        assert page.complaints == []


@pytest.mark.parametrize(("name", "count"), [("aligned", 14), ("broken", 14), ("stopped", 1)])
def test_all_pictures_load(opened, name, count):
    with opened(name) as page:
        page.evaluate("Promise.all([...document.images].map(image => image.decode()))")
        widths = page.evaluate("[...document.images].map(image => [image.naturalWidth, image.clientWidth])")
        assert len(widths) == count
        assert all(natural > 300 and shown > 100 for natural, shown in widths)
        words = page.evaluate("[...document.images].map(image => image.alt)")
        assert len(set(words)) == count
        assert all(len(alt) > 15 for alt in words)


def test_links_lead_to_files_next_to_the_report(opened, reports):
    with opened("aligned") as page:
        links = page.evaluate("[...document.links].map(link => link.getAttribute('href'))")
    beside = [link for link in links if not link.startswith(("#", "https://doi.org/"))]
    assert len(beside) > 20
    assert all((reports["aligned"].parent / link).is_file() for link in beside)


@pytest.mark.parametrize("name", REPORTS)
def test_links_within_the_report_lead_to_a_place_in_it(opened, name):
    with opened(name) as page:
        lost = """[...document.querySelectorAll('a[href^="#"]')].map(link => link.getAttribute('href'))
                  .filter(place => !document.querySelector(place))"""
        assert page.evaluate(lost) == []


def column(page, table, number):
    script = (
        "([id, n]) => [...document.querySelectorAll(`#${id} tbody tr`)].map(row => row.children[n].innerText.trim())"
    )
    return page.evaluate(script, [table, number])


def number_of(text):
    found = re.sub(r"[^0-9.e+-]", "", text.split()[0].replace(",", ""))
    return float(found) if found else None


@pytest.mark.parametrize(
    ("table", "number", "key"),
    [
        ("table-mosaics", 0, str),
        ("table-mosaics", 8, number_of),
        ("table-alignment", 1, number_of),
        ("table-alignment", 4, number_of),
        ("table-exposures", 0, str),
        ("table-tasks", 3, number_of),
        ("table-tasks", 0, str),
        ("table-files", 0, str),
    ],
)
def test_tables_sort_up_and_down(opened, table, number, key):
    with opened("aligned") as page:
        button = page.locator(f"#{table} thead th:nth-child({number + 1}) button")
        before = column(page, table, number)
        button.click()
        up = column(page, table, number)
        assert page.locator(f"#{table} thead th:nth-child({number + 1})").get_attribute("aria-sort") == "ascending"
        assert sorted(up) == sorted(before)
        values = [key(text) for text in up]
        assert values == sorted(values)
        assert len(set(values)) > 1
        button.focus()
        page.keyboard.press("Enter")
        values = [key(text) for text in column(page, table, number)]
        assert values == sorted(values, reverse=True)


def test_files_sort_by_size_in_bytes(opened, reports):
    with opened("aligned") as page:
        page.locator("#table-files thead th:nth-child(3) button").click()
        names = column(page, "table-files", 0)
    sizes = [(reports["aligned"].parent / name).stat().st_size for name in names]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 1_000_000


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [NARROW, 768])
def test_a_narrow_window_does_not_scroll_sideways(opened, name, width):
    with opened(name, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        beyond = """w => [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, pre, svg'))
                    .filter(e => e.getBoundingClientRect().right > w + 1).map(e => e.outerHTML.slice(0, 80))"""
        assert page.evaluate(beyond, width) == []


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(opened, name, scheme):
    with opened(name, scheme=scheme) as page:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(level) for level in re.findall(r"\d+", dark)]
        assert (max(levels) < 60) == (scheme == "dark")


def test_the_timeline_and_the_residuals_are_drawn(opened):
    with opened("aligned") as page:
        tasks = page.locator(".gantt rect").count()
        assert tasks == page.locator("#table-tasks tbody tr").count() == 16
        inside = """[...document.querySelectorAll('.gantt rect')].every(bar => {
            const a = bar.getBoundingClientRect(), b = bar.ownerSVGElement.getBoundingClientRect();
            return a.width > 0 && a.left >= b.left - 1 && a.right <= b.right + 1})"""
        assert page.evaluate(inside)
        residuals, shifts = (page.locator("svg.plane").nth(k).locator("circle:not(.ring)").count() for k in (0, 1))
        assert shifts == 6
        assert 100 < residuals <= 600


def test_no_words_of_a_chart_lie_on_each_other(opened):
    # the box of a word has room under its letters
    lying = """[...document.querySelectorAll('svg.plane, svg.histogram')].flatMap(chart => {
        const words = [...chart.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
        return words.flatMap(([one, a], k) => words.slice(k + 1).filter(([_, b]) => a.left < b.right
            && b.left < a.right && a.top < b.bottom - 3 && b.top < a.bottom - 3)
            .map(([other]) => `${one} on ${other}`))})"""
    with opened("aligned") as page:
        assert page.locator("svg.plane text").count() > 10
        assert page.evaluate(lying) == []


def test_pictures_zoom_without_a_network(opened):
    where = "document.querySelector('dialog img').getBoundingClientRect().width"
    with opened("aligned") as page:
        page.locator("button.zoom").first.click()
        page.wait_for_function(f"{where} > 100")
        fitted = page.evaluate(where)
        page.keyboard.press("+")
        assert page.evaluate(where) == pytest.approx(1.5 * fitted)
        page.mouse.wheel(0, 400)
        page.wait_for_function(f"Math.abs({where} - {fitted} * 1.5 / Math.E) < 1")
        page.keyboard.press("Escape")
        assert page.locator("dialog img").count() == 0


def test_the_failure_comes_first(opened):
    with opened("broken") as page:
        assert "SIGKILL" in page.locator("section").first.inner_text()
        assert page.locator(".badge.bad").inner_text() == "1 of 3 layers failed"
    with opened("stopped") as page:
        assert "Next step:" in page.locator("section").first.inner_text()


def test_it_prints(opened, tmp_path):
    with opened("aligned") as page:
        page.pdf(path=tmp_path / "report.pdf", format="A4")
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 720, "height": 1000})
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        # on paper nothing can be scrolled
        cut = """[...document.querySelectorAll('.scroll, pre')].filter(e => e.scrollWidth > e.clientWidth + 1)
                 .map(e => e.getAttribute('aria-label'))"""
        assert page.evaluate(cut) == []
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type /Page\b(?!s)", content))
    assert 3 <= pages <= 12
