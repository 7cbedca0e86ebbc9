"""Options and help that several verbs share."""

from __future__ import annotations

from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from hstmosaic.cli.terminal import LOG_LEVELS
from hstmosaic.plan.request import LARGE, Sky
from hstmosaic.store.task_specs import Screening

if TYPE_CHECKING:
    from collections.abc import Callable


def _with_hyphens(name: str) -> str:
    return name.replace("_", "-")


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "token_normalize_func": _with_hyphens}
"""Options have hyphens; drizzlepac's own spelling with underscores is also accepted."""
_PROFILE_HELP = "Where tasks run: local, slurm, allocation, or a YAML file like those in batch/."
_STRICT_HELP = "Stop with an error if an exposure would be left out or a library falls back."
_PARAMETERS_HELP = "Drizzle parameters (TOML or JSON) that differ from drizzlepac's, for all layers or some."
_GRID_HELP = "Make every mosaic on the grid of this FITS image, or of a description (JSON, TOML, ASDF or ECSV)."
_BOUNDS_HELP = "Limits of the mosaic: pixels of the projection cell, or degrees with a d behind: 150.1:150.2,2.1:2.2d."
_COMPRESS_HELP = f"Write tile-compressed FITS (lossless).  [default: only where a mosaic has {LARGE}]"
_MARGIN_HELP = "Limit mosaics to the exposures, with a margin of this many pixels on each side."
_TILES_HELP = "Also cut every mosaic into tiles: sky cells, or rectangles of WIDTH x HEIGHT pixels."
_ERROR_HELP = "Weight by inverse variance (final_wht_type = ERR) and add an image of errors."
_SKY_HELP = "Sky subtraction of every layer.  [default: drizzlepac's choice by depth]"
_LIKE_HELP = (
    "Repeat a run: an output directory, a run directory, or a _provenance.json file. Options given here replace the "
    "recorded ones."
)
_REPLACE_HELP = "Replace the products of another run (other exposures, options or grid) in the output directory."
_WHOLE_HELP = "Drizzle each layer with one call of drizzlepac, not box by box; the mosaics are the same."
_LEARNING_HELP = "Ignore measurements of earlier runs and record none."


def examples(*lines: str) -> Callable[[Any], Any]:
    """Put examples under a command's help."""

    def decorate(function: Any) -> Any:
        shown = "\n".join(f"  {line}" for line in lines)
        function.__doc__ = f"{cleandoc(function.__doc__)}\n\n\b\nExamples:\n{shown}\n"
        return function

    return decorate


def complete_files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete file names of parameters that also accept other values."""
    return [CompletionItem(incomplete, type="file")]


def complete_profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of profiles and of files."""
    from hstmosaic.run.profiles.profile import profile_names

    names = [CompletionItem(name) for name in profile_names() if name.startswith(incomplete)]
    return [*complete_files(context, parameter, incomplete), *names]  # in bash, files replace what precedes them


def one_or_all(sources: tuple[str, ...]) -> str | tuple[str, ...]:
    """Return INPUT as `hstmosaic.plan.build.make_plan` takes it."""
    return sources[0] if len(sources) == 1 else sources


input_argument = click.argument("sources", metavar="INPUT...", nargs=-1, required=True, shell_complete=complete_files)
run_argument = click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
"""A run; `hstmosaic.store.run_lookup.find_run` finds it."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

profile_option = click.option(
    "--profile",
    default="local",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=complete_profiles,
    help=_PROFILE_HELP,
)


def run_options(function: Any) -> Any:
    """Add INPUT and the options that ``run`` and ``plan`` share."""
    for option in reversed(_RUN_OPTIONS):
        function = option(function)
    return function


_RUN_OPTIONS = (
    click.argument("sources", metavar="[INPUT...]", nargs=-1, shell_complete=complete_files),
    click.option(
        "-o",
        "--output-file-prefix",
        "prefix",
        metavar="PREFIX",
        help="Prefix of product names.  [default: named after the projection cell]",
    ),
    click.option(
        "--output-dir",
        default=".",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Directory for the products.",
    ),
    click.option(
        "-s", "--skip-gaia-alignment", "skip_alignment", is_flag=True, help="Skip alignment; use the input WCS."
    ),
    click.option(
        "--catalog",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Align to this catalogue (ECSV, CSV, FITS or VOTable) instead of querying the catalogue service.",
    ),
    click.option("--require-alignment", is_flag=True, help="Stop with an error if an exposure cannot be aligned."),
    click.option("--replace", is_flag=True, help=_REPLACE_HELP),
    click.option(
        "--keep", multiple=True, metavar="NAME", help="Use this exposure even if screening rejects it. Repeatable."
    ),
    click.option(
        "--screening",
        type=click.Choice([str(way) for way in Screening]),
        default=str(Screening.SHAPES),
        show_default=True,
        help="Find failed guiding from the shapes of stars, or by drizzlepac's check.",
    ),
    click.option("--strict", is_flag=True, help=_STRICT_HELP),
    click.option("--parameters", metavar="FILE", type=click.Path(path_type=Path), help=_PARAMETERS_HELP),
    click.option("--sky", type=click.Choice([str(sky) for sky in Sky]), help=_SKY_HELP),
    click.option("--grid", metavar="FILE[EXT]", help=_GRID_HELP),
    click.option("--scale", type=float, metavar="ARCSEC", help="Pixel scale on the projection cell.  [default: 0.04]"),
    click.option("--bounds", metavar="X1:X2,Y1:Y2", help=_BOUNDS_HELP),
    click.option("--exposures-only", "margin", type=int, metavar="PIXELS", help=_MARGIN_HELP),
    click.option("--tiles", metavar="skycells|WIDTHxHEIGHT", help=_TILES_HELP),
    click.option("--error", is_flag=True, help=_ERROR_HELP),
    click.option(
        "--context", is_flag=True, help="Add images of the chips and of the number of exposures in each pixel."
    ),
    click.option("--compress/--no-compress", default=None, help=_COMPRESS_HELP),
    click.option("--like", metavar="RUN", type=click.Path(path_type=Path), help=_LIKE_HELP),
    profile_option,
    click.option(
        "--workers", type=click.IntRange(min=1), help="Number of parallel tasks.  [default: all usable cores]"
    ),
    click.option("--show-jobs", is_flag=True, help="Print the job scripts and submit nothing."),
    click.option("--stub", is_flag=True, help="Run placeholder tasks that write tiny files, to test a cluster."),
    click.option("--keep-work", is_flag=True, help="Keep the working directories of finished tasks."),
    click.option("--whole-layers", is_flag=True, help=_WHOLE_HELP),
    click.option("--no-learning", "learning", flag_value=False, default=True, help=_LEARNING_HELP),
    click.option(
        "--config", metavar="FILE", expose_value=False, help="Read options from this TOML file, not hstmosaic.toml."
    ),
    click.option(
        "-l",
        "--log-level",
        default="info",
        show_default=True,
        type=click.Choice(LOG_LEVELS),
        help="Level of detail on the terminal and in trailers.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Print warnings and errors only."),
)
