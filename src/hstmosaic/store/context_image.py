"""Layout of the context image of a mosaic, which has a bit for each chip."""

CHIPS_PER_PLANE = 32
"""Bits of its pixels."""


def plane_count(chips: int) -> int:
    """Return the number of planes that the chips of a mosaic need."""
    return -(-chips // CHIPS_PER_PLANE)
