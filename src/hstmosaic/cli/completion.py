"""``hstmosaic completion``."""

from __future__ import annotations

import click

from hstmosaic.cli.options import CONTEXT, examples


@click.command(context_settings=CONTEXT)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@examples('eval "$(hstmosaic completion bash)"')
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print the shell code for command completion."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "hstmosaic", "_HSTMOSAIC_COMPLETE").source())
