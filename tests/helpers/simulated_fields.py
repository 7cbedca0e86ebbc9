"""Simulated exposures, made once for all tests that only read them."""

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers.alignment_fields import three_cameras
from hstmosaic.simulate import demo_field, simulate_field
from hstmosaic.simulate.fields import LIST_NAME
from hstmosaic.simulate.request import requested_field


@dataclass(frozen=True)
class SimulatedField:
    """A folder of exposures with ``list.txt`` and ``truth.ecsv``. Tests that change a file work on a copy."""

    folder: Path

    @property
    def list(self):
        """The file that names the exposures."""
        return self.folder / LIST_NAME

    @property
    def paths(self):
        """The exposures, in the order of the list."""
        return [self.folder / name for name in self.list.read_text(encoding="utf-8").split()]

    def copy_to(self, folder):
        """Copy all files into a folder, which may exist, and return the field there."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return SimulatedField(folder)


class SimulatedFields:
    """The fields of a test session, each simulated when a test first asks for it.

    The workers of pytest-xdist share the root, so each field is simulated once per session.
    """

    def __init__(self, root):
        self.root = root
        self._states = {}

    def infrared(self, exposures):
        """One layer, WFC3/IR F160W: 1, 2 or 3 exposures of 128 x 128 pixels, 0.1 s each to simulate."""
        return self._get(
            f"infrared-{exposures}",
            lambda: requested_field(cameras=[f"wfc3_ir:F160W:{exposures}"], subarray=(128, 128)),
        )

    def demo(self, rows):
        """Three layers of two exposures over four sky cells; WFC3/UVIS has so many rows and columns.

        200 will do where no pixels are drizzled. drizzlepac needs 300 for its sky, and 400 for three good products.
        """
        return self._get(f"demo-{rows}", lambda: demo_field(subarray=(rows, rows), infrared=(256, 256)))

    def three_cameras(self, rows):
        """One exposure each of WFC3/UVIS, WFC3/IR and ACS/WFC with pointing errors, and too few stars to align them."""
        return self._get(f"cameras-{rows}", lambda: three_cameras(rows=rows, exposures=1, density=20))

    def _get(self, name, plan):
        folder = self.root / name
        self.root.mkdir(exist_ok=True)
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / LIST_NAME).exists():  # it is written last
                simulate_field(plan(), folder)
        self._states.setdefault(name, _state(folder))
        return SimulatedField(folder)

    def changed(self):
        """Return the names of fields that a test changed."""
        return [name for name, state in self._states.items() if _state(self.root / name) != state]


def _state(folder):
    files = [(path, path.lstat()) for path in folder.rglob("*")]
    return {str(path.relative_to(folder)): (state.st_size, state.st_mtime_ns) for path, state in files}
