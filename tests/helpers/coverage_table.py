"""A table of line coverage per folder, for a run of pytest with ``--cov``."""

from collections import Counter
from pathlib import Path

import hstmosaic

SOURCES = Path(hstmosaic.__file__).parent
"""Of the installed package, which is not this checkout in the environments of other Pythons."""


def lines_per_folder(data):
    """Count statements and executed statements, per folder of the package."""
    statements, executed = Counter(), Counter()
    for path in SOURCES.rglob("*.py"):
        _, lines, _, missing, _ = data.analysis2(str(path))
        folder = str(path.parent.relative_to(SOURCES))
        statements[folder] += len(lines)
        executed[folder] += len(lines) - len(missing)
    return {folder: (statements[folder], executed[folder]) for folder in sorted(statements) if statements[folder]}


def coverage_table(data):
    """Return the lines of the table.

    Child processes are not measured: drizzlepac runs in them, so ``tasks`` shows less than its tests cover.
    """
    rows = [(folder, *counts) for folder, counts in lines_per_folder(data).items()]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [f"{'folder':<16}{'statements':>12}{'executed':>10}"] + [
        f"{folder:<16}{total:>12}{done / total:>10.0%}" for folder, total, done in rows
    ]
