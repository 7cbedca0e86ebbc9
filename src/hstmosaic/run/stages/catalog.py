"""Requests to the catalogue service, from the node of the driver."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from hstmosaic.errors import AlignmentError
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.catalog_replies import CATALOGS, FEWEST, ReplyError, check_reply, fit_cone, stars_around
from hstmosaic.plan.user_catalog import check_format, reply_table, write_catalog
from hstmosaic.store.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hstmosaic.plan.catalog_replies import Cone
    from hstmosaic.plan.exposures import Exposure

URL_VARIABLE = "ASTROMETRIC_CATALOG_URL"
"""Environment variable that names another service, as drizzlepac has it."""
DEFAULT_URL = "http://gsss.stsci.edu/webservices"
_NEXT_STEP = (
    f"check the network and {URL_VARIABLE}, give a catalogue with --catalog FILE, or add -s to use the WCS that the "
    "exposures have"
)
_CHUNK = 65536
_LATER = frozenset({408, 425, 429})


def service_url() -> str:
    """Return the address of the catalogue service, without a slash at its end."""
    return os.environ.get(URL_VARIABLE, DEFAULT_URL).rstrip("/")


def reply_cache() -> Path:
    """Return the folder that keeps replies across runs; it need not exist."""
    return user_cache() / "catalogs"


class ServiceDownError(AlignmentError):
    """The service does not answer; another request would be useless."""


@dataclass(frozen=True)
class Service:
    """The catalogue service, its caches and timeouts."""

    url: str = field(default_factory=service_url)
    cache: Path | None = field(default_factory=reply_cache)
    """Folder of earlier replies; None to keep none."""
    own: Path | None = None
    """Another one, of the run itself: a resumed run then needs neither cache nor service."""
    timeout: float = 60.0
    """Seconds that one request may take, from connecting to the last byte."""
    attempts: int = 3
    pause: float = 2.0
    """Seconds before the second attempt; twice as long before each further one."""
    sleep: Callable[[float], None] = time.sleep


def fetch(service: Service, cone: Cone, catalog: str) -> str:
    """Return the reply of the service, an earlier one where it was kept.

    Positions are requested at the epoch of the catalogue; the fit applies proper motions to the day of each exposure.

    Parameters
    ----------
    service : Service
        Where to send the request.
    cone : Cone
        Part of the sky.
    catalog : str
        Name of the catalogue.

    Returns
    -------
    str
        The reply as it came, checked; it may hold no source.

    Raises
    ------
    AlignmentError
        If there is no usable reply; names the URL.
    """
    text = kept_reply(service, cone, catalog)
    if text is None:
        url = cone.url(service.url, catalog)
        text = _ask(service, url)
        if problem := _problem(text, catalog):
            raise AlignmentError(f"the catalogue service {problem} to {url}", _NEXT_STEP)
    if check_reply(text, catalog):
        for place in _places(service, cone, catalog):
            _keep(place, text)
    return text


def kept_reply(service: Service, cone: Cone, catalog: str) -> str | None:
    """Return a reply that was kept, or None if none can be used."""
    for place in _places(service, cone, catalog):
        with suppress(OSError, UnicodeDecodeError):
            text = place.read_bytes().decode()
            if not _problem(text, catalog):
                return text
    return None


def _places(service: Service, cone: Cone, catalog: str) -> list[Path]:
    digest = hashlib.sha256(cone.url(service.url, catalog).encode()).hexdigest()[:24]
    return [folder / f"{catalog}-{digest}.csv" for folder in (service.own, service.cache) if folder is not None]


def fetch_ahead(exposures: Iterable[Exposure], path: Path, service: Service) -> tuple[str, int]:
    """Fetch a catalogue for a list of exposures and write it to a file for ``--catalog``.

    Parameters
    ----------
    exposures : iterable of Exposure
        With their chips.
    path : pathlib.Path
        The file; its suffix determines the format.
    service : Service
        The service.

    Returns
    -------
    catalog : str
        Name of the first catalogue that has stars enough for a fit; where none has, of the one with most sources.
    count : int
        Number of its sources, with their positions at the catalogue's epoch.

    Raises
    ------
    AlignmentError
        If no catalogue can be had, or the file cannot be written.
    """
    check_format(path)
    cone = fit_cone(fit_order(exposures))
    found: dict[str, str] = {}
    for catalog in CATALOGS:
        found[catalog] = fetch(service, cone, catalog)
        if stars_around(found[catalog], cone) >= FEWEST:
            break
    else:
        catalog = max(found, key=lambda name: check_reply(found[name], name))
    count = check_reply(found[catalog], catalog)
    if not count:
        raise nothing_there(cone)
    write_catalog(reply_table(found[catalog], catalog), path)
    return catalog, count


def nothing_there(cone: Cone, catalog: Path | None = None) -> AlignmentError:
    """Return the error that no catalogue has a source in a cone, or the user's has none."""
    where = f"within {cone.radius * 60:.1f}' of RA {cone.ra:.5f}, Dec {cone.dec:.5f}"
    if catalog is not None:
        return AlignmentError(f"{catalog} has no source {where}", "give a catalogue of that field, in degrees")
    return AlignmentError(f"no catalogue has a source {where}", _NEXT_STEP)


def _ask(service: Service, url: str) -> str:
    cause = ""
    for attempt in range(service.attempts):
        if attempt:
            service.sleep(service.pause * 2 ** (attempt - 1))
        try:
            return _get(url, service.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            cause = f"HTTP status {error.code}"
            if error.code < 500 and error.code not in _LATER:
                raise AlignmentError(f"the catalogue service refuses {url} ({cause})", _NEXT_STEP) from error
        except UnicodeDecodeError:
            cause = "a reply that is not text"
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            cause = str(reason) or type(error).__name__
    raise ServiceDownError(
        f"the catalogue service does not answer {url} ({cause}, {service.attempts} attempts)", _NEXT_STEP
    )


def _get(url: str, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    chunks = []
    request = urllib.request.Request(url, headers={"Content-Type": "text/csv"})
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        # a service that sends a byte now and then never runs into the timeout of the socket
        while chunk := reply.read1(_CHUNK):
            chunks.append(chunk)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {timeout:g} s")
        announced = reply.headers.get("Content-Length")
    content = b"".join(chunks)
    if announced is not None and len(content) < int(announced):
        raise ConnectionError(f"the reply breaks off after {len(content)} of {announced} bytes")
    return content.decode()


def _problem(text: str, catalog: str) -> str:
    try:
        check_reply(text, catalog)
    except ReplyError as error:
        return str(error)
    return ""


def _keep(path: Path, text: str) -> None:
    """Keep a reply for the next run; a cache that cannot be written is as good as none."""
    content = text.encode()
    draft = path.with_name(f"{path.name}.{uuid4().hex}")  # nobody else's, on whatever node they share the cache
    try:
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
