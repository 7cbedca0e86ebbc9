"""Alignment at the level of source lists: coincidences, links, one adjustment for all exposures, acceptance."""
