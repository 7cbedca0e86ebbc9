"""Seamless multi-visit mosaics of Hubble exposures, one per filter, on one common grid."""

__version__ = "0.1.0"
