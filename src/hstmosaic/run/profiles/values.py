"""What the values of a profile have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.config
from dask.utils import parse_bytes

from hstmosaic.errors import ProfileError
from hstmosaic.run.profiles.walltime import parse_walltime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LISTS = ("job-extra-directives", "job-directives-skip", "job-script-prologue", "worker-extra-args")


def read_values(own: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a profile says under ``hstmosaic``.

    Parameters
    ----------
    own : mapping of str to object
        Its known keys, with hyphens; those without a value say nothing.

    Returns
    -------
    dict
        Fields of `hstmosaic.run.profiles.profile.Profile`.

    Raises
    ------
    ProfileError
        If a value cannot be meant.
    """
    given = {}
    for key, value in own.items():
        if value is None:
            continue
        try:
            read: Callable[[Any], Any] = _READ.get(key, _text)
            given[key.replace("-", "_")] = read(value)
        except (ValueError, TypeError) as error:
            raise ProfileError(f"hstmosaic.{key}: {error}") from error
    if "max_memory" in given:
        given["max_memory_mb"] = given.pop("max_memory")
    return given


def check_jobqueue(said: Mapping[str, Any]) -> None:
    """Refuse sizes of jobs that are none, and a text in the place of a list, whoever has said it.

    Parameters
    ----------
    said : mapping of str to object
        What the profile says, by dotted keys; Dask's configuration says the rest.
    """
    import hstmosaic.run.jobqueue  # noqa: F401  # adds its defaults when it is imported

    checks: dict[str, Callable[[Any], Any]] = {
        "cores": _count,
        "memory": _memory_mb,
        "walltime": lambda time: parse_walltime(str(time)),
        **dict.fromkeys(_LISTS, _list),
    }
    for key, read in checks.items():
        path = f"jobqueue.slurm.{key}"
        value = said.get(path, dask.config.get(path, None))
        if value is None and key != "walltime":
            continue
        try:
            read(value)
        except (ValueError, TypeError) as error:
            raise ProfileError(f"{path}: {error}", "correct it there or in your Dask configuration") from error


def _count(value: Any) -> int:
    number = int(value)
    if number != float(value) or number < 1:
        raise ValueError(f"{value!r} is no number such as 1, 2, 3")
    return number


def _growth(value: Any) -> float:
    number = float(value)
    if not number > 1:
        raise ValueError(f"{value!r} is no factor above 1")
    return number


def _memory_mb(value: Any) -> int:
    number: int = parse_bytes(value) // 1_000_000
    if number < 1:
        raise ValueError(f"{value!r} is no memory such as 16GB")
    return number


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r}, not true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _list(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is no list; write [{value}]")
    return tuple(map(str, value))


def _option(value: Any) -> str:
    text = str(value)
    try:
        said = text.format(mb=1, gb=1)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{text!r} has more in braces than {{mb}} or {{gb}}") from error
    if said == text or not text.startswith("-"):
        raise ValueError(f"{text!r} is no option of sbatch with {{mb}} or {{gb}} in it")
    return text


def _time(value: Any) -> float:
    return parse_walltime(str(value))


_READ: dict[str, Callable[[Any], Any]] = {
    "max-memory": _memory_mb,
    "max-walltime": _time,
    "patience": _time,
    "idle": _time,
    "max-jobs": _count,
    "attempts": _count,
    "memory-growth": _growth,
    "scratch": _switch,
    "scratch-option": _option,
    "binds": lambda value: (value,) if isinstance(value, str) else _list(value),
}
