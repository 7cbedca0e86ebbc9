"""Options from the environment and from hstmosaic.toml; the command line takes precedence over both."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hstmosaic.cli.json_output import json_errors
from hstmosaic.errors import OptionError
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_NAME = "hstmosaic.toml"
_PREFIX = "HSTMOSAIC_"
_COMMAND_LINE_ONLY = {"config", "json", "like", "show-jobs", "dry-run", "help"}
"""Options that choose what a single call does."""
_OWN_MEANING = {"no-learning"}
"""Options whose variable, HSTMOSAIC_LEARNING, has other values than the option."""
_OTHER_VARIABLES = {"HSTMOSAIC_BRIDGE", "HSTMOSAIC_CODE_FILE", "HSTMOSAIC_IMAGE", "HSTMOSAIC_LEARNING"}
"""Variables that are not those of options; the first two belong to the scripts in slurm/."""
_CLOSE = 0.8


class ConfiguredCommand(click.Command):
    """A command whose options can also be set by environment variables and by a TOML file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in self._options():
            name = option_name(option)
            if name not in _COMMAND_LINE_ONLY | _OWN_MEANING:
                option.envvar = _variable(name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line, with the file's options as defaults."""
        with json_errors("--json" in args and not ctx.resilient_parsing):
            return self._parse(ctx, args)

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
            self._check_variables()
            values, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            given, sources = values.get("config"), values.get("sources")
            # click has a value of its own for what was not given
            path = _config_file(
                given if isinstance(given, str) else None, sources if isinstance(sources, tuple | list) else ()
            )
            if path is not None:
                ctx.default_map = self._read(path)
                ctx.meta[CONFIG_NAME] = path
        return super().parse_args(ctx, args)

    def _options(self) -> list[click.Option]:
        return [parameter for parameter in self.params if isinstance(parameter, click.Option)]

    def _check_variables(self) -> None:
        """Check that no variable is a misspelt option or one that only the command line sets."""
        known = {str(option.envvar) for option in self._options() if option.envvar is not None}
        for name in _unknown_variables(known):
            if name in map(_variable, _COMMAND_LINE_ONLY):
                raise OptionError(f"{name} has no effect", f"{_option(name)} is set on the command line only")
            close = difflib.get_close_matches(_option(name), map(_option, known), n=1, cutoff=_CLOSE)
            if close:
                raise OptionError(f"unknown variable {name}", f"did you mean {_variable(close[0][2:])}?")

    def _read(self, path: Path) -> dict[str, Any]:
        """Read a file; keys are names of options."""
        try:
            raw = tomllib.loads(path.read_text(ENCODING))
        except (OSError, ValueError) as error:
            raise OptionError(f"cannot read {path}: {error}", "correct the file, or use another --config") from error
        known = {option_name(option): option for option in self._options()}
        known = {name: option for name, option in known.items() if name not in _COMMAND_LINE_ONLY}
        values: dict[str, Any] = {}
        for key, value in raw.items():
            name = key.replace("_", "-")
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                suggestion = f"did you mean {close[0]}?" if close else f"use {', '.join(sorted(known))}"
                raise OptionError(f"{path}: unknown option {key!r}", suggestion)
            option = known[name]
            assert option.name is not None
            values[option.name] = _converted(option, value, path)
        return values


def _converted(option: click.Option, value: Any, path: Path) -> Any:
    """Return a value of the file as click takes it; relative paths belong to the folder of the file."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise OptionError(f"{path}: {option_name(option)} must be true or false, not {value!r}")
        return value == bool(option.flag_value)
    if option.multiple != isinstance(value, list):
        wanted = "a list" if option.multiple else "a single value"
        raise OptionError(f"{path}: {option_name(option)} must be {wanted}, not {value!r}")
    next_to_it = path.parent / str(value)
    if isinstance(option.type, click.Path) or (option.name == "profile" and next_to_it.is_file()):
        return str(next_to_it)
    return value


def option_name(option: click.Option) -> str:
    """Return the long name of an option, without dashes."""
    return max(option.opts, key=len).lstrip("-")


def _variable(name: str) -> str:
    """Return the environment variable of an option."""
    return _PREFIX + name.replace("-", "_").upper()


def _option(variable: str) -> str:
    return "--" + variable.removeprefix(_PREFIX).replace("_", "-").lower()


def _unknown_variables(known: set[str]) -> list[str]:
    """Return the set variables that begin as those of options, and are none of them."""
    return sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known | _OTHER_VARIABLES)


def describe_settings(context: click.Context) -> list[str]:
    """Return lines that name the file and the variables from which options were taken."""
    assert isinstance(context.command, ConfiguredCommand)
    by_source: dict[ParameterSource, list[str]] = {}
    for option in context.command._options():
        source = context.get_parameter_source(option.name or "")
        if source is not None:
            by_source.setdefault(source, []).append(option_name(option))
    lines = []
    if CONFIG_NAME in context.meta:
        names = ", ".join(by_source.get(ParameterSource.DEFAULT_MAP, ())) or "none"
        lines.append(f"options from {context.meta[CONFIG_NAME]}: {names}")
    if ParameterSource.ENVIRONMENT in by_source:
        variables = map(_variable, by_source[ParameterSource.ENVIRONMENT])
        lines.append(f"options from the environment: {', '.join(variables)}")
    unknown = _unknown_variables({str(option.envvar) for option in context.command._options()})
    if unknown:
        lines.append(f"ignored, since there is no such option: {', '.join(unknown)}")
    return lines


def _config_file(given: str | None, sources: Sequence[str]) -> Path | None:
    """Return the file of --config, or hstmosaic.toml next to the first input if it exists."""
    if given is not None:
        return Path(given)
    if not sources:
        return None
    first = Path(sources[0].removeprefix("@")).expanduser()
    path = (first if first.is_dir() else first.parent) / CONFIG_NAME
    return path if path.is_file() else None
