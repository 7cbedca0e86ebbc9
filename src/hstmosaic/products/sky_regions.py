"""Region files for DS9: where the exposures of a product lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.coordinates import SkyCoord
from regions import PolygonSkyRegion, Regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstmosaic.plan.outlines import Outline


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
