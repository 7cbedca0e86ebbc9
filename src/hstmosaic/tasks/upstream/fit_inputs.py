"""Replacements of what the joint fit reads: sources and catalogues that other tasks obtained before it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from drizzlepac.haputils import align_utils, astrometric_utils

from hstmosaic.plan.catalog_replies import USER_CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def use_found_sources(sources: Mapping[str, Callable[[], dict[int, Any]]]) -> None:
    """Let an `AlignmentTable` take sources that were found before, instead of looking for them one by one.

    Parameters
    ----------
    sources : mapping of str to callable
        File name of an exposure, and what reads its tables by chip.
    """

    class FoundImage:
        """As much of a `HAPImage` as an `AlignmentTable` needs."""

        num_sci = 0
        kernel = None

        def __init__(self, filename: str) -> None:
            self.imgname = filename
            self.imghdu = filename
            self.catalog_table: dict[int, Any] = {}

        def compute_background(self, **_: Any) -> None: ...

        def build_kernel(self, *_: Any) -> None: ...

        def find_alignment_sources(self, **_: Any) -> None:
            self.catalog_table = sources[self.imgname]()

        def close(self) -> None: ...

    align_utils.HAPImage = align_utils.SBCHAPImage = FoundImage


def serve_catalogs(reply: Callable[[str], str]) -> None:
    """Let drizzlepac's requests to the catalogue service be answered by a function of the URL."""

    def get(url: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(content=reply(url).encode())

    astrometric_utils.requests = SimpleNamespace(get=get)


def accept_user_catalog() -> None:
    """Let drizzlepac read the user's catalogue, which has the columns of GAIAEDR3 and a name that it does not know."""
    catalogs = astrometric_utils.SUPPORTED_CATALOGS
    catalogs.setdefault(USER_CATALOG, dict(catalogs["GAIAEDR3"]))
