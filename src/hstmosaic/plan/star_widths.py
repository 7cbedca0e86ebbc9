"""Usual widths of stars by detector."""

STAR_WIDTHS = {"uvis": 0.085, "wfc": 0.115, "ir": 0.155, "hrc": 0.06, "sbc": 0.08}
"""FWHM of stars, arcsec."""
