"""Child processes: how each Python program that hstmosaic starts is called, and with which environment.

Python puts the current directory first on its path for ``python -m``. A file of that directory called ``secrets.py`` or
``numpy.py`` would then be imported in place of the module that is meant, so children start with ``-P``. Variables that
make Python warn, stop or behave differently are for the user's own programs and are not passed on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SAFE_PATH_OPTION = "-P"
"""Option by which Python leaves the current directory off its path."""
SAFE_PATH_VARIABLE = "PYTHONSAFEPATH"
"""The same for processes that a child starts."""
UNWANTED_VARIABLES = (
    "PYTHONASYNCIODEBUG",
    "PYTHONBREAKPOINT",
    "PYTHONCASEOK",
    "PYTHONDEBUG",
    "PYTHONDEVMODE",
    "PYTHONHASHSEED",
    "PYTHONINSPECT",
    "PYTHONINTMAXSTRDIGITS",
    "PYTHONIOENCODING",
    "PYTHONMALLOCSTATS",
    "PYTHONOPTIMIZE",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
    "PYTHONWARNDEFAULTENCODING",
    "PYTHONWARNINGS",
)
"""Variables of the user that no child gets."""
_NO_HOME = "/dev/null"
_OWN_SETTINGS = {"ASTROPY_CONFIG_DIR": str(Path(__file__).parent)}
"""A directory without settings of astropy: a user's may change results, and a damaged file ends every program."""
_SET = {SAFE_PATH_VARIABLE: "1", "MPLBACKEND": "Agg"}


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module in a Python process of its own.

    Parameters
    ----------
    module : str
        Its dotted name.
    arguments : str
        Arguments of the program.
    """
    return [sys.executable, SAFE_PATH_OPTION, "-m", module, *arguments]


def child_environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child process.

    Parameters
    ----------
    given : mapping of str to str, optional
        The environment of the user; that of this process when None.
    """
    given = os.environ if given is None else given
    return {name: value for name, value in given.items() if name not in UNWANTED_VARIABLES} | _SET | _OWN_SETTINGS


def shell_environment() -> list[str]:
    """Return the lines of a shell script that give the commands after them the environment of a child process."""
    return [
        *(f"export {name}={value}" for name, value in _SET.items()),
        f"unset {' '.join(UNWANTED_VARIABLES)}",
    ]


def prepare_environment() -> None:
    """Give this process the environment of a child, and a home directory where nobody names one.

    Astropy does not start where neither ``HOME`` nor the user database names a home directory. Nothing can be in the
    one that is set: in a directory that others can write to, settings of theirs would be read.
    """
    os.environ.update(_SET | _OWN_SETTINGS)
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = _NO_HOME
