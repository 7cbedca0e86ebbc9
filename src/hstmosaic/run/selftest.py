"""The self-test: whether this installation makes a mosaic, in seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from astropy.io import fits

from hstmosaic.errors import HstMosaicError
from hstmosaic.run.doctor import Finding
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

_CAMERA = "wfc3_ir:F160W:1"
_SUBARRAY = (128, 128)


def try_out() -> list[Finding]:
    """Simulate a small exposure and mosaic it, all in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="hstmosaic-") as folder:
        where = Path(folder)
        simulate_field(requested_field(cameras=[_CAMERA], subarray=_SUBARRAY), where)
        options = RunOptions(
            str(where / "list.txt"), prefix="self-test", skip_alignment=True, learning=False, output=where / "mosaics"
        )
        try:
            outcome = run_mosaic(options, lambda _: None)
        except HstMosaicError as error:
            return [Finding("self-test", False, str(error))]
        if outcome.failures:
            return [Finding("self-test", False, "; ".join(failure.cause for failure in outcome.failures))]
        names = [product.name for layer in outcome.plan.layers for product in layer.products]
        covered = {name: _covered(where / "mosaics" / name) for name in names}
        words = ", ".join(f"{name} ({pixels} pixels with data)" for name, pixels in covered.items())
        return [Finding("self-test", all(covered.values()), f"made {words} in {outcome.seconds:.0f} s")]


def _covered(mosaic: Path) -> int:
    return int((fits.getdata(mosaic, "WHT") > 0).sum())
