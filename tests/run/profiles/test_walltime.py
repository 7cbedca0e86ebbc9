"""Walltimes in Slurm's notation."""

import math

import pytest

from hstmosaic.run.profiles.walltime import format_walltime, parse_walltime


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("2:30", 150),
        ("01:00:05", 3605),
        ("1-12", 129600),
        ("1-00:30", 88200),
        ("2-01:00:01", 176401),
        ("UNLIMITED", math.inf),
        ("infinite", math.inf),
    ],
)
def test_times_in_the_notation_of_slurm(text, seconds):
    assert parse_walltime(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5"])
def test_invalid_times(text):
    with pytest.raises(ValueError, match="invalid time"):
        parse_walltime(text)


def test_times_are_rounded_up_to_minutes():
    assert [format_walltime(seconds) for seconds in (1, 60, 61, 3600, 90000)] == [
        "00:01:00",
        "00:01:00",
        "00:02:00",
        "01:00:00",
        "25:00:00",
    ]
