"""The alignment stage against drizzlepac's serial joint fit (repaired); prints JSON.

Run as ``python tests/bench_align.py [rounds] [rows]``; rows 0 (the default) means full frames. Both get the same six
exposures of three cameras and the same catalogue service, and pay for their own import of drizzlepac. Times are wall
seconds, memory is the largest of a single process in 10^6 bytes.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from astropy.table import Table

from helpers.alignment_fields import OBSERVED, three_cameras
from helpers.catalog_service import Stars, catalog_service
from hstmosaic.simulate import simulate_field, three_camera_field

SERIAL = """
import json, resource, shutil, sys, time
started = time.time()
from pathlib import Path
from types import SimpleNamespace
from drizzlepac.haputils import product
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.tasks.upstream import fitting
from hstmosaic.tasks.sources import alignment_parameters
order = fit_order(make_plan(sys.argv[1]).exposures)
fitting.name_multivisit_fits()
parameters = alignment_parameters(order[0].instrument, order[0].detector)
joint = product.FilterProduct("hst", "bench", "wfc3", "uvis", "", "metawcs", "all", "all", 20)
joint.configobj_pars = SimpleNamespace(get_pars=lambda _: parameters)
for e in order:
    shutil.copyfile(e.path, e.name)
    joint.add_member(SimpleNamespace(full_filename=e.name, headerlet_filename="h_" + e.name, crclean=False))
table, _ = joint.align_to_gaia(catalog_list=["GAIAeDR3"], output=False, fit_label="MVM")
assert table is not None
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"seconds": time.time() - started, "memory_mb": memory}))
"""
STAGE = """
import json, sys, time
started = time.time()
from pathlib import Path
from hstmosaic.plan.build import make_plan
from hstmosaic.run.pool.local import local_cluster
from hstmosaic.store.run_directory import run_directory
plan = make_plan(sys.argv[1])
directory = run_directory(Path.cwd(), "bench")
directory.create()
sys.path.insert(0, sys.argv[2])
from helpers.aligned_stage import align_all, run_of
with local_cluster() as client:
    found = align_all(run_of(plan, directory, client)).result
assert found.aligned, found.cause
seconds = time.time() - started
measured = [json.loads(path.read_text()) for path in directory.path.glob("tasks/*/measured.json")]
print(json.dumps({"seconds": seconds, "memory_mb": max(m["max_rss_mb"] for m in measured)}))
"""


def once(code: str, source: Path, url: str) -> dict[str, float]:
    """Run one side in a fresh directory."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code, str(source), str(Path(__file__).parent)],
            cwd=folder,
            env=os.environ | {"ASTROMETRIC_CATALOG_URL": url},
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure alternately and print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    field = three_cameras(rows=rows) if rows else three_camera_field()
    with tempfile.TemporaryDirectory() as folder:
        simulate_field(field, Path(folder))
        source = Path(folder) / "list.txt"
        stars = Stars.from_truth(Table.read(Path(folder) / "truth.ecsv"), OBSERVED)
        with catalog_service(stars) as service:
            measured = [(once(SERIAL, source, service.url), once(STAGE, source, service.url)) for _ in range(rounds)]
    report = {}
    for what in ("seconds", "memory_mb"):
        serial, stage = (statistics.median(side[what] for side in sides) for sides in zip(*measured, strict=True))
        report[what] = {"upstream": round(serial, 1), "hstmosaic": round(stage, 1), "ratio": round(stage / serial, 3)}
    print(json.dumps({"cores": len(os.sched_getaffinity(0)), "rounds": rounds} | report, indent=1))


if __name__ == "__main__":
    main()
