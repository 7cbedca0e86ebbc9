"""Settings and fixtures of all tests."""

import os
from itertools import chain

import pytest
from hypothesis import settings

from helpers.known_messages import finished_logs, unknown_lines
from helpers.simulated_fields import SimulatedFields

# the same examples every time, and none that is late on a busy machine
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("few", settings.get_profile("same"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

_JUDGED = set()
"""Logs that were read, and when they were written."""


def pytest_ignore_collect(collection_path, config):
    """Do not import drizzlepac, which takes seconds, where its tests are not wanted."""
    unwanted = "not upstream" in (config.option.markexpr or "")
    return True if unwanted and collection_path.name.startswith("test_upstream") else None


def pytest_configure(config):
    """Neither learn from the runs of whoever tests, nor teach theirs; tests of learning name a file of their own."""
    os.environ["HSTMOSAIC_LEARNING"] = "off"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    """Print the coverage per folder after a run with ``--cov``."""
    plugin = config.pluginmanager.get_plugin("_cov")
    if plugin is None or plugin.cov_controller is None or hasattr(config, "workerinput"):
        return
    from helpers.coverage_table import coverage_table

    terminalreporter.section("coverage, without child processes")
    terminalreporter.write_line("\n".join(coverage_table(plugin.cov_controller.cov)))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Simulated fields by kind and size, for example ``simulated.demo(200).list``; not to be changed by tests."""
    root = tmp_path_factory.getbasetemp()
    fields = SimulatedFields((root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "simulated")
    yield fields
    assert not fields.changed(), f"a test changed these fields; work on a copy: {fields.changed()}"


@pytest.fixture(scope="session", autouse=True)
def _kept_zygote():
    """Import drizzlepac once for the runs that follow each other in a test process."""
    from helpers.kept_zygote import end_kept_zygote, take_zygote

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hstmosaic.run.node.zygote.Zygote", take_zygote)
        yield
    end_kept_zygote()


@pytest.fixture(scope="module", autouse=True)
def _earlier_folders(tmp_path_factory):
    """Folders of earlier modules, whose logs were judged."""
    return set(tmp_path_factory.getbasetemp().iterdir())


@pytest.fixture(autouse=True)
def _only_known_messages(request, tmp_path_factory, _earlier_folders):
    """Fail a test with drizzlepac after which a log has warnings or errors that nobody has judged."""
    yield
    if request.node.get_closest_marker("upstream") is None:
        return
    # drizzlepac is imported only where it has run
    from hstmosaic.tasks.fallbacks import FALLBACKS

    patterns = [fallback.pattern for fallback in FALLBACKS]
    unknown = []
    recent = set(tmp_path_factory.getbasetemp().iterdir()) - _earlier_folders
    for log in chain.from_iterable(map(finished_logs, sorted(recent))):
        state = log, log.stat().st_mtime_ns
        if state not in _JUDGED:
            _JUDGED.add(state)
            unknown += [f"{log.parent.name}/{log.name}: {line}" for line in unknown_lines(log.read_text(), patterns)]
    assert not unknown, "judge these lines in tests/helpers/known_messages.py:\n" + "\n".join(unknown)
