"""Results of the alignment survive JSON, which is how they travel between processes and runs."""

import json
from dataclasses import replace

import pytest

from hstmosaic.store.alignment_results import RELATIVE, AlignmentResult, ExposureFit
from hstmosaic.store.files import MadeFile

FIT = ExposureFit((120.0, -30.0), 0.02, 1.0, 100, 90, (2.0, 3.0), 70, (0.5, 0.75), ((1.0, -2.0), (0.5, 0.25)), "X-FIT")
RESULT = AlignmentResult(
    aligned=True,
    left_out={"c": "no stars"},
    catalog="GAIAeDR3",
    method=RELATIVE,
    fitgeom="rscale",
    matches=70,
    rms_mas=(2.5, 2.75),
    reference_catalog="ref.ecsv",
    headerlets={"a": "a_hlet.fits"},
    exposures={"a": FIT, "b": replace(FIT, rms_mas=None, residuals_mas=())},
    files=(MadeFile("a", 10, "ab", {"SCI,1": "12"}, {"SCI,1": "cd"}),),
    tight_limits=(1, 2, 3, 4),
)


@pytest.mark.parametrize(
    "result", [RESULT, AlignmentResult(aligned=False, cause="no match"), replace(RESULT, files=())]
)
def test_json_gives_the_same_result_back(result):
    assert AlignmentResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_keys_of_later_versions_are_ignored():
    raw = RESULT.to_dict() | {"later": 1}
    raw["exposures"]["a"]["later"] = 2
    assert AlignmentResult.from_dict(raw) == RESULT


@pytest.mark.parametrize("raw", [{}, {"aligned": True, "exposures": {"a": {"shift_mas": [1.0, 2.0]}}}])
def test_other_records_are_not_results(raw):
    with pytest.raises((KeyError, TypeError)):
        AlignmentResult.from_dict(raw)


def test_exposures_are_aligned_where_a_catalogue_anchors_all_of_them():
    found = replace(RESULT, exposures=RESULT.exposures | {"d": replace(FIT, absolute=False)})
    assert found.is_aligned(["a", "b"])
    assert not found.is_aligned(["a", "d"])
    assert not found.is_aligned(["a", "c"])


def test_groups_are_counted():
    assert RESULT.groups == 1
    assert replace(RESULT, exposures={"a": FIT, "b": replace(FIT, group=4)}).groups == 2
