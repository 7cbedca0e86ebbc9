"""Time one filter in boxes with one worker and with two, and compare memory with estimates.

    python tests/bench_boxes.py [--exposures 12] [--rows 2051] [--task-memory MB]

Exposures of WFC3/UVIS are simulated with so many rows and columns (``--rows 0``: full frames), and drizzled without an
alignment. The files of both runs must be equal. Wall time needs an idle machine; the load is printed. The length of the
longest chain of CPU times (screening shared by the workers, prepare, the slowest box, assemble) depends on it less.
"""

import argparse
import os
import tempfile
from pathlib import Path

from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.simulate import Pointing, Visit, build_field, simulate_field, sky_cell_corner
from hstmosaic.store.files import sha256
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.task_names import Stage, layer_tasks, stage_of


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", type=int, default=12)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--task-memory", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        size = (given.rows, given.rows) if given.rows else None
        visit = Visit("wfc3_uvis", "F606W", exposures=given.exposures, subarray=size)
        simulate_field(build_field("boxes", Pointing(*sky_cell_corner(), 30.0), [visit], seed=3), root / "exposures")
        walls, files = [], []
        for workers in (1, 2):
            wall, made = timed(root, workers, Profile("local", task_memory_mb=given.task_memory))
            walls.append(wall)
            files.append(made)
    assert files[0] == files[1], "the files differ"
    print(f"2 workers are {walls[0] / walls[1]:.2f} times as fast as 1 by wall time; equal files: {len(files[0])}")


def timed(root, workers, profile):
    """Make the mosaics; print and return what they took, and their checksums."""
    output = root / f"workers-{workers}"
    options = RunOptions(
        str(root / "exposures" / "list.txt"), prefix="x", skip_alignment=True, output=output, workers=workers,
        profile=profile, learning=False,
    )  # fmt: skip
    load = os.getloadavg()[0]
    outcome = run_mosaic(options, lambda event: None)
    wall = outcome.ended - outcome.started
    (layer,) = outcome.plan.layers
    directory = RunDirectory(outcome.directory)
    took = {name: directory.task(name).read_measured() for name in outcome.plan.tasks(aligned=False)}
    screening = sum(one.cpu_seconds for name, one in took.items() if stage_of(name) is Stage.SCREEN)
    parts = [took[name].cpu_seconds for name in layer_tasks(layer.name, layer.boxes)]
    boxes, others = parts[1:-1], parts[:1] + parts[1:][-1:]
    chain = screening / workers + sum(others) + (max(boxes, default=0.0) if workers > 1 else sum(boxes))
    print(f"{workers} workers: {wall:.1f} s, boxes {layer.boxes}, load before {load:.1f}; chain {chain:.1f} CPU s")
    for name in layer_tasks(layer.name, layer.boxes):
        one, estimate = took[name], outcome.plan.estimates[name]
        print(
            f"  {name}: {one.cpu_seconds:.1f} CPU s (estimate {estimate.seconds:.1f}), "
            f"{one.max_rss_mb:.0f} MB (estimate {estimate.memory_mb})"
        )
    return wall, {path.name: sha256(path) for path in output.glob("*_dr?.fits")}


if __name__ == "__main__":
    main()
