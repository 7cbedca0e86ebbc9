"""Kinds of values in profiles, each with a parser and the wording of its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ProfileError
from hstmosaic.run.profiles.walltime import parse_walltime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLUSTERS = ("local", "slurm", "allocation")


@dataclass(frozen=True)
class Kind:
    """A kind of value."""

    description: str
    """With an article, and examples in backticks; for errors and for the documentation."""
    parse: Callable[[Any], Any]
    """Returns the value as a field of a profile; raises `ValueError` or `TypeError`."""

    def read(self, value: Any, where: str, next_step: str = "") -> Any:
        """Return the parsed value.

        Parameters
        ----------
        value : object
            From YAML.
        where : str
            Dotted key, for the error.
        next_step : str
            Remedy for an error.

        Raises
        ------
        ProfileError
            If the value is of another kind.
        """
        try:
            return self.parse(value)
        except (ValueError, TypeError, LookupError) as error:
            wanted = self.description.replace("`", "")
            raise ProfileError(f"{where} must be {wanted}, not {value!r}", next_step) from error


def check_jobqueue(given: Mapping[str, Any]) -> None:
    """Check the sizes and lists under ``jobqueue.slurm`` of a profile and of Dask's configuration.

    Parameters
    ----------
    given : mapping of str to object
        Of the profile, by dotted keys; Dask's configuration has the rest.

    Raises
    ------
    ProfileError
        For the first value of the wrong kind.
    """
    import dask.config

    import hstmosaic.run.jobqueue  # noqa: F401  # adds its defaults when it is imported

    for key, kind in _JOBQUEUE.items():
        path = f"jobqueue.slurm.{key}"
        value = given.get(path, dask.config.get(path, None))
        if value is not None or key == "walltime":
            kind.read(value, path, "correct it in the profile or in your Dask configuration")


def _count(value: Any) -> int:
    number = int(value)
    if number != float(value) or number < 1:
        raise ValueError
    return number


def _growth(value: Any) -> float:
    number = float(value)
    if not number > 1:
        raise ValueError
    return number


def _memory_mb(value: Any) -> int:
    from dask.utils import parse_bytes

    number: int = parse_bytes(str(value)) // 1_000_000
    if number < 1:
        raise ValueError
    return number


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(map(str, value))


def _paths(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else _list(value)


def _option(value: Any) -> str:
    text = str(value)
    if text.format(mb=1, gb=1) == text or not text.startswith("-"):
        raise ValueError
    return text


def _cluster(value: Any) -> str:
    return CLUSTERS[CLUSTERS.index(value)]


CLUSTER = Kind("`local`, `slurm` or `allocation`", _cluster)
COUNT = Kind("a positive integer", _count)
FACTOR = Kind("a number above 1", _growth)
LIST = Kind("a list such as `[one, two]`", _list)
MEMORY = Kind("an amount of memory such as `64GB`", _memory_mb)
OPTION = Kind("an option of sbatch with `{mb}` or `{gb}` in it, such as `--tmp={mb}M`", _option)
PATHS = Kind("a path, or a list such as `[/data, /scratch]`", _paths)
SWITCH = Kind("`true` or `false`", _switch)
PATH = Kind("a path", _text)
TIME = Kind("a time such as `30`, `02:00:00` or `1-12:00:00`", lambda value: parse_walltime(str(value)))

_JOBQUEUE = {
    "cores": COUNT,
    "memory": MEMORY,
    "walltime": TIME,
    "job-extra-directives": LIST,
    "job-directives-skip": LIST,
    "job-script-prologue": LIST,
    "worker-extra-args": LIST,
}
