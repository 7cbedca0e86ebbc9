"""Report of a run: one self-contained HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from hstmosaic.plan.names import report_name
from hstmosaic.products.charts import duration
from hstmosaic.products.report_content import report_content
from hstmosaic.products.run_record import read_record
from hstmosaic.store.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_UNITS = ("B", "kB", "MB", "GB", "TB")


def write_report(run: Path) -> Path:
    """Write the report of a run atomically.

    Parameters
    ----------
    run : pathlib.Path
        The run directory. Of the output directory, only the manifest and the sizes of products are read; pictures are
        those of `hstmosaic.products.pictures.make_pictures`.

    Returns
    -------
    pathlib.Path
        ``<prefix>_report.html`` in the output directory.

    Raises
    ------
    OutputError
        If it is not a run directory.
    """
    record = read_record(run)
    environment = Environment(
        loader=PackageLoader("hstmosaic.products"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,  # it would take half of the time of a template that is used once
    )
    environment.filters |= {"bytes": size_text, "duration": duration, "number": number_text}
    text = environment.get_template("report.html").render(vars(report_content(record)))
    path = record.output / report_name(record.plan.prefix)
    write_atomically(path, text)
    return path


def size_text(count: float) -> str:
    """Write a number of bytes for people."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_UNITS[unit]}"


def number_text(value: float | None, digits: int = 3) -> str:
    """Write a number with a number of significant digits; a dash for None."""
    if value is None:
        return "\N{EN DASH}"
    rounded = f"{value:.{digits}g}"
    return f"{value:,.0f}" if abs(float(rounded)) >= 10**digits else rounded
