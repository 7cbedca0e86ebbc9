"""Find the run that a path names: its output directory, its run directory, or a file in either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstmosaic.errors import OutputError
from hstmosaic.store.run_directory import RUN_FOLDER, RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

_NEXT_STEP = "name the output directory of a run, its run directory (it ends in _run), or a file in it"


def find_run(path: Path) -> RunDirectory:
    """Find a run.

    Parameters
    ----------
    path : pathlib.Path
        An output directory with one run, a run directory, or a file in either; a file in the output directory belongs
        to the run whose prefix begins its name.

    Returns
    -------
    RunDirectory

    Raises
    ------
    OutputError
        If there is no run, or the output directory has several.
    """
    place = path.absolute()
    for folder in (place, *place.parents):
        if _is_run(folder):
            return RunDirectory(folder)
    if place.is_dir():
        return _only_run(path, _runs_in(place))
    if not place.exists():
        raise OutputError(f"{path} does not exist", _NEXT_STEP)
    runs = map(RunDirectory, _runs_in(place.parent))
    owners = [run for run in runs if place.name.startswith(f"{run.prefix}_")]
    if not owners:
        raise OutputError(f"{path} does not belong to a run", _NEXT_STEP)
    return max(owners, key=lambda run: len(run.prefix))


def _only_run(path: Path, runs: list[Path]) -> RunDirectory:
    if not runs:
        raise OutputError(f"{path} is not a run directory and does not contain one", _NEXT_STEP)
    if len(runs) > 1:
        raise OutputError(
            f"{path} contains {len(runs)} runs: {', '.join(run.name for run in runs)}", "name one of them"
        )
    return RunDirectory(runs[0])


def _runs_in(folder: Path) -> list[Path]:
    return sorted(filter(_is_run, folder.glob(f"*{RUN_FOLDER}")))


def _is_run(folder: Path) -> bool:
    if not folder.name.endswith(RUN_FOLDER):
        return False
    run = RunDirectory(folder)
    return run.log_file.is_file() or run.plan_file.is_file()
