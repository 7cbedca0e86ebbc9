"""Profiles: the cluster of a run and its limits, in the YAML of Dask's configuration."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ProfileError
from hstmosaic.plan.boxes import TASK_MEMORY_MB
from hstmosaic.run.profiles.image import IMAGE_VARIABLE, worker_python
from hstmosaic.run.profiles.keys import key, keys_of, read_keys
from hstmosaic.run.profiles.values import (
    CLUSTER,
    COUNT,
    FACTOR,
    MEMORY,
    OPTION,
    PATH,
    PATHS,
    SWITCH,
    TIME,
    check_jobqueue,
)
from hstmosaic.run.profiles.yaml_text import read_yaml, with_hyphens
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SUFFIX = ".yaml"
_PYTHON = "jobqueue.slurm.python"
_LOCAL = "jobqueue.slurm.local-directory"


@dataclass(frozen=True)
class Profile:
    """Cluster of a run and its limits; `keys_of` lists its keys with their help."""

    name: str
    cluster: str = key("local", CLUSTER, "Cluster on which tasks run.")
    max_memory_mb: int | None = key(
        None, MEMORY, "Memory of the largest job allowed.", name="max-memory", shown="limit of the partition"
    )
    """10^6 bytes."""
    task_memory_mb: int = key(
        TASK_MEMORY_MB,
        MEMORY,
        "Memory of a task that drizzles a box; larger layers are divided into boxes.",
        name="task-memory",
        shown="`2 GB`",
    )
    """10^6 bytes."""
    max_walltime: float | None = key(None, TIME, "Walltime of the longest job allowed.", shown="limit of the partition")
    """Seconds."""
    max_jobs: int = key(20, COUNT, "Jobs at a time at most.")
    attempts: int = key(
        4, COUNT, "Attempts of a task at most; tasks of the local profile have one, or two if memory was short."
    )
    memory_growth: float = key(
        2.0, FACTOR, "Factor on the memory of a task for its next attempt if it had too little.", shown="`2`"
    )
    idle: float = key(60.0, TIME, "Time after which a job without tasks is given back.", shown='`"1:00"`')
    """Seconds."""
    patience: float = key(
        900.0,
        TIME,
        "Time after which the run ends if no job can be submitted or no job will ever start.",
        shown='`"15:00"`',
    )
    """Seconds."""
    scratch: bool = key(
        False, SWITCH, "If true, tasks write to `local-directory` of their node instead of the run directory."
    )
    scratch_option: str = key(
        "", OPTION, "Option of sbatch by which jobs request that much of `local-directory`.", shown="none"
    )
    image: str = key(
        "",
        PATH,
        "Apptainer image for workers, at a path that nodes see.",
        shown="`$HSTMOSAIC_IMAGE`, if set",
    )
    binds: tuple[str, ...] = key(
        (),
        PATHS,
        "Directories that workers see in the image, in addition to those of exposures and products.",
        shown="none",
    )
    dask: Mapping[str, Any] = field(default_factory=dict)
    """Dask's configuration, by dotted keys."""

    def seeing(self, folders: Iterable[str] = ()) -> Profile:
        """Return the profile with the command of Python inside its image, if it has one.

        Parameters
        ----------
        folders : iterable of str
            Directories that workers see in the image in addition to `binds` and their local directory.
        """
        if not self.image:
            return self
        import dask.config

        local = self.dask.get(_LOCAL, dask.config.get(_LOCAL, None))
        binds = [*self.binds, *([local] if local else [])]
        return replace(self, dask={**self.dask, _PYTHON: worker_python(self.image, binds, tuple(folders))})


def profile_names() -> list[str]:
    """Return the names of the profiles that come with hstmosaic."""
    return sorted(file.name.removesuffix(_SUFFIX) for file in _folder() if file.name.endswith(_SUFFIX))


