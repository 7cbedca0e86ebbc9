"""Region files for DS9: where the exposures of a product lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from astropy.coordinates import SkyCoord
from regions import PolygonSkyRegion, Regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstmosaic.plan.outlines import Outline

_GLOBAL = re.compile(r"^global .*$", re.MULTILINE)
_SETTING = re.compile(r"\w+=(?:\{[^}]*\}|\S+)")


def ds9_text(regions: Regions) -> str:
    """Return the text of a region file, the same for the same regions.

    The library writes what regions have in common in the order of a set.
    """
    text = str(regions.serialize(format="ds9"))
    return _GLOBAL.sub(lambda line: " ".join(["global", *sorted(_SETTING.findall(line[0]))]), text)


def exposure_regions(outlines: Iterable[Outline], colors: Mapping[str, str], dashed: Iterable[str] = ()) -> Regions:
    """Make regions of exposures.

    Parameters
    ----------
    outlines : iterable of Outline
        The exposures.
    colors : mapping of str to str
        Colour of each layer.
    dashed : iterable of str
        Names of the exposures that are left out.

    Returns
    -------
    regions.Regions
        A polygon for each chip, with the exposure's name as its text and the layer as its tag.
    """
    left_out = set(dashed)
    made = []
    for outline in outlines:
        visual = {"color": colors.get(outline.layer, "white"), "dash": int(outline.name in left_out)}
        for chip in outline.chips:
            corners = SkyCoord(chip, unit="deg", frame="icrs")
            meta = {"text": outline.name, "tag": [outline.layer]}
            made.append(PolygonSkyRegion(corners, meta=meta, visual=dict(visual)))
    return Regions(made)
