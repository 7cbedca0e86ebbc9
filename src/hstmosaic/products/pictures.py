"""Previews, footprints, region files and coverage maps of a run: ``python -m hstmosaic.products.pictures RUN``.

It is a separate program, so that the driver does not load the libraries that draw. With ``--follow``, it reads names of
layers on standard input and draws each at once, while the run goes on. After the line `END`, which the driver writes
when the run has ended, it draws the rest. If the input ends without that line, the driver is gone; the program exits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import matplotlib as mpl

from hstmosaic.products.canvas import cut_out, save_whole
from hstmosaic.products.colour import compose, draw_composite
from hstmosaic.products.footprint_picture import SKY, draw_footprints
from hstmosaic.products.layer_pictures import Drawn, draw_layer
from hstmosaic.products.picture_list import Extra, PictureList, write_picture_list
from hstmosaic.products.picture_program import END, FOLLOW
from hstmosaic.products.run_record import read_record
from hstmosaic.store.stage_events import FailureDigested, Gathered, LayerFailed, Reused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hstmosaic.products.layer_pictures import DrawnLayer
    from hstmosaic.products.run_record import RunRecord


def make_pictures(run: Path, gathered: Iterable[str] = ()) -> tuple[Path, ...]:
    """Make the pictures of the products of a run.

    Parameters
    ----------
    run : pathlib.Path
        The run directory. What the report needs goes to its folder ``pictures`` and to ``pictures.json``.
    gathered : iterable of str
        Layers of a run that goes on, each as its products are gathered; it ends with the run. Other layers are drawn
        then.

    Returns
    -------
    tuple of pathlib.Path
        Files in the output directory. Earlier pictures that were not remade are removed, except those of mosaics that
        an interrupted start did not reach.

    Raises
    ------
    OutputError
        If it is not a run directory.
    """
    mpl.rcdefaults()  # a matplotlibrc of the user changes nothing
    early = {}
    for name in gathered:
        record = read_record(run)
        early[name] = draw_layer(record, next(layer for layer in record.plan.layers if layer.name == name))
    record = read_record(run)
    drawn = Drawn(record)
    drawn.folder.mkdir(exist_ok=True)
    layers: dict[str, DrawnLayer] = {}
    if not record.command.stub:
        layers = {layer.name: early.get(layer.name) or draw_layer(record, layer) for layer in record.made}
        for layer in layers.values():
            drawn.extras += layer.extras
            drawn.embedded += layer.embedded
        _show_colours(drawn, list(layers.values()))
        _show_footprints(drawn)
    _finish(drawn, layers)
    return tuple(record.output / extra.name for extra in drawn.extras)


def _show_colours(drawn: Drawn, layers: Sequence[DrawnLayer]) -> None:
    """Show all layers in one picture, if there are two at least."""
    filters = [layer.filter for layer in layers if layer.filter is not None]
    if len(filters) < 2:
        return
    prefix = drawn.record.plan.prefix
    composite = compose(filters)
    name = f"{prefix}_colour.png"
    picture, plain = draw_composite(composite, prefix)
    save_whole(drawn.folder / name, picture)
    drawn.extras.append(Extra(name, "colour"))
    behind = zip(("red", "green", "blue"), composite.channels, strict=True)
    words = ", ".join(f"{' and '.join(names)} in {color}" for color, names in behind if names)
    drawn.embed("colour", plain, f"The filters as a colour picture: {words}", name)


def _show_footprints(drawn: Drawn) -> None:
    """Show the outlines of the exposures, including those of failed layers."""
    record, plan = drawn.record, drawn.record.plan
    outlines = record.outlines
    planned = {exposure.name for exposure in plan.exposures}
    if not planned & {outline.name for outline in outlines}:
        return
    name = f"{plan.prefix}_footprints.png"
    picture = draw_footprints(plan, outlines, record.unused)
    save_whole(drawn.folder / name, picture)
    drawn.extras.append(Extra(name, "footprints"))
    words = f"Where {len(planned)} exposures lie in projection cell {plan.projection_cell}"
    words += ", over the edges of sky cells; excluded ones are dashed, clipped parts hatched in red"
    # letters next to it would be too small in a narrow window; the report has a separate key
    drawn.embed("footprints", cut_out(picture, SKY), words, name)
    everything = {outline.name for outline in outlines}
    drawn.write_regions(f"{plan.prefix}_exposures.reg", everything, Extra("", "regions"))


def _finish(drawn: Drawn, layers: dict[str, DrawnLayer]) -> None:
    """Move files to the output directory, remove earlier ones that show nothing any more, and write the list."""
    record = drawn.record
    for extra in drawn.extras:
        # the run directory is in the output directory
        (drawn.folder / extra.name).replace(record.output / extra.name)
    names = {extra.name for extra in drawn.extras}
    kept = []
    for old in _earlier(record):
        if old.name in names:
            continue
        if _still_shows(record, old):
            kept.append(old)
        else:
            (record.output / old.name).unlink(missing_ok=True)
    for path in drawn.folder.iterdir():
        if path.name not in {picture.file for picture in drawn.embedded}:
            path.unlink()
    pictures = PictureList(
        files=tuple(drawn.extras),
        kept=tuple(kept),
        embedded=tuple(drawn.embedded),
        measured={name: found for layer in layers.values() for name, found in layer.measured.items()},
        skies={name: sky for layer in layers.values() for name, sky in layer.skies.items()},
        seams={name: layer.seams for name, layer in layers.items() if layer.seams is not None},
    )
    write_picture_list(record.directory.pictures_file, pictures)


def _earlier(record: RunRecord) -> tuple[Extra, ...]:
    return (*record.pictures.files, *record.pictures.kept)


def _still_shows(record: RunRecord, old: Extra) -> bool:
    """Return whether an earlier picture shows existing mosaics that the last start did not reach."""
    payloads = [event.payload for event in record.events]
    ended = {found.layer for found in payloads if isinstance(found, Gathered | LayerFailed | FailureDigested)}
    reused = {found.layer for found in record.payloads(Reused)}
    if {layer.name for layer in record.plan.layers} <= ended | reused:
        return False
    # a picture without a layer shows all layers that have a preview
    about = [old] if old.layer else [other for other in _earlier(record) if other.kind == "preview"]
    return all(other.layer not in ended and (record.output / other.product).is_file() for other in about)


def _names(lines: IO[str]) -> Iterator[str]:
    """Yield the names of layers until the run ends; exit if the driver is gone."""
    for line in lines:
        if line.strip() == END:
            return
        yield line.strip()
    sys.exit("the driver is gone")


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]), _names(sys.stdin) if FOLLOW in sys.argv[2:] else ())