def load_profile(name: str) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name : str
        Name of a profile that comes with hstmosaic, or path of a file. The user's Dask configuration overrides the
        former and is overridden by the latter.

    Raises
    ------
    ProfileError
        If the profile is missing, or has unknown keys or invalid values.
    """
    path = Path(name)
    below: dict[str, Any] = {}
    if path.is_file():
        try:
            text = path.read_text(ENCODING)
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"cannot read profile {name}: {error}", "give a YAML file") from error
    elif name in profile_names():
        text = (resources.files("hstmosaic") / "batch" / f"{name}{_SUFFIX}").read_text(ENCODING)
        import dask.config

        below = dict(_values(with_hyphens(dask.config.collect())))
    else:
        names = ", ".join(profile_names())
        suggestion = _suggest(name, profile_names())
        step = f"give a YAML file or one of these profiles: {names}"
        raise ProfileError(f"no profile {name!r}", f"{suggestion} {step}".strip())
    try:
        return profile_from_yaml(text, path.name.removesuffix(_SUFFIX), below)
    except ProfileError as error:
        raise ProfileError(f"profile {name}: {error.message}", error.next_step) from error


def profile_from_yaml(text: str, name: str, own_dask: Mapping[str, Any] | None = None) -> Profile:
    """Read the text of a profile; see `load_profile`.

    Parameters
    ----------
    text : str
        YAML; keys without a value are ignored.
    name : str
        Of the profile.
    own_dask : mapping of str to object, optional
        Dask configuration that overrides the text, by dotted keys.
    """
    raw = read_yaml(text)
    own = raw.pop("hstmosaic", None) or {}
    keys = keys_of(Profile)
    problems = [*_unknown(own, keys, "hstmosaic"), *_unknown(raw, _dask_keys() if raw else {}, "")]
    if problems:
        raise ProfileError("; ".join(problems))
    given = read_keys(own, keys)
    dask_values = dict(_values(raw))
    dask_values |= {path: value for path, value in (own_dask or {}).items() if path in dask_values}
    if given.get("cluster") == "slurm":
        check_jobqueue(dask_values)
        if not given.get("image") and _PYTHON not in dask_values:
            given["image"] = os.environ.get(IMAGE_VARIABLE, "")
    return _with_image(Profile(name=name, dask=dask_values, **given))


def _with_image(profile: Profile) -> Profile:
    if not profile.image:
        return profile
    if profile.cluster != "slurm":
        raise ProfileError(
            f"hstmosaic.image is for cluster: slurm, not {profile.cluster}", "run hstmosaic in the image"
        )
    if _PYTHON in profile.dask:
        raise ProfileError(f"hstmosaic.image and {_PYTHON} exclude each other", "omit one of them")
    image = str(Path(os.path.expandvars(profile.image)).expanduser().absolute())
    return replace(profile, image=image).seeing()


def _folder() -> Iterable[Any]:
    return (resources.files("hstmosaic") / "batch").iterdir()


def _dask_keys() -> dict[str, Any]:
    """Return the defaults of Dask and its parts, which have all known keys."""
    import dask.config
    import distributed  # noqa: F401  # adds its defaults when it is imported

    import hstmosaic.run.jobqueue  # noqa: F401

    known: dict[str, Any] = {}
    for defaults in dask.config.defaults:
        dask.config.update(known, with_hyphens(defaults))
    return known


def _unknown(raw: Any, known: Mapping[str, Any], where: str) -> Iterator[str]:
    if not isinstance(raw, dict):
        yield f"{where} is not a mapping of keys to values"
        return
    for name, value in raw.items():
        path = f"{where}.{name}" if where else name
        if name not in known:
            suggestion = _suggest(name, [*known, "hstmosaic"] if not where else known)
            yield f"unknown key {path}" + (f" ({suggestion})" if suggestion else "")
        elif isinstance(known[name], dict) and known[name] and isinstance(value, dict):
            yield from _unknown(value, known[name], path)


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _values(raw: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield values by dotted keys, without keys that have no value."""
    for name, value in raw.items():
        if isinstance(value, dict) and value:
            yield from _values(value, f"{where}{name}.")
        elif value is not None:
            yield f"{where}{name}", value
