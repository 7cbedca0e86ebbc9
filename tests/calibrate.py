"""Measure what real tasks take over a spread of sizes, and compare it with what the plan estimates.

    python tests/calibrate.py [--fields demo corner ...] [--list FILE] [--keep FILE]   # measures (half an hour for all)
    python tests/calibrate.py --worker                                                 # the worker of a job
    python tests/calibrate.py --measured FILE                                          # prints what was measured

Every field is simulated, screened, aligned to a catalogue of its own stars and drizzled by real drizzlepac in processes
of their own; ``--list`` adds exposures of yours, which are not aligned. Memory is the peak of a task's process. Time is
CPU seconds, which other work on the machine disturbs least.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from astropy.table import Table
from scipy.optimize import nnls

from helpers.catalog_service import Stars, catalog_service
from hstmosaic.plan.alignment import fit_order
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.estimates import MEMORY_MB, SECONDS, Sizes, box_sizes, model, sizes_of
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.node.task import run_task
from hstmosaic.run.options import RunOptions
from hstmosaic.simulate import (
    Pointing,
    PointingError,
    Visit,
    build_field,
    corner_field,
    demo_field,
    make_scene,
    simulate_field,
    sky_cell_corner,
    three_camera_field,
)
from hstmosaic.store.run_directory import TaskDirectory
from hstmosaic.store.task_names import layer_of
from hstmosaic.store.task_specs import ScreenSpec

OBSERVED = 2012.2


def field(name, *visits, dither=2.5, density=60.0, seed=5):
    """Visits around a corner of sky cells with stars enough for an alignment."""
    pointing = Pointing(*sky_cell_corner(), 25.0)
    reach = max(np.hypot(*visit.offset) for visit in visits) / 60 + 2.2
    scene = make_scene(pointing.ra, pointing.dec, float(reach), density=density, galaxies=20, seed=seed)
    return build_field(name, pointing, visits, scene=scene, dither=dither, seed=seed, program=name[:3].ljust(3, "x"))


def uvis(exposures, size=None, **more):
    return Visit("wfc3_uvis", "F606W", exposures=exposures, subarray=size and (size, size), **more)


def acs(exposures, size=None, **more):
    return Visit("acs_wfc", "F814W", exposures=exposures, subarray=size and (size, size), **more)


def infrared(exposures, size=None, **more):
    return Visit("wfc3_ir", "F160W", exposures=exposures, subarray=size and (size, size), **more)


UNALIGNED = ("deep", "ac10", "ir30", "tile")
"""Fields that only show what drizzling takes."""
ERROR = PointingError(0.2, -0.1, 0.0)
FIELDS = {
    "demo": demo_field,
    "three": three_camera_field,
    "corner": corner_field,
    "uv1": lambda: field("uv1", uvis(1)),
    "uv8": lambda: field("uv8", uvis(8), dither=8.0),
    "sub": lambda: field("sub", uvis(3, 512), acs(2, 512), infrared(2, 256), density=300.0),
    "mid": lambda: field("mid", uvis(4, 2048), acs(4, 1024), dither=20.0, density=150.0),
    "ac4": lambda: field("ac4", acs(4)),
    "acw": lambda: field("acw", acs(2), acs(2, offset=(240.0, 150.0), error=ERROR)),
    "ir1": lambda: field("ir1", infrared(1)),
    "ir8": lambda: field("ir8", infrared(8), dither=4.0),
    "irw": lambda: field("irw", infrared(2), infrared(2, offset=(360.0, 240.0), error=ERROR), dither=30.0),
    "deep": lambda: field("deep", uvis(16), dither=8.0),
    "ac10": lambda: field("ac10", acs(10), dither=4.0),
    "ir30": lambda: field("ir30", infrared(30), dither=4.0),
    "tile": lambda: field("tile", *(uvis(1, offset=(170.0 * (k % 2), 170.0 * (k // 2))) for k in range(6))),
    "uvw": lambda: field("uvw", uvis(1), uvis(1, offset=(360.0, -240.0)), infrared(1, offset=(100.0, 0.0))),
}


def measured(plan, run):
    """Yield a row for every task of a run that has ended."""
    exposures = {exposure.name.removesuffix(".fits"): exposure for exposure in plan.exposures}
    layers = {layer.name: layer for layer in plan.layers}
    for path in sorted(run.glob("tasks/*/measured.json")):
        kind, _, name = path.parent.name.partition("-")
        took = json.loads(path.read_text())
        if not json.loads((path.parent / "result.json").read_text())["ok"]:
            print(f"{path.parent.name} failed", file=sys.stderr)
            continue
        grids, boxes, touched = [], 1, 1.0
        if kind == "align":
            members = fit_order(plan.exposures)
        elif kind == "drizzle":
            layer = layers[layer_of(path.parent.name)]
            boxes, touched = max(len(list(run.glob(f"tasks/drizzle-{layer.name}.box*"))), 1), layer.touched
            members = [plan.exposure(name) for name in layer.exposures]
            grids = [product.grid for product in layer.products]
            kind = kind if boxes == 1 else name.partition(".")[2].rstrip("0123456789") or "assemble"
        else:
            members = [exposures[name]]
        sizes = sizes_of(members, grids, touched)
        if kind == "box":
            sizes = box_sizes(sizes, boxes)
        yield {
            "kind": kind,
            "camera": f"{members[0].instrument}_{members[0].detector}",
            "sizes": {key: round(value, 4) for key, value in asdict(sizes).items()},
            "memory_mb": took["max_rss_mb"],
            "cpu_s": took["cpu_seconds"],
            "wall_s": took["wall_seconds"],
        }


def run_list(path, folder, *, align):
    started = time.time()
    options = RunOptions(source=str(path), skip_alignment=not align, output=folder, log_level="error", learning=False)
    outcome = run_mosaic(options, lambda event: event.level in ("warning", "error") and print(event.message))
    print(f"{path}: {time.time() - started:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return list(measured(make_plan(str(path)), outcome.directory))


def measure(name):
    with tempfile.TemporaryDirectory(prefix="calibrate-") as temporary:
        folder = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        simulate_field(FIELDS[name](), folder / "exposures")
        stars = Stars.from_truth(Table.read(folder / "exposures" / "truth.ecsv"), OBSERVED)
        with catalog_service(stars) as service:
            os.environ["ASTROMETRIC_CATALOG_URL"] = service.url
            rows = run_list(folder / "exposures" / "list.txt", folder / "out", align=name not in UNALIGNED)
    return [{"field": name} | row for row in rows]


def fitted(rows, names, target):
    """Return the factors of a model without negative parts that has the smallest relative errors, and these."""
    y = np.array([row[target] for row in rows])
    x = np.array([[row["sizes"][name] for name in names] for row in rows], dtype=float)
    factors, _ = nnls(x / y[:, None], np.ones(len(rows)))
    return dict(zip(names, factors, strict=True)), y / (x @ factors)


def total(sizes, linear):
    return sum(factor * sizes[name] for name, factor in linear.items())


def show(rows):
    for row in rows:
        row["model_mb"], row["model_s"] = model(row["kind"], Sizes(**row["sizes"]))
    for row in sorted(rows, key=lambda row: (row["kind"], row["memory_mb"])):
        print(
            "{kind:8} {field:7} {camera:10} {sizes[exposures]:2} exposure(s) {sizes[detector]:6.1f} Mpx -> "
            "{sizes[largest]:6.1f} Mpx: {memory_mb:6.0f} of {model_mb:5} MB, {cpu_s:6.1f} of {model_s:6.1f} s "
            "CPU".format(**row)
        )
    for kind in MEMORY_MB:
        some = [row for row in rows if row["kind"] == kind]
        if not some:
            continue
        print(f"\n{kind}: {len(some)} task(s)")
        for what, unit, models in (("memory_mb", "model_mb", MEMORY_MB[kind]), ("cpu_s", "model_s", [SECONDS[kind]])):
            ratios = [row[what] / row[unit] for row in some]
            print(
                f"  {what:9} measured / estimated: median {statistics.median(ratios):.2f}, "
                f"{min(ratios):.2f} to {max(ratios):.2f}"
            )
            for linear in models:
                ruled = [row for row in some if max(models, key=partial(total, row["sizes"])) is linear]
                if ruled:
                    factors, errors = fitted(ruled, list(linear), what)
                    values = ", ".join(f"{name} {value:.4g}" for name, value in factors.items())
                    print(
                        f"            best fit of {len(ruled)}: {values}; "
                        f"measured / fit {errors.min():.2f} to {errors.max():.2f}"
                    )


def worker():
    """Print what the worker of a job takes before it has tasks, and how long its first one waits."""
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        simulate_field(field("one", infrared(1, 128)), Path(folder))
        task = TaskDirectory(Path(folder) / "task")
        task.prepare(ScreenSpec(path=str(next(Path(folder).glob("*_flt.fits")))), "key")
        command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--no-nanny"]
        command += ["--nthreads", "2", "--memory-limit", "0", "--no-dashboard", "--preload", "hstmosaic.run.worker"]
        started = time.monotonic()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)
        client.submit(run_task, str(task.path)).result()
        waited = time.monotonic() - started
        own = psutil.Process(process.pid)
        memory = [part.memory_info().rss / 1e6 for part in (own, *own.children(recursive=True))]
        process.terminate()
        process.wait()
    parts = " + ".join(f"{part:.0f}" for part in memory)
    print(f"worker: {sum(memory):.0f} MB ({parts}), first task done after {waited:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", nargs="*", default=list(FIELDS), choices=list(FIELDS))
    parser.add_argument("--list", type=Path, help="a list of exposures to measure too")
    parser.add_argument("--keep", type=Path, help="append what is measured to this file")
    parser.add_argument("--worker", action="store_true", help="measure the worker of a job instead")
    parser.add_argument("--measured", type=Path, help="print what this file holds, and measure nothing")
    given = parser.parse_args()
    if given.measured:
        show([json.loads(line) for line in given.measured.read_text().splitlines()])
        return
    if given.worker:
        worker()
        return
    rows = []
    for name in given.fields + (["list"] if given.list else []):
        if name == "list":
            with tempfile.TemporaryDirectory(prefix="calibrate-") as folder:
                found = [{"field": name} | row for row in run_list(given.list, Path(folder), align=False)]
        else:
            found = measure(name)
        rows += found
        if given.keep:
            with given.keep.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in found)
    show(rows)


if __name__ == "__main__":
    main()
