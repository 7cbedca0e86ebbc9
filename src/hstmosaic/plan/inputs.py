"""Files that a pattern, a list or a file name of the user stands for."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.names import is_aligned_copy
from hstmosaic.store.run_directory import is_run_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_QUOTED = re.compile(r"""(["'])(.+?)\1\s*(?:\#.*)?""")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_EXPOSURES = ("*_flc.fits", "*_flt.fits")
_DECOMPRESS = {".gz": "gunzip -k", ".bz2": "bunzip2 -k", ".fz": "funpack", ".Z": "uncompress"}
"""Commands that decompress files, by their suffix."""
_STDIN = Path("/dev/stdin")
_WRITE_LIST = "write one file name per line"


class NoInputError(BadInputError):
    """A pattern that matches nothing, or a list that is missing or empty."""


@dataclass(frozen=True)
class InputFile:
    """An input file."""

    written: str
    """Name as the user wrote it, or as the pattern matched it."""
    path: Path
    """Absolute path; links are not followed, because their names matter."""
    made_by_run: bool = False
    """True if a pattern matched an aligned copy of an earlier run instead of an exposure."""


def resolve_inputs(source: str | Sequence[str]) -> list[InputFile]:
    """Find the files of INPUT.

    Parameters
    ----------
    source : str or sequence of str
        A search pattern (``*``, ``?``, ``[...]`` and ``**``), a single ``.fits`` file, a folder, a text file of
        names, ``@file``, which is always a list, or ``-``, a list on standard input; or several of these. ``~`` and
        ``$VARIABLES`` are expanded. An existing file takes precedence over a pattern of the same name.

    Returns
    -------
    list of InputFile
        In the order of the list; the matches of a pattern are sorted by name, without aligned copies of earlier
        runs.

    Raises
    ------
    BadInputError
        With one problem for each name that cannot be found.

    Notes
    -----
    Lists may have blank lines, ``#`` comments (at the start of a line or after a blank), quotes around a
    name, patterns, any line ends and a byte-order mark. Relative names are looked up in the folder of the list,
    then in the current directory, as in drizzlepac.
    """
    files, problems = find_inputs(source) if isinstance(source, str) else find_all_inputs(source)
    if problems:
        raise BadInputError(problems)
    return [file for file in files if not file.made_by_run]


def find_inputs(source: str) -> tuple[list[InputFile], list[Problem]]:
    """Find the files of INPUT that exist, and report the others; see `resolve_inputs`.

    Parameters
    ----------
    source : str
        A search pattern, a file, a list, a folder, or ``-`` for a list on standard input.

    Returns
    -------
    files : list of InputFile
        Existing files, including aligned copies that a pattern matches.
    problems : list of Problem
        One for each name of a list that cannot be found.

    Raises
    ------
    NoInputError
        If the pattern, the list or the single file names nothing.
    BadInputError
        If the list cannot be read, or a name is not that of a file.
    """
    if source.startswith("@"):
        return _from_list(source, _expand(source[1:]).absolute())
    if source == "-":
        return _from_list("standard input", _STDIN)
    path = _expand(source).absolute()
    if source.strip() and _kind(path) == "folder":
        return _in_folder(source, path), []
    # <(command) of a shell is a pipe
    if _kind(path) in {"file", "other"} and not _is_exposure_name(source):
        return _from_list(source, path)
    return _lookup(source, [Path.cwd()]), []


def reads_once(source: str) -> bool:
    """Return whether an INPUT is a list on standard input or a pipe, which cannot be read twice."""
    return source == "-" or _kind(_expand(source.removeprefix("@")).absolute()) == "other"


def find_all_inputs(sources: Iterable[str]) -> tuple[list[InputFile], list[Problem]]:
    """Find the files of several inputs, such as a pattern that the shell expanded; see `find_inputs`."""
    files: list[InputFile] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            found, missing = find_inputs(source)
        except BadInputError as error:
            problems += error.problems
        else:
            files += [replace(file, made_by_run=_made_by_run(file.path)) for file in found]
            problems += missing
    return files, problems


def parse_list(text: str) -> list[tuple[int, str]]:
    """Return the names in the text of a list.

    Parameters
    ----------
    text : str
        Contents of the list.

    Returns
    -------
    list of (int, str)
        Line number, counted from 1, and name; without blank lines and comments.
    """
    names = []
    for number, raw in enumerate(_LINE_END.split(text.removeprefix("\ufeff")), start=1):
        line = raw.strip()
        quoted = _QUOTED.fullmatch(line)
        name = quoted[2].strip() if quoted else _COMMENT.sub("", line).strip()
        if name:
            names.append((number, name))
    return names


def _is_exposure_name(name: str) -> bool:
    return name.endswith((".fits", *(f".fits{suffix}" for suffix in _DECOMPRESS)))


def _in_folder(written: str, folder: Path) -> list[InputFile]:
    """Find the exposures in a folder and below it, where MAST's own folders have them."""
    paths = sorted(path for pattern in _EXPOSURES for path in folder.rglob(pattern) if _kind(path) == "file")
    files = [InputFile(str(Path(written) / path.relative_to(folder)), path, _made_by_run(path)) for path in paths]
    if all(file.made_by_run for file in files):
        cause = (
            "the folder has only copies of earlier runs" if files else "the folder has no _flc.fits or _flt.fits file"
        )
        raise _nothing(written, cause, "name the folder of the exposures")
    return files


def _from_list(written: str, path: Path) -> tuple[list[InputFile], list[Problem]]:
    """Read a list and find each of its names."""
    text = _read_text(written, path)
    names = parse_list(text)
    if not names:
        cause = "the list names no file" if text.strip() else "the list is empty"
        raise _nothing(written, cause, _WRITE_LIST)
    folders = [Path.cwd()] if path == _STDIN else list(dict.fromkeys([path.parent, Path.cwd()]))
    files: list[InputFile] = []
    problems: list[Problem] = []
    for number, name in names:
        try:
            files += _lookup(name, folders)
        except BadInputError as error:
            (found,) = error.problems
            problems.append(replace(found, cause=f"line {number} of {path.name}: {found.cause}"))
    return files, problems


def _read_text(written: str, path: Path) -> str:
    """Return the text of a list."""
    kind = _kind(path)
    if kind == "folder":
        raise _problem(written, "is a folder, not a list", _WRITE_LIST)
    if kind == "":
        raise _nothing(written, "the list does not exist", "check the name and the current directory")
    try:
        with path.open("rb") as stream:
            data = stream.read(2880)
            for applies, cause, next_step in (
                (data.startswith(b"SIMPLE  ="), "is a FITS file, not a list of names", "omit the '@'"),
                (data[:2] in {b"\xff\xfe", b"\xfe\xff"}, "the list is UTF-16 text", "save it as UTF-8"),
                (b"\0" in data, "is a binary file, not a list of names", _WRITE_LIST),
            ):
                if applies:
                    raise _problem(written, cause, next_step)
            data += stream.read()
        return data.decode("utf-8")
    except OSError as error:
        cause = f"the list cannot be read ({error.strerror})"
        raise _problem(written, cause, "check its permissions") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _problem(written, f"line {line} of the list is not UTF-8 text", "save it as UTF-8") from None


def _lookup(name: str, folders: list[Path]) -> list[InputFile]:
    """Find a name or pattern in the first folder that contains it."""
    if not name.strip():
        raise _problem(repr(name), "the name is empty", "give a search pattern or a text file of names")
    expanded = _expand(name, folders)
    kinds = {folder / expanded: _kind(folder / expanded) for folder in folders}
    for path, kind in kinds.items():
        if kind == "file":
            if path.suffix in _DECOMPRESS:
                command = shlex.join([*_DECOMPRESS[path.suffix].split(), str(path)])
                raise _problem(name, "is compressed, which drizzlepac cannot read", f"type: {command}")
            return [InputFile(name, path)]
    for kind, cause, next_step in (
        ("folder", "is a folder", f"name the files in it, for example '{name.rstrip('/')}/*_fl?.fits'"),
        ("other", "is not a regular file", "name a FITS file"),
        ("denied", "permission to read its folder is denied", "check the permissions of the folder"),
    ):
        if kind in kinds.values():
            raise _problem(name, cause, next_step)
    where = "" if expanded.is_absolute() else " in " + " or ".join(str(folder) for folder in folders)
    if not glob.has_magic(str(expanded)):
        next_step = "check the name" if expanded.is_absolute() else "check the name, or write the full path"
        raise _nothing(name, f"there is no such file{where}", next_step)
    for folder in folders:
        # pathlib's own glob takes no absolute pattern and finds hidden files.
        matches = glob.glob(str(expanded), root_dir=folder, recursive=True)  # noqa: PTH207
        paths = {match: folder / match for match in sorted(set(matches))}
        files = [InputFile(m, path, _made_by_run(path)) for m, path in paths.items() if _kind(path) == "file"]
        if files and all(file.made_by_run for file in files):
            raise _nothing(name, "only the copies of an earlier run match this pattern", "name the exposures")
        if files:
            return files
    raise _nothing(name, f"no file matches this pattern{where}", "check the pattern and the folder")


def _made_by_run(path: Path) -> bool:
    """Return whether a file is an aligned copy among products, or in a run directory."""
    return is_aligned_copy(path.name) or any(map(is_run_directory, path.parents))


def _problem(name: str, cause: str, next_step: str) -> BadInputError:
    """Return the error for a name."""
    return BadInputError([Problem(name, cause, next_step)])


def _nothing(name: str, cause: str, next_step: str) -> NoInputError:
    """Return the error for a name without files."""
    return NoInputError([Problem(name, cause, next_step)])


def _expand(name: str, folders: Iterable[Path] = (Path(),)) -> Path:
    """Expand variables and the home folder, unless a folder has a file of exactly that name."""
    if any(_kind(folder / name) for folder in folders):
        return Path(name)
    path = Path(os.path.expandvars(name))
    with contextlib.suppress(RuntimeError):  # ~ of an unknown user is a plain character
        path = path.expanduser()
    return path


def _kind(path: Path) -> str:
    """Return ``file``, ``folder``, ``other`` or ``denied``, or an empty string if nothing exists."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "denied"
    except (OSError, ValueError):  # absent, a name too long, a null byte
        return ""
    if S_ISREG(mode):
        return "file"
    return "folder" if S_ISDIR(mode) else "other"
