"""Records of processing steps show fallbacks, and survive JSON."""

import json
from dataclasses import asdict, replace

import pytest

from hstmosaic.store.drizzle_steps import ChipSky, DrizzleSteps, ProcessingStep, SkyMatching

A, B, C = (f"x-{letter}_flc.fits" for letter in "abc")
MATCHED = SkyMatching((A, B, C), "match", groups=((A, B, C),), chips=(ChipSky(A, 1, 0.0), ChipSky(B, 1, 0.3)))
SEPARATE = replace(MATCHED, groups=((A, B), (C,)))


def test_matched_skies_are_no_fallback():
    assert MATCHED.warnings() == []


def test_separate_groups_are_a_remark():
    (warning,) = SEPARATE.warnings()
    assert not warning.strict
    assert "2 groups that do not overlap (a_flc.fits and 1 more; c_flc.fits)" in warning.message


def test_overlap_without_good_pixels_is_a_fallback():
    (warning,) = replace(SEPARATE, blank=((B, C),)).warnings()
    assert warning.strict
    assert "no good pixel" in warning.message


@pytest.mark.parametrize(
    ("matching", "message"),
    [
        (replace(MATCHED, errors=("AttributeError: x",)), "sky matching failed (AttributeError: x)"),
        (replace(MATCHED, method="localmin"), "the skies of a_flc.fits, b_flc.fits, c_flc.fits were not matched"),
        (replace(MATCHED, chips=(ChipSky(B, 1, float("nan")),)), "the sky of b_flc.fits is not a number"),
    ],
)
def test_skies_that_are_not_matched_are_a_fallback(matching, message):
    (warning,) = matching.warnings()
    assert (warning.step, warning.strict) == (ProcessingStep.SKY_MATCHING, True)
    assert warning.message.startswith(message)


def test_equal_fallbacks_of_two_mosaics_are_reported_once():
    assert len(DrizzleSteps(skies=(SEPARATE, SEPARATE)).warnings()) == 1


def test_steps_are_the_same_after_json():
    blank = replace(SEPARATE, blank=((B, C),), errors=("x",))
    steps = DrizzleSteps((MATCHED, blank), masks=2, lost_masks=("m",), lost_chips=(f"{A}[sci,1]",))
    assert DrizzleSteps.from_dict(json.loads(json.dumps(asdict(steps)))) == steps
