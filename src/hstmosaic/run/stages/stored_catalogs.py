"""Catalogues for the alignment, stored in the run directory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hstmosaic.errors import AlignmentError
from hstmosaic.plan.catalog_replies import CATALOGS, FEWEST, USER_CATALOG, Cone, check_reply, reply_name, stars_around
from hstmosaic.plan.user_catalog import catalog_reply, read_catalog
from hstmosaic.run.stages.catalog import Service, ServiceDownError, fetch, kept_reply, nothing_there
from hstmosaic.store.alignment_events import CatalogFailed, CatalogRead
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.run.stages.run_state import Run


@dataclass(frozen=True)
class StoredCatalogs:
    """The catalogues of a field that have sources."""

    replies: tuple[tuple[str, str], ...]
    """(name, path of the stored reply), best first."""
    error: AlignmentError | None = None
    """Why no catalogue is usable; None if one is."""


def store_catalogs(run: Run, cone: Cone, *, everything: bool = False) -> StoredCatalogs:
    """Store the replies of the catalogue service, or the user's catalogue, in the run directory.

    After a catalogue with enough stars for a fit, no other one is requested, but replies that the run directory
    already has are used: a resumed run then repeats its fit.

    Parameters
    ----------
    run : Run
        The run.
    cone : Cone
        Part of the sky.
    everything : bool, optional
        Request all catalogues.

    Raises
    ------
    AlignmentError
        If the user's catalogue cannot be used.
    """
    folder = run.directory.catalogs
    folder.mkdir(exist_ok=True)
    user = run.options.catalog
    texts = _of_user(run, cone) if user is not None else _of_service(run, cone, everything=everything)
    stored: list[tuple[str, str]] = []
    failed: list[AlignmentError] = []
    for catalog, text in texts:
        if isinstance(text, AlignmentError):
            failed.append(text)
            # a later catalogue is missed only where no better one was found
            run.events.emit(CatalogFailed(catalog), f"{catalog}: {text.message}", "debug" if stored else "warning")
            continue
        count = check_reply(text, catalog)
        run.events.emit(CatalogRead(catalog, count), f"{catalog} has {count_of(count, 'source')} in the field", "debug")
        if count:
            path = folder / reply_name(catalog)
            path.write_bytes(text.encode())
            stored.append((catalog, str(path)))
    if stored:
        return StoredCatalogs(tuple(stored))
    return StoredCatalogs((), failed[0] if failed else nothing_there(cone, user))


def _of_user(run: Run, cone: Cone) -> Iterator[tuple[str, str]]:
    assert run.options.catalog is not None
    yield USER_CATALOG, catalog_reply(read_catalog(run.options.catalog), cone)


def _of_service(run: Run, cone: Cone, *, everything: bool) -> Iterator[tuple[str, str | AlignmentError]]:
    """Yield the reply for each catalogue, or the error."""
    service = replace(run.service, own=run.directory.catalogs)
    down = enough = False
    for catalog in CATALOGS:
        try:
            text = _reply(service, cone, catalog, down=down, enough=enough and not everything)
        except AlignmentError as error:
            down = isinstance(error, ServiceDownError)
            yield catalog, error
            continue
        if text is not None:
            enough = enough or stars_around(text, cone) >= FEWEST
            yield catalog, text


def _reply(service: Service, cone: Cone, catalog: str, *, down: bool, enough: bool) -> str | None:
    if down:
        return kept_reply(service, cone, catalog)
    if enough:
        return kept_reply(replace(service, cache=None), cone, catalog)
    return fetch(service, cone, catalog)
