"""Reading of catalogue replies for the fit."""

import numpy as np
import pytest
from astropy.wcs import WCS

from hstmosaic.plan.catalog_replies import COLUMNS
from hstmosaic.tasks.alignment.reading import Plane, read_stars

pytestmark = pytest.mark.upstream


def test_stars_without_an_epoch_stand_at_that_of_the_exposures():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = [150.0, 2.0], [1.0, 1.0], np.eye(2) / 3600
    names = COLUMNS["GAIAeDR3"]
    rows = [{"ra": "150.0", "dec": "2.0"}, {"ra": "150.0", "dec": "2.0", "epoch": "2016.0", "pmra": "3", "pmdec": "4"}]
    text = "\r\n".join(
        ["Objects found : 2", ",".join(names), *(",".join(r.get(n, "") for n in names) for r in rows), ""]
    )
    stars, _ = read_stars(text, "USER", Plane(wcs), epoch=2009.5)
    assert stars.epochs.tolist() == [2009.5, 2016.0]
    assert stars.moving.tolist() == [False, True]
    assert np.isfinite(stars.places).all()
