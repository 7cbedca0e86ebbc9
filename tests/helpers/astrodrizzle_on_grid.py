"""Runs AstroDrizzle on the exposures of this directory: OUTPUT REFERENCE PARAMETERS, the latter JSON.

REFERENCE is the FITS image whose grid is used; PARAMETERS are those of a mosaic in its provenance.
"""

import json
import sys
from pathlib import Path

from drizzlepac.astrodrizzle import AstroDrizzle

if __name__ == "__main__":
    output, reference, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    for name in ("set", "runfile", "rules_file", "final_refimage", "final_rot"):
        parameters.pop(name, None)
    exposures = sorted(path.name for path in Path().glob("*_fl?.fits"))
    AstroDrizzle(exposures, output=output, final_refimage=reference, final_rot=None, **parameters)
