"""The container image that this process runs in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from hstmosaic.store.task_specs import Card

IMAGE_FILE = Path("/opt/hstmosaic/image.json")
"""Written when the image is built; an Apptainer image made of it has it too."""
_DIGEST_PREFIX = "sha256:"


@dataclass(frozen=True)
class ImageIdentity:
    """By what an image can be found again."""

    name: str
    """Such as ``hstmosaic:0.1.0``."""
    digest: str = ""
    """From the image's label ``org.hstmosaic.digest``: ``sha256:`` and 64 hexadecimal digits; empty without one."""

    def cards(self) -> tuple[Card, ...]:
        """Return records for the headers of products.

        Returns
        -------
        tuple of (keyword, value, comment)
            ``HMIMAGE`` and, where it is known, ``HMIMGDIG``: the digest without its prefix, which a FITS card has no
            room for.
        """
        name: Card = ("HMIMAGE", self.name, "container image")
        digest: Card = ("HMIMGDIG", self.digest.removeprefix(_DIGEST_PREFIX), "")
        return (name, digest) if self.digest else (name,)


def image_identity(file: Path = IMAGE_FILE) -> ImageIdentity | None:
    """Return the image that this process runs in, None outside of one.

    Parameters
    ----------
    file : pathlib.Path
        Identity in the image.
    """
    try:
        raw = json.loads(file.read_text(ENCODING))
    except FileNotFoundError:
        return None
    return ImageIdentity(raw["name"], raw.get("digest", ""))
