"""A paragraph on methods for papers, with the versions and numbers of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.products.layer_marks import layer_title
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.products.run_record import RunRecord


def methods_paragraph(record: RunRecord) -> str:
    """Return a paragraph that describes how the mosaics of a run were made.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    str
        Empty if the run has made no mosaic.
    """
    return " ".join(_sentences(record)) if record.made else ""


def _sentences(record: RunRecord) -> Iterator[str]:
    versions = record.plan.versions if record.manifest is None else record.manifest.versions
    used = {layer.name: len(record.used(layer)) for layer in record.made}
    layers = ", ".join(f"{layer_title(name)} ({count})" for name, count in used.items())
    yield (
        f"We combined {count_of(sum(used.values()), 'calibrated exposure')}, {layers}, with hstmosaic "
        f"{versions.get('hstmosaic', '')}, which runs the multi-visit processing of DrizzlePac "
        f"{versions.get('drizzlepac', '')}."
    )
    if record.left_out:
        yield f"{count_of(len(record.left_out), 'exposure')} of the list {_was(len(record.left_out))} not used."
    yield _alignment(record)
    scales = sorted({f'{product.grid.scale:.3g}"' for layer in record.made for product in layer.products})
    pixels = " and ".join(scales)
    if record.plan.request.grid is None:
        yield f"The mosaics are on the projection cell {record.plan.projection_cell} with pixels of {pixels}."
    else:
        yield f"The mosaics are on a common grid with pixels of {pixels}."
    depths = list(_depths(record))
    if depths:
        yield f'Their 5-sigma depths in squares of 0.4" are {", ".join(depths)} AB mag.'


def _alignment(record: RunRecord) -> str:
    found = record.alignment
    if found is None or not (found.aligned or found.exposures):
        return "The exposures have the WCS of their headers."
    if not found.aligned:
        return "The exposures were aligned to each other, in the frame of their headers."
    ra, dec = found.rms_mas
    return (
        f"The exposures of all filters were aligned together to {found.catalog} by {count_of(found.matches, 'star')}, "
        f"with residuals of {ra:.1f} mas in right ascension and {dec:.1f} mas in declination (RMS)."
    )


def _depths(record: RunRecord) -> Iterator[str]:
    for layer in record.made:
        finest = min(layer.products, key=lambda product: product.grid.scale)
        measured = record.pictures.measured.get(finest.name)
        if measured is not None and measured.depth is not None:
            yield f"{measured.depth:.1f} ({layer_title(layer.name)})"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
