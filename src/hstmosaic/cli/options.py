"""What verbs of the command line have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_PROFILE_HELP = "Where tasks run: local, slurm, allocation, or a YAML file like those in batch/."
_STRICT_HELP = "Make every exposure that would be left out, and every fallback of a library, an error."
_LEARNING_HELP = "Estimate without what earlier runs measured, and keep nothing of this one."


def examples(*lines: str) -> Callable[[Any], Any]:
    """Put examples under a command's help."""

    def decorate(function: Any) -> Any:
        shown = "\n".join(f"  {line}" for line in lines)
        function.__doc__ = f"{function.__doc__}\n\n\b\nExamples:\n{shown}\n"
        return function

    return decorate


def complete_files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete file names where something else can be given, too."""
    return [CompletionItem(incomplete, type="file")]


profile_option = click.option(
    "--profile",
    default="local",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=complete_files,
    help=_PROFILE_HELP,
)


def same_input(function: Any) -> Any:
    """Add what `plan` and `run` have in common."""
    for option in (
        click.option("-o", "--output_file_prefix", "prefix", metavar="PREFIX", help="Begin product names with PREFIX."),
        click.option(
            "--keep", multiple=True, metavar="NAME", help="Use an exposure whatever screening says. Repeatable."
        ),
        click.option("--strict", is_flag=True, help=_STRICT_HELP),
        click.option("--no-learning", "learning", flag_value=False, default=True, help=_LEARNING_HELP),
    ):
        function = option(function)
    return function
