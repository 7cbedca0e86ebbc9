"""Profiles: where tasks run, as Dask configuration YAML."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.config

from hstmosaic.errors import ProfileError
from hstmosaic.run.profiles.image import IMAGE_VARIABLE, worker_python
from hstmosaic.run.profiles.values import check_jobqueue, read_values
from hstmosaic.run.profiles.yaml_text import read_yaml, with_hyphens
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_CLUSTERS = ("local", "slurm", "allocation")
_SUFFIX = ".yaml"
_PYTHON = "jobqueue.slurm.python"
_LOCAL = "jobqueue.slurm.local-directory"


@dataclass(frozen=True)
class Profile:
    """Where tasks run, and what jobs may be asked for."""

    name: str
    cluster: str = "local"
    """``local``, ``slurm`` or ``allocation``."""
    max_memory_mb: int | None = None
    """Of the largest job, 10^6 bytes; what the partition allows when None."""
    max_walltime: float | None = None
    """Of the longest job, seconds; what the partition allows when None."""
    max_jobs: int = 20
    """Jobs at a time."""
    attempts: int = 4
    """How often a task is started at most, whatever takes it down."""
    memory_growth: float = 2.0
    """Factor on the memory of a task that had too little."""
    patience: float = 900.0
    """Seconds without a controller, or without leave to submit, after which a run gives up."""
    idle: float = 60.0
    """Seconds after which a job that has nothing to do is given back."""
    image: str = ""
    """Apptainer image that workers live in; empty for none."""
    scratch: bool = False
    """Whether tasks work in Dask's local directory, on a disk of their node, and not in the run directory."""
    scratch_option: str = ""
    """What sbatch is told to get that much of it, with ``{mb}`` or ``{gb}`` in it; empty to ask for nothing."""
    binds: tuple[str, ...] = ()
    """Directories that they see in there, beside those of exposures and products."""
    dask: Mapping[str, Any] = field(default_factory=dict)
    """Dask configuration, by dotted keys."""

    def seeing(self, folders: Iterable[str] = ()) -> Profile:
        """Return the profile with the call of Python inside its image, where it has one.

        Parameters
        ----------
        folders : iterable of str
            What workers see in there beside `binds` and their local directory.
        """
        if not self.image:
            return self
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
        Name of a profile that comes with hstmosaic, or path of a file. The user's own Dask configuration counts more
        than the former, and less than the latter.

    Raises
    ------
    ProfileError
        If there is none of that name, or it says something that is not understood; all of it is named.
    """
    path = Path(name)
    below: dict[str, Any] = {}
    if path.is_file():
        try:
            text = path.read_text(ENCODING)
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"profile {name} cannot be read: {error}", "give a YAML file") from error
    elif name in profile_names():
        text = (resources.files("hstmosaic") / "batch" / f"{name}{_SUFFIX}").read_text(ENCODING)
        below = dict(_said(with_hyphens(dask.config.collect())))
    else:
        raise ProfileError(f"no profile {name!r}", _suggest(name, profile_names()) or "give a name or a YAML file")
    try:
        return profile_from_yaml(text, path.name.removesuffix(_SUFFIX), below)
    except ProfileError as error:
        raise ProfileError(f"profile {name}: {error.message}", error.next_step) from error


def profile_from_yaml(text: str, name: str, own_dask: Mapping[str, Any] | None = None) -> Profile:
    """Read the text of a profile; see `load_profile`.

    Parameters
    ----------
    text : str
        YAML; a key without a value says nothing.
    name : str
        Of the profile.
    own_dask : mapping of str to object, optional
        Dask configuration that counts more, by dotted keys.
    """
    raw = read_yaml(text)
    own = raw.pop("hstmosaic", None) or {}
    problems = [*_unknown(own, _own_keys(), "hstmosaic"), *_unknown(raw, _dask_keys() if raw else {}, "")]
    if problems:
        raise ProfileError("; ".join(problems))
    given = read_values(own)
    if given.get("cluster", "local") not in _CLUSTERS:
        raise ProfileError(f"hstmosaic.cluster is {given['cluster']!r}", f"choose one of {', '.join(_CLUSTERS)}")
    said = dict(_said(raw))
    said |= {key: value for key, value in (own_dask or {}).items() if key in said}
    if given.get("cluster") == "slurm":
        check_jobqueue(said)
        if not given.get("image") and _PYTHON not in said:
            given["image"] = os.environ.get(IMAGE_VARIABLE, "")
    return _with_image(Profile(name=name, dask=said, **given))


def _with_image(profile: Profile) -> Profile:
    if not profile.image:
        return profile
    if profile.cluster != "slurm":
        raise ProfileError(
            f"hstmosaic.image is for cluster: slurm, not {profile.cluster}", "run hstmosaic in the image"
        )
    if _PYTHON in profile.dask:
        raise ProfileError(f"hstmosaic.image and {_PYTHON} say different things", "leave one of them away")
    image = str(Path(os.path.expandvars(profile.image)).expanduser().absolute())
    return replace(profile, image=image).seeing()


def _folder() -> Iterable[Any]:
    return (resources.files("hstmosaic") / "batch").iterdir()


def _own_keys() -> dict[str, Any]:
    names = {item.name for item in fields(Profile)} - {"name", "dask", "max_memory_mb"} | {"max_memory"}
    return {name.replace("_", "-"): None for name in names}


def _dask_keys() -> dict[str, Any]:
    """Return the defaults of Dask and its parts, whose keys are all that there are."""
    import distributed  # noqa: F401  # adds its own when it is imported

    import hstmosaic.run.jobqueue  # noqa: F401

    known: dict[str, Any] = {}
    for defaults in dask.config.defaults:
        dask.config.update(known, with_hyphens(defaults))
    return known


def _unknown(raw: Any, known: Mapping[str, Any], where: str) -> Iterator[str]:
    if not isinstance(raw, dict):
        yield f"{where} is not a mapping of keys to values"
        return
    for key, value in raw.items():
        path = f"{where}.{key}" if where else key
        if key not in known:
            suggestion = _suggest(key, [*known, "hstmosaic"] if not where else known)
            yield f"unknown key {path}" + (f" ({suggestion})" if suggestion else "")
        elif isinstance(known[key], dict) and known[key] and isinstance(value, dict):
            yield from _unknown(value, known[key], path)


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _said(raw: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the values that there are, by dotted keys."""
    for key, value in raw.items():
        if isinstance(value, dict) and value:
            yield from _said(value, f"{where}{key}.")
        elif value is not None:
            yield f"{where}{key}", value
