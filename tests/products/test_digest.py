"""A log is brought down to the lines that say what went wrong, and these to a cause."""

import logging
import re
import traceback

import numpy as np
import pytest

from hstmosaic.products.causes import KNOWN_CAUSES, find_cause
from hstmosaic.products.digest import digest, evidence
from hstmosaic.products.manifest import Failure


def raised(function, *arguments):
    """The traceback that an error really leaves."""
    try:
        function(*arguments)
    except Exception:
        return traceback.format_exc()
    raise AssertionError("it was to fail")


def too_large():
    return np.ones(10**15)


def chained(path):
    try:
        path.read_text()
    except OSError as error:
        raise RuntimeError("the exposure cannot be read") from error


LOG = "\n".join(["1 of 2", "2026328022621 INFO src=drizzlepac.util- in_memory : False", "comment will be truncated."])


@pytest.fixture
def failed(tmp_path):
    def make(text, cause="hapmultisequencer returned 1"):
        log = tmp_path / "log.txt"
        log.write_text(text)
        return digest(Failure("wfc3_uvis_f606w", cause, str(log)), [log])

    return make


def test_a_log_without_an_error_shows_nothing():
    assert evidence(LOG.splitlines()) == []


def test_the_end_of_a_traceback_has_line_numbers(failed):
    found = failed(f"{LOG}\n{raised(too_large)}")
    assert found.cause == "memory"
    summary, place, error = found.lines
    assert summary == "error: hapmultisequencer returned 1"
    assert re.fullmatch(r'log.txt:\d+: File ".*numeric.py", line \d+, in ones', place)
    assert re.fullmatch(r"log.txt:\d+: numpy.*MemoryError: Unable to allocate .*", error)
    number = int(error.split(":")[1])
    assert "Unable to allocate" in f"{LOG}\n{raised(too_large)}".splitlines()[number - 1]


def test_causes_of_errors_are_also_shown(failed, tmp_path):
    found = failed(raised(chained, tmp_path / "absent_flc.fits"))
    assert found.cause == "input gone"
    assert sum("absent_flc.fits" in line for line in found.lines) == 1
    assert "RuntimeError: the exposure cannot be read" in found.lines[-1]


def test_errors_that_drizzlepac_logs_are_shown(failed):
    record = logging.LogRecord("drizzlepac", logging.CRITICAL, "", 0, "[Errno 28] No space left on device", (), None)
    line = logging.Formatter("2026328022621 %(levelname)s src=%(name)s- %(message)s").format(record)
    found = failed(f"{LOG}\n{line}\n")
    assert found.cause == "disk"
    assert found.lines[-1].endswith("[Errno 28] No space left on device")


@pytest.mark.parametrize(
    "line",
    [
        "[ERROR   ] ######################",
        "2026330002205 ERROR src=drizzlepac.astrodrizzle- ################",
        "2026330002205 ERROR src=stsci.tools.logutil.exc- An unhandled exception ocurred:",
        "2026330002205 ERROR src=root- message",
    ],
)
def test_headings_without_a_word_of_the_cause_are_not_shown(line):
    assert evidence([line]) == []
    assert evidence([f"{line} of a full disk"]) == [(1, f"{line} of a full disk")]


def test_the_same_error_is_shown_once_and_lines_are_few(failed):
    found = failed("\n".join(f"{raised(too_large)}\nValueError: not in a traceback {i}" for i in range(50)))
    assert len(found.lines) == 3


def test_an_unknown_cause_is_reported_verbatim(failed):
    found = failed(LOG, cause="something new")
    assert (found.cause, found.sentence) == ("unknown", "Something new.")
    assert found.log in str(found)
    assert "\n  -> " in str(found)


def test_a_task_that_never_started_has_no_log(tmp_path):
    found = digest(Failure("acs_wfc_f814w", "its job 17 ended (TIMEOUT)", "nowhere"), [tmp_path / "absent"])
    assert found.cause == "walltime"


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("its process was killed (SIGKILL: by a user, or by the system for lack of memory)", "killed"),
        ("its job 17 ended (OUT_OF_MEMORY): not enough memory", "memory"),
        ("its job 17 ended (NODE_FAIL) (attempt 4)", "worker"),
        ("its job 17 ended (CANCELLED by 1000)", "worker"),
        ("MemoryError: std::bad_alloc with 4000 MB, the most that can be had", "memory"),
        ("screening left out all of its exposures; see the warnings above", "screened"),
        ("foo_drc.fits is not as planned: its headers were not refined", "not as planned"),
        ("OSError: [Errno 122] Disk quota exceeded", "disk"),
        ("a product's header could not be updated (often a full disk)", "header update"),
        ("OSError: [Errno 28] No space left\na product's header could not be updated", "disk"),
        ("ValueError: cannot reshape array", None),
    ],
)
def test_causes_are_known_by_their_words(message, name):
    found = find_cause([message])
    assert (found and found.name) == name


def test_every_cause_has_a_name_of_its_own_a_sentence_and_a_next_step():
    assert len({known.name for known in KNOWN_CAUSES}) == len(KNOWN_CAUSES)
    assert all(known.sentence.endswith(".") and known.next_step.endswith(".") for known in KNOWN_CAUSES)


@pytest.mark.upstream
def test_every_return_code_of_drizzlepac_has_a_cause():
    from hstmosaic.tasks.drizzle import MEANING

    names = {code: find_cause([words]).name for code, words in MEANING.items()}
    assert names == {15: "header update", 65: "no viable data"}
