"""Asking a catalogue service that may be down, slow, rude or empty."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from helpers.catalog_service import Stars, catalog_service
from hstmosaic.errors import AlignmentError, ExitCode
from hstmosaic.plan.catalog_replies import CATALOGS, COLUMNS, Cone, check_reply, reply_text
from hstmosaic.plan.user_catalog import catalog_reply, read_catalog
from hstmosaic.run.stages.catalog import DEFAULT_URL, Service, fetch, fetch_ahead, kept_reply, reply_cache, service_url


def exposure():
    return SimpleNamespace(detector="uvis", filter="f606w", exptime=1.0, photflam=1.0)


CONE = Cone(150.1, 2.2, 0.05)


@pytest.fixture
def stars():
    rng = np.random.default_rng(4)
    truth = Table({"ra": 150.1 + rng.uniform(-0.1, 0.1, 50), "dec": 2.2 + rng.uniform(-0.1, 0.1, 50)})
    truth["kind"], truth["magnitude"] = "star", 20.0
    return Stars.from_truth(truth, 2012.2, motion=20.0)


@pytest.fixture
def patient(tmp_path):
    """Make services that do not really sleep, and write down how long they would."""
    naps = []

    def make(url, **options):
        return Service(**{"url": url, "cache": tmp_path / "cache", "timeout": 5.0, "sleep": naps.append} | options)

    make.naps = naps
    return make


def test_address_is_read_as_drizzlepac_does(monkeypatch):
    monkeypatch.delenv("ASTROMETRIC_CATALOG_URL", raising=False)
    assert service_url() == DEFAULT_URL
    monkeypatch.setenv("ASTROMETRIC_CATALOG_URL", "http://mirror/web/")
    assert Service().url == "http://mirror/web"


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert reply_cache() == tmp_path / "hstmosaic" / "catalogs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert reply_cache() == tmp_path / ".cache" / "hstmosaic" / "catalogs"


def test_a_reply_is_fetched_once(stars, patient):
    with catalog_service(stars) as service:
        first = fetch(patient(service.url), CONE, "GAIAeDR3")
        assert fetch(patient(service.url), CONE, "GAIAeDR3") == first
        fetch(patient(service.url), CONE, "GSC242")
        fetch(patient(service.url), Cone(150.1, 2.2, 0.06), "GAIAeDR3")
        assert len(service.requests) == 3
    assert 0 < check_reply(first, "GAIAeDR3") < 50
    assert "EPOCH" not in service.requests[0], "motions are applied to the day of each exposure by the fit"
    assert fetch(patient(service.url), CONE, "GAIAeDR3") == first
    assert not patient.naps


@pytest.mark.parametrize("content", [b"Objects found : 20\r\nobjID,ra", b"", b"\xff\xfe\x80"])
def test_a_spoilt_cache_is_filled_again(stars, patient, tmp_path, content):
    with catalog_service(stars) as service:
        first = fetch(patient(service.url), CONE, "GAIAeDR3")
        (kept,) = (tmp_path / "cache").iterdir()
        kept.write_bytes(content)
        assert fetch(patient(service.url), CONE, "GAIAeDR3") == first
        assert kept.read_bytes().decode() == first
        assert list((tmp_path / "cache").iterdir()) == [kept]


def test_a_run_goes_on_with_its_own_replies(stars, patient, tmp_path):
    own = tmp_path / "run"
    with catalog_service(stars) as service:
        fetch(patient(service.url), CONE, "GAIAeDR3")
        first = fetch(patient(service.url, own=own), CONE, "GAIAeDR3")
        assert len(service.requests) == 1, "the cache has had it"
        fetch(patient(service.url, cache=None, own=own), CONE, "GSC242")
    for catalog in ("GAIAeDR3", "GSC242"):
        assert fetch(patient(service.url, cache=None, own=own), CONE, catalog)
    assert kept_reply(patient(service.url, cache=None, own=own), CONE, "GAIAeDR3") == first
    assert kept_reply(patient(service.url, cache=None, own=own), CONE, "2MASS") is None


def test_a_cache_that_cannot_be_written_does_not_matter(stars, patient, tmp_path):
    (tmp_path / "file").touch()
    with catalog_service(stars) as service:
        assert fetch(patient(service.url, cache=tmp_path / "file" / "cache"), CONE, "GAIAeDR3")
        assert fetch(patient(service.url, cache=None), CONE, "GAIAeDR3")


def test_patience(stars, patient):
    with catalog_service(stars, "500", "cut", "good") as service:
        assert check_reply(fetch(patient(service.url), CONE, "GAIAeDR3"), "GAIAeDR3")
    assert patient.naps == [2.0, 4.0]


def test_an_empty_reply_is_a_reply_but_not_kept(stars, patient):
    with catalog_service(stars, "empty", "good") as service:
        assert check_reply(fetch(patient(service.url), CONE, "GAIAeDR3"), "GAIAeDR3") == 0
        assert check_reply(fetch(patient(service.url), CONE, "GAIAeDR3"), "GAIAeDR3") > 0


@pytest.mark.parametrize(
    ("mode", "cause", "requests"),
    [
        ("500", "HTTP status 500, 3 attempts", 3),
        ("404", "refuses .*HTTP status 404", 1),
        ("rubbish", "no table with .*<html>", 1),
        ("error", "Cannot find table 0", 1),
        ("cut", "3 attempts", 3),
        ("hang", "timed out, 3 attempts", 3),
        ("slow", "not finished after 1 s, 3 attempts", 3),
    ],
)
def test_no_usable_reply(stars, patient, mode, cause, requests):
    timeout = {"hang": 0.2, "slow": 1.0}.get(mode, 60.0)
    with catalog_service(stars, mode) as service:
        with pytest.raises(AlignmentError, match=cause) as caught:
            fetch(patient(service.url, timeout=timeout), CONE, "GAIAeDR3")
        assert len(service.requests) == requests
        assert f"{service.url}/vo/CatalogSearch.aspx?RA=150.1" in str(caught.value)
    assert "--catalog FILE" in caught.value.next_step
    assert caught.value.exit_code == ExitCode.ALIGNMENT


def test_no_service(patient):
    with pytest.raises(AlignmentError, match=r"does not answer .*refused, 3 attempts"):
        fetch(patient("http://127.0.0.1:9"), CONE, "GAIAeDR3")
    with pytest.raises(AlignmentError, match="does not answer"):
        fetch(patient("no such thing"), CONE, "GAIAeDR3")


def test_fetching_in_advance(stars, patient, tmp_path, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.stages.catalog.fit_cone", lambda _: CONE)
    with catalog_service(stars) as service:
        catalog, count = fetch_ahead([exposure()], tmp_path / "stars.ecsv", patient(service.url))
        assert "EPOCH" not in service.requests[0]
    columns = read_catalog(tmp_path / "stars.ecsv")
    assert catalog == "GAIAeDR3"
    assert len(columns["ra"]) == count > 0
    assert set(columns["epoch"]) == {2016.0}
    with catalog_service(stars) as service:
        direct = fetch(patient(service.url), CONE, catalog).split("\r\n")[2:-1]
    ahead = catalog_reply(columns, CONE).split("\r\n")[2:-1]
    positions = [np.array([row.split(",")[1:3] for row in rows], dtype=float) for rows in (direct, ahead)]
    np.testing.assert_allclose(*positions, atol=1e-9)


@pytest.mark.parametrize(
    ("counts", "taken"),
    [((12, 50, 50), "GAIAeDR3"), ((11, 20, 50), "GSC242"), ((3, 0, 9), "2MASS"), ((9, 9, 0), "GAIAeDR3")],
)
def test_fetching_in_advance_takes_a_catalogue_with_enough_stars(tmp_path, monkeypatch, counts, taken):
    replies = {}
    for name, count in zip(CATALOGS, counts, strict=True):
        wide = [(150.1 + 0.045, 2.2)] * 30 if count else []  # in the cone, not in the field
        rows = [(0, ra, dec, *"1" * (len(COLUMNS[name]) - 3)) for ra, dec in [(150.1, 2.2)] * count + wide]
        replies[name] = reply_text(COLUMNS[name], rows)
    monkeypatch.setattr("hstmosaic.run.stages.catalog.fit_cone", lambda _: CONE)
    monkeypatch.setattr("hstmosaic.run.stages.catalog.fetch", lambda _, cone, catalog: replies[catalog])
    catalog, count = fetch_ahead([exposure()], tmp_path / "stars.ecsv", Service(cache=None))
    assert (catalog, count) == (taken, counts[CATALOGS.index(taken)] + 30)


def test_fetching_in_advance_without_stars(stars, patient, tmp_path, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.stages.catalog.fit_cone", lambda _: Cone(10.0, 2.2, 0.05))
    with catalog_service(stars) as service, pytest.raises(AlignmentError, match="no catalogue has a source"):
        fetch_ahead([exposure()], tmp_path / "stars.ecsv", patient(service.url))
    with pytest.raises(AlignmentError, match="unknown kind"):
        fetch_ahead([exposure()], tmp_path / "stars.dat", patient("http://127.0.0.1:9"))
    assert not (tmp_path / "stars.ecsv").exists()
