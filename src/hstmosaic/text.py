"""Wording that messages of all rooms share."""

from __future__ import annotations


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: ``1 exposure``, ``2 exposures``.

    Parameters
    ----------
    number : int
        Number of things.
    noun : str
        Singular of what is counted.
    plural : str, optional
        Plural, where it is not the singular with an *s*.

    Returns
    -------
    str
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
