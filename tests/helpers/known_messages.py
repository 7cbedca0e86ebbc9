"""Warnings and errors in logs and trailers that are known to be harmless, and the reason why each is.

What is neither here nor in `hstmosaic.tasks.fallbacks` fails the test whose run wrote it: read the code that wrote the
line, then add it here with the reason, or there if pixels change.
"""

import json
import re
from pathlib import Path

HARMLESS = {
    r"No CR mask file found! Input DQ array not updated": "cosmic rays are not searched for in mosaics of visits",
    r"Card is too long, comment will be truncated": "the comment of a card is shortened, not its value",
    r"! \d{1,3} points were outside the output image": "mosaics are cut at a painted outline, which lacks some corners",
    r"Did not find a suitable PSF out of": "sources are found with a Gaussian; residuals of the fit are checked",
    r"Using a Gaussian 2D Kernel for source detection": "the same",
    r"One or more fit\(s\) may not have converged": "an odd width of a star is replaced by the usual one",
    r"The find_fwhm\(\) failed|The PHOT_RESULTS table": "the next star is tried for the width of the PSF",
    r"No local peaks were found": "an exposure without sources follows its visit, or keeps its WCS with a warning",
    r"may not have converged": "a width out of range is not used, and the next star is tried",
    r"No cte correction will be made for this SBC": "SBC has no CCD, hence no losses of charge transfer",
    r"Not enough reference sources for": "the alignment reports the geometry it used, or that it failed",
    r"No further fit geometries to try|Too many \(bad\?\) sources to try any more fitting": "the same",
    r"Proceeding to try the next fit method": "the alignment reports the method it used",
    r"No satisfactory fit found for any catalog": "the alignment reports that it failed",
    r"EXCEPTION encountered in align_to_gaia for the SkyCellProduct": "the same: `Fit.good` does not depend on it",
    r"Proceeding with previous best solution": "the same",
    r"At least two points are required|Number of output coordinates exceeded": "the next fit geometry is tried",
    r"Unable to remove file|trailer files may contain duplicate": "a file that was never written",
    r"'partition' will ignore the 'mask'": "positions of catalogue stars are never missing",
    r"No matches found within a search radius|No valid shift found": "the fit fails, and the alignment says so",
    r"Failed to align catalog|Unable to estimate significance": "the same; the exposure is named as left out",
    r"has \(keyword = value\) of|Dataset can(not)? be aligned": "the verdict of screening, which is reported",
    r"QUALITY keywords report GUIDING: BAD|GUIDING detected as: BAD": "the same",
    r"is all zeros, but processing will continue": "the same",
    r"there are no sources remaining in the image": "an exposure without stars passes the guiding check",
    r"does not conserve flux": "a kernel that the user chose; the plan cautions about it",
    r"No science extension in file": "found by the plan",
}
"""Regular expressions, searched in a line."""

_ALARM = re.compile(r"^\[(WARNING|ERROR|CRITICAL) *\]|^\d{13} (WARNING|ERROR|CRITICAL) |^(WARNING|ERROR|CRITICAL)\b")

_HEADING_OF_TRACEBACK = "ERROR:root:message"
"""Printed by ``logging.exception("message")`` of drizzlepac."""


def unknown_lines(text, fallbacks):
    """Return the warnings, errors and exceptions of a log that no pattern explains."""
    known = re.compile("|".join([*HARMLESS, *fallbacks]))
    return [line for line in _alarms(text.splitlines()) if not known.search(line)]


def _alarms(lines):
    """Yield warnings and errors, and for each traceback its last line, which names the exception."""
    in_traceback = False
    for line in lines:
        if line == _HEADING_OF_TRACEBACK:
            continue
        if line.startswith("Traceback"):
            in_traceback = True
        elif in_traceback:
            in_traceback = line.startswith(" ") or not line
            if not in_traceback:
                yield f"exception: {line}"
        elif _ALARM.search(line):
            yield line
    if in_traceback:
        yield "exception: a traceback without its last line"


def finished_logs(folder):
    """Return logs and trailers of the tasks below a folder that succeeded."""
    found = []
    for path in Path(folder).rglob("tasks/*/result.json"):
        result = json.loads(path.read_text())
        if not result["ok"]:
            continue
        task = path.parent
        trailers = [name for name in result["data"].get("files", []) if name["name"].endswith("_trl.txt")]
        places = [task / "log.txt", *(task.parents[2] / trailer["name"] for trailer in trailers)]
        found += [place for place in places if place.is_file()]
    return found
