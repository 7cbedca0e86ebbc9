"""Command of Python inside a container image, and the directories that it binds."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.child import SAFE_PATH_OPTION
from hstmosaic.errors import ClusterError, ProfileError
from hstmosaic.run.probe import PACKAGES
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hstmosaic.plan.plan import Plan

IMAGE_VARIABLE = "HSTMOSAIC_IMAGE"
"""Variable with the image of workers, for profiles without one; slurm/hstmosaic-slurm sets it."""
_START_SECONDS = 300
_BIND = re.compile(r"[\w./$\{\}:@%+=-]+")
_FOLDER = re.compile(r"[\w./@%+=-]+")


def worker_python(image: str, binds: Sequence[str], folders: Sequence[str] = ()) -> str:
    """Return the command of Python inside an Apptainer image, for a job script.

    Parameters
    ----------
    image : str
        Path of a SIF file or a sandbox directory.
    binds : sequence of str
        Directories, or ``outside:inside[:ro]``, in addition to those that the site's Apptainer always binds. Variables
        in them are expanded on the node.
    folders : sequence of str
        Further directories, bound under the same path.

    Raises
    ------
    ProfileError
        If Apptainer or the shell would misread one of them.
    """
    words = ["apptainer", "exec"]
    forms = dict.fromkeys(binds, _BIND) | dict.fromkeys(folders, _FOLDER)
    for bind in dict.fromkeys([*folders, *binds]):
        if not forms[bind].fullmatch(bind):
            raise ProfileError(
                f"cannot bind {bind!r} into an image", "use a path without blanks, commas, colons and quotes"
            )
        words += ["--bind", f'"{bind}"' if "$" in bind else bind]
    return " ".join([*words, shlex.quote(image), "python3"])


def folders_of(plan: Plan, output: Path) -> tuple[str, ...]:
    """Return the directories that workers of a run need: of exposures, of targets of links, of products.

    Parameters
    ----------
    plan : Plan
        With the exposures.
    output : pathlib.Path
        The output directory.
    """
    files = [exposure.path for exposure in plan.exposures]
    folders = {output, output.resolve(), *(file.parent for file in files), *(file.resolve().parent for file in files)}
    return tuple(str(folder) for folder in _outermost(folders - {Path("/")}))


def _outermost(folders: Iterable[Path]) -> Iterator[Path]:
    found: set[Path] = set()
    for folder in sorted(folders, key=lambda folder: len(folder.parts)):
        if found.isdisjoint(folder.parents):
            found.add(folder)
            yield folder


def versions_inside(image: str) -> dict[str, str]:
    """Return the versions in an image; see `hstmosaic.run.probe.versions`.

    Parameters
    ----------
    image : str
        A SIF file, a sandbox directory, or the name of an image of podman or docker.

    Raises
    ------
    ClusterError
        If the image cannot be started.
    """
    if Path(image).exists():
        command = ["apptainer", "exec", image]
    elif image.endswith(".sif") or image.startswith(("/", "./", "../")):
        raise ClusterError(f"{image}: no such file", "name an existing image; make sif makes one")
    else:
        engine = shutil.which("podman") or shutil.which("docker")
        if engine is None:
            raise ClusterError(f"{image} is not a file, and neither podman nor docker was found", "name a .sif file")
        command = [engine, "run", "--rm", "--entrypoint", "", image]
    command += ["python3", SAFE_PATH_OPTION, "-m", "hstmosaic.run.probe"]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding=ENCODING, errors="replace", timeout=_START_SECONDS, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise ClusterError(
            f"cannot start {image}: {error}", "install the program that runs it, or load its module"
        ) from error
    if done.returncode != 0:
        stderr = " ".join(done.stderr.split()[-60:])
        raise ClusterError(f"cannot start {image}: {stderr}", "try: " + shlex.join(command))
    found = _versions_in(done.stdout)
    if found is None:
        raise ClusterError(f"{image} did not report its versions", "try: " + shlex.join(command))
    return found


def _versions_in(text: str) -> dict[str, str] | None:
    """Return the versions that the probe printed between lines of the site's Apptainer."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and set(PACKAGES) <= found.keys():
                return found
    return None
