"""Requests to the catalogue service, and which replies are good."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.catalog_replies import COLUMNS, Cone, ReplyError, check_reply, fit_cone, reply_text

CONE = Cone(150.1, 2.2, 0.1)


def gaia(*places):
    rows = [(k, ra, dec, 0.1, 0.1, 0, 0.1, 0, 0.1, 18.5, 2016.0) for k, (ra, dec) in enumerate(places)]
    return reply_text(COLUMNS["GAIAeDR3"], rows)


def exposure(ra, dec, orient=30.0, size=(2000, 2000), expstart=56000.7, **values):
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval, plane.wcs.crpix = [ra, dec], [size[1] / 2, size[0] / 2]
    turn, step = np.deg2rad(orient), 0.04 / 3600
    plane.wcs.cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    chip = SimpleNamespace(wcs=plane, shape=size, extver=1)
    return SimpleNamespace(**{"chips": (chip,), "expstart": expstart, "size": 10**6} | values)


def test_request_is_drizzlepacs_without_an_epoch():
    assert CONE.url("http://host/web", "GAIAeDR3") == (
        "http://host/web/vo/CatalogSearch.aspx?RA=150.10000&DEC=2.20000&SR=0.1000&FORMAT=CSV&CAT=GAIAeDR3&MINDET=5"
    )


@pytest.mark.parametrize(("ra", "dec"), [(150.1, 2.2), (0.0, -30.0), (359.999, 45.0), (12.0, 89.99), (200.0, -90.0)])
def test_cone_holds_every_chip(ra, dec):
    exposures = [exposure(ra, dec), exposure((ra + 0.02) % 360, max(dec - 0.01, -90), orient=75.0)]
    cone = fit_cone(exposures)
    corners = np.concatenate([e.chips[0].wcs.calc_footprint(axes=(2000, 2000)) for e in exposures])
    lon, lat = np.deg2rad(corners).T
    middle = np.deg2rad([cone.ra, cone.dec])
    cosine = np.sin(lat) * np.sin(middle[1]) + np.cos(lat) * np.cos(middle[1]) * np.cos(lon - middle[0])
    distance = np.rad2deg(np.arccos(cosine))
    assert distance.max() < cone.radius < 1.75 * distance.max() + 0.01


def test_a_good_reply_is_counted():
    assert check_reply(gaia((150.0, 2.0), (150.1, 2.1)), "GAIAeDR3") == 2
    assert check_reply(gaia(), "GAIAeDR3") == 0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Error: Cannot find table 0.\r\n", "Error: Cannot find table 0"),
        ("", "no table"),
        ("<html>\r\n<body>log in</body>\r\n", "no table with objID.*<html>"),
        (gaia((150, 2)).replace("\r\n", "\n"), "no table"),
        (gaia((150, 2)).replace("pmra,", "x,"), "no table with pmra"),
        (gaia((150, "nan")), "broken table"),
        (gaia((150, "two")), "broken table"),
        (gaia((150, 2), (150, 2))[:-12], "broken table"),
        ("Objects found : 1\r\nobjID,ra", "no table"),
    ],
)
def test_bad_replies(text, cause):
    with pytest.raises(ReplyError, match=cause):
        check_reply(text, "GAIAeDR3")


@given(
    st.lists(
        st.tuples(st.sampled_from(["uvis", "ir", "wfc"]), st.sampled_from(["f606w", "f160w"]), st.floats(1, 1000)),
        min_size=1,
    )
)
def test_order_of_the_fit(items):
    exposures = [
        SimpleNamespace(detector=detector, filter=name, exptime=seconds, photflam=1e-19)
        for detector, name, seconds in items
    ]
    order = fit_order(exposures)
    assert sorted(map(id, order)) == sorted(map(id, exposures))
    assert order[0].exptime == min(e.exptime for e in exposures)
    detectors = [e.detector for e in order]
    changes = sum(a != b for a, b in pairwise(detectors))
    assert changes == len(set(detectors)) - 1
