"""Findings of tasks are the same after JSON, and have the keys that earlier versions wrote."""

import json

import pytest

from hstmosaic.store.drizzle_steps import DrizzleSteps
from hstmosaic.store.files import MadeFile
from hstmosaic.store.image_identity import ImageIdentity
from hstmosaic.store.pixel_repair import PixelRepair
from hstmosaic.store.task_results import (
    DrizzleResult,
    PicturesFailure,
    ScreenResult,
    SourcesResult,
    StarShapes,
    TaskSoftware,
)

FILE = MadeFile("a.fits", 2880, "0" * 64, datasum={"PRIMARY": "0"})
REPAIR = PixelRepair({"SCI,1": 3}, constant=("DQ,1",))
RESULTS = [
    ScreenResult(usable=True),
    ScreenResult(usable=True, reason="a remark", shapes=StarShapes(9, 2, 1, 4.5, 30.0), doubtful=True),
    ScreenResult(usable=False, reason="guiding", sha256="1" * 64, repair=REPAIR),
    SourcesResult(0.08, (12, 0), ("sci1.ecsv", ""), (FILE,)),
    DrizzleResult((FILE,), {"a.fits": {"set": ["x_n2"], "driz_cr": False}}, DrizzleSteps(masks=2, lost_masks=("m",))),
    PicturesFailure(-9, "Traceback"),
    TaskSoftware({"drizzlepac": "3.11.0"}, ImageIdentity("hstmosaic:0.1.0", "sha256:1")),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_is_the_same_after_json(result):
    raw = json.loads(json.dumps(result.to_dict()))
    assert type(result).from_dict(raw | {"software": raw.get("software", {}), "unknown": 1}) == result


def test_a_verdict_has_the_keys_of_earlier_versions():
    assert set(RESULTS[2].to_dict()) == {"usable", "reason", "sha256", "repair"}
    assert set(RESULTS[0].to_dict()) == {"usable", "reason"}


def test_a_failed_task_has_no_products():
    assert DrizzleResult.from_dict({"crashed": True}) == DrizzleResult(())


def test_a_task_without_a_verdict_is_an_error():
    with pytest.raises(KeyError):
        ScreenResult.from_dict({"crashed": True})
