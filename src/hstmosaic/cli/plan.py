"""``hstmosaic plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hstmosaic.cli.options import (
    CONTEXT,
    complete_files,
    examples,
    input_argument,
    one_or_all,
    requested,
    selection_options,
)
from hstmosaic.cli.plan_text import describe_plan
from hstmosaic.errors import OutputError
from hstmosaic.store.files import ENCODING


@click.command(context_settings=CONTEXT)
@input_argument
@selection_options
@click.option(
    "--json",
    "json_file",
    metavar="FILE|-",
    shell_complete=complete_files,
    help="Write the plan as JSON to FILE, or to standard output.",
)
@examples("hstmosaic plan list.txt", 'hstmosaic plan "data/*_fl?.fits" --json plan.json')
def plan(sources: tuple[str, ...], learning: bool, json_file: str | None, **given: Any) -> None:
    """Show what a run would make and need, from headers only."""
    from hstmosaic.plan.build import make_plan
    from hstmosaic.run.history import learned_for, this_machine

    request, learned = requested(given), learned_for(this_machine(), wanted=learning)
    made = make_plan(one_or_all(sources), learned=learned, request=request, **given)
    if json_file == "-":
        click.echo(made.to_json())
        return
    if json_file is not None:
        _write(Path(json_file), made.to_json() + "\n")
    click.echo(describe_plan(made))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, ENCODING)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "name another file") from error
