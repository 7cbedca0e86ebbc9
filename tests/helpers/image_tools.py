"""What tests of the image have at hand."""

import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

ROOT = Path(__file__).parents[2]
OURS = ("HM", "CHECKSUM", "DATASUM", "HISTORY", "DATE ")
"""Beginnings of the keywords that say where a product was made."""


@dataclass(frozen=True)
class Image:
    """The image under test, its source for podman and its file for Apptainer."""

    name: str
    sif: Path
    archive: Path
    secrets: tuple[str, ...]
    """Words of the build secrets."""
    sbom: dict

    def podman(self, *words, user="65534:65534", where=None, options=()):
        """Return the documented command that runs the image, on a read-only file system."""
        where = str(where or Path.cwd())
        return [
            *("podman", "run", "--rm", "--read-only", "--tmpfs", "/tmp"),
            *("-v", f"{where}:{where}", "-w", where, "-u", user),
            *options,
            self.name,
            *map(str, words),
        ]

    def inspect(self):
        return json.loads(output_of("podman", "image", "inspect", self.name))[0]

    def layers(self):
        """Iterate over the layers, each a stream of a tar file."""
        with tarfile.open(self.archive) as archive:
            (manifest,) = json.load(archive.extractfile("manifest.json"))
            for name in manifest["Layers"]:
                yield archive.extractfile(name)


def output_of(*command, **options):
    """Return what a command prints."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1500, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def as_nobody(*command):
    """Return a command as an ordinary user calls it."""
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *map(str, command)]


def bits(folder):
    """Return header cards and data of all mosaics in a folder, without those that depend on the place."""
    found = {}
    for path in sorted(Path(folder).glob("*_dr[cz].fits")):
        with fits.open(path) as hdus:
            found[path.name] = [
                ([str(card) for card in hdu.header.cards if not str(card).startswith(OURS)], _data(hdu)) for hdu in hdus
            ]
    return found


def _data(hdu):
    return None if hdu.data is None else hdu.data.tobytes()


def clean_environment(**changes):
    """Return an environment in which the checkout of the tests does not get in by PYTHONPATH."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | changes
