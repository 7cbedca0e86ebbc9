"""Runs drizzlepac with parameters of its own configuration file: POLLER PREFIX LIMITS PARAMETERS, the latter two JSON.

PARAMETERS holds the values to change by ``instrument_detector_filter``. In a first run drizzlepac writes the parameters
that it selects and stops; they are changed and given to a second run as its ``input_custom_pars_file``.
"""

import json
import sys
from pathlib import Path

from drizzlepac import hapmultisequencer

from helpers import upstream_perform  # noqa: F401  # fixes two sources of randomness

WRITTEN, CHANGED = "written.json", "changed.json"


def change(parameters: dict[str, dict[str, object]]) -> None:
    """Change the parameters of mosaics in the file that drizzlepac wrote."""
    products = json.loads(Path(WRITTEN).read_text())
    for name, product in products.items():
        for layer, values in parameters.items():
            if layer in name:
                product["default_values"]["astrodrizzle"] |= values
    Path(CHANGED).write_text(json.dumps(products))


if __name__ == "__main__":
    poller, prefix, limits, parameters = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
    common = {"custom_limits": limits, "output_file_prefix": prefix, "skip_gaia_alignment": True}
    create = hapmultisequencer.create_drizzle_products
    hapmultisequencer.create_drizzle_products = lambda *args, **options: sys.exit(0)
    hapmultisequencer.run_mvm_processing(poller, output_custom_pars_file=WRITTEN, **common)
    hapmultisequencer.create_drizzle_products = create
    change(parameters)
    sys.exit(hapmultisequencer.run_mvm_processing(poller, input_custom_pars_file=CHANGED, **common))
