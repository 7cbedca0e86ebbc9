"""Plurals in messages."""

from __future__ import annotations

import pytest

from hstmosaic.text import count_of


@pytest.mark.parametrize(
    ("number", "written"), [(0, "0 exposures"), (1, "1 exposure"), (2, "2 exposures"), (1000, "1000 exposures")]
)
def test_counts_are_written_with_their_plural(number: int, written: str) -> None:
    assert count_of(number, "exposure") == written


def test_an_irregular_plural_is_given_in_full() -> None:
    assert [count_of(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
