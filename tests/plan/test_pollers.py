"""Pollers."""

from __future__ import annotations

from helpers.pointed_exposures import Aim, aimed
from hstmosaic.plan.pollers import poller_text

EXPOSURES = [
    aimed(Aim(53.1, -27.8, more={"exptime": 502.936})),
    aimed(Aim(53.1, -27.8, camera="acs_wfc", more={"visit": 2, "filter": "F606W", "naming": "single-visit"})),
]
CELL = "skycell-p0726x09y03"


def test_one_row_an_exposure_in_the_order_given():
    rows = [row.split(",") for row in poller_text(EXPOSURES, CELL).split("\n")]
    assert rows == [
        ["icab01a0q_flt.fits", "12546", "CAB", "01", "502.936", "F160W", "IR", CELL, "NEW", "/data/icab01a0q_flt.fits"],
        [
            "hst_12546_02_acs_wfc_f606w_jcab02a0_flc.fits",
            "12546",
            "CAB",
            "02",
            "100.0",
            "F606W",
            "WFC",
            CELL,
            "NEW",
            "/data/hst_12546_02_acs_wfc_f606w_jcab02a0_flc.fits",
        ],
    ]
    assert poller_text(EXPOSURES[::-1], CELL).split("\n") == poller_text(EXPOSURES, CELL).split("\n")[::-1]


def test_other_layers_are_old():
    rows = poller_text(EXPOSURES, CELL, new=["icab01a0q_flt.fits"]).split("\n")
    assert [row.split(",")[8] for row in rows] == ["NEW", "OLD"]
    assert poller_text(EXPOSURES, CELL, new=[]).count(",OLD,") == 2


def test_linked_exposures_go_by_their_names():
    rows = [row.split(",") for row in poller_text(EXPOSURES, CELL, linked=True).split("\n")]
    assert [row[-1] for row in rows] == [exposure.name for exposure in EXPOSURES]
    assert [row[:-1] for row in rows] == [row.split(",")[:-1] for row in poller_text(EXPOSURES, CELL).split("\n")]


def test_nothing_but_the_verdict_differs():
    every, some = poller_text(EXPOSURES, CELL), poller_text(EXPOSURES, CELL, new=[EXPOSURES[1].name])
    assert some.replace(",OLD,", ",NEW,") == every
