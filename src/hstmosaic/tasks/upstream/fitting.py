"""Repair of the WCSs that a fit writes: their label has no description."""

from __future__ import annotations

import functools
import re

from drizzlepac import updatehdr


def name_multivisit_fits() -> None:
    """Let drizzlepac describe WCSs that are called ``...-FIT_MVM_...``, which its multi-visit fit itself makes.

    Its table of labels has no MVM; since 3.7 at least, every update of headers dies of a KeyError, which is swallowed.
    """
    original = updatehdr.interpret_wcsname_type

    @functools.wraps(original)
    def interpret(wcsname: str | None) -> str:
        if wcsname is None or "-FIT_MVM_" not in wcsname.upper():
            return str(original(wcsname))
        by_visit = original(re.sub("-FIT_MVM_", "-FIT_SVM_", wcsname, flags=re.IGNORECASE))
        return str(by_visit).replace("aligned by visit", "aligned across visits")

    updatehdr.interpret_wcsname_type = interpret
