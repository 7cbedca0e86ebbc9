"""From the command line of ``run`` and ``plan`` to the options of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hstmosaic.cli.options import one_or_all
from hstmosaic.plan.parameters import read_parameters
from hstmosaic.plan.request import DOCUMENTED, MosaicRequest, Sky
from hstmosaic.plan.target_grid import parse_bounds, read_grid
from hstmosaic.plan.tiles import parse_tiling

if TYPE_CHECKING:
    from hstmosaic.run.options import RunOptions

_LOCAL = "local"


def requested_options(
    context: click.Context, sources: tuple[str, ...], like: Path | None, profile: str, given: dict[str, Any]
) -> RunOptions:
    """Return the options of a run as the user gave them.

    Parameters
    ----------
    context : click.Context
        Context of the command.
    sources : tuple of str
        INPUTs.
    like : pathlib.Path, optional
        Run to repeat.
    profile : str
        Name of the profile.
    given : dict
        Other fields of `RunOptions`; ``output_dir`` instead of ``output``.

    Raises
    ------
    click.UsageError
        If INPUT is missing, or options exclude each other.
    """
    from hstmosaic.run.options import RunOptions

    given, recorded_request = _without_conflicts(context, given), DOCUMENTED
    if like is not None:
        from hstmosaic.cli.bars import byte_bar
        from hstmosaic.run.repeat import REPEATED, repeated_options

        typed = {name for name in given if _is_typed(context, name)}
        recorded = repeated_options(_provenance(like), one_or_all(sources) if sources else None, byte_bar, typed)
        recorded_request = recorded.request
        given |= {name: getattr(recorded, name) for name in REPEATED - typed}
    elif sources:
        given["source"] = one_or_all(sources)
    else:
        raise click.UsageError("missing INPUT; to repeat a run, use --like RUN", context)
    if profile != _LOCAL or Path(profile).is_file():
        from hstmosaic.run.dask_settings import check_dask_settings

        check_dask_settings()
        from hstmosaic.run.profiles.profile import load_profile

        given["profile"] = load_profile(profile)
    request = _mosaic_request(given, recorded_request)
    return RunOptions(output=given.pop("output_dir"), request=request, **given)


def _mosaic_request(given: dict[str, Any], recorded: MosaicRequest) -> MosaicRequest:
    """Take the options of `MosaicRequest` out of those of a command; recorded values replace missing ones."""
    parameters, sky, compress = (given.pop(name) for name in ("parameters", "sky", "compress"))
    tiles, error, context = (given.pop(name) for name in ("tiles", "error", "context"))
    grid, scale, bounds, margin = (given.pop(name) for name in ("grid", "scale", "bounds", "margin"))
    if (grid, scale, bounds, margin) != (None, None, None, None):
        recorded = replace(
            recorded,
            grid=read_grid(grid) if grid is not None else None,
            scale=scale,
            bounds=parse_bounds(bounds) if bounds is not None else None,
            margin=margin,
        )
    return replace(
        recorded,
        parameters=read_parameters(parameters) if parameters is not None else recorded.parameters,
        sky=Sky(sky) if sky is not None else recorded.sky,
        compress=recorded.compress if compress is None else compress,
        tiles=parse_tiling(tiles) if tiles is not None else recorded.tiles,
        error=error or recorded.error,
        context=context or recorded.context,
    )


def _without_conflicts(context: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Check alignment options; those of the command line replace contrary ones of a file or of the environment."""
    wanting = [name for name in ("catalog", "require_alignment") if given[name]]
    if not given["skip_alignment"] or not wanting:
        return given
    typed = [name for name in wanting if _is_typed(context, name)]
    if _is_typed(context, "skip_alignment") == bool(typed):
        raise click.UsageError("--skip-gaia-alignment excludes --catalog and --require-alignment", context)
    return given | ({"skip_alignment": False} if typed else {"catalog": None, "require_alignment": False})


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _provenance(like: Path) -> Path:
    """Return the provenance file of a run, which can exist without its run directory."""
    from hstmosaic.plan.names import provenance_name
    from hstmosaic.store.run_lookup import find_run

    if like.name.endswith(provenance_name("")):
        return like
    run = find_run(like)
    return run.output / provenance_name(run.prefix)
