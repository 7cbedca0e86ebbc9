"""Preview of the job scripts of a run, without submitting them."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from hstmosaic.plan.build import make_plan
from hstmosaic.run.history import learned_for, place_of
from hstmosaic.run.pool.placement import Need, pack
from hstmosaic.run.profiles.image import folders_of
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_names import stage_of
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.run.options import RunOptions


def shown_jobs(options: RunOptions) -> str:
    """Return the scripts of the first jobs of each stage, as a run with these options would submit them.

    Parameters
    ----------
    options : RunOptions
        Options of the run.
    """
    profile = options.profile
    if profile.cluster != "slurm":
        return f"# profile {profile.name}: tasks run where the command runs; no job is submitted"
    # only needed to submit jobs
    import dask.config

    from hstmosaic.run.slurm.jobs import job_limits, job_name, job_script

    learned = learned_for(place_of(profile), enabled=options.learning)
    plan = make_plan(
        options.source,
        prefix=options.product_prefix,
        strict=options.strict,
        keep=options.keep,
        learned=learned,
        request=options.request,
        division=options.division,
    )
    directory = run_directory(options.output.absolute(), plan.prefix)
    stages: dict[str, list[Estimate]] = {}
    for task, estimate in plan.tasks(aligned=options.aligned).items():
        stages.setdefault(stage_of(task).label, []).append(estimate)
    shown, slots = [], options.workers or math.inf
    with dask.config.set(dict(profile.seeing(folders_of(plan, directory.output)).dask)):
        limits = job_limits(profile)
        for stage, estimates in stages.items():
            needs = [
                Need(estimate.memory_mb, estimate.seconds, disk_mb=estimate.disk_mb if profile.scratch_option else 0)
                for estimate in estimates
            ]
            for need in needs:
                if limits.rejection(need):
                    shown.append(f"# {stage}: a task {limits.rejection(need)}\n")
            sizes = sorted(
                pack(needs, limits, profile.max_jobs, slots), key=lambda size: (-size.memory_mb, -size.seconds)
            )
            for size, same in groupby(sizes):
                script = job_script(size, job_name(directory), directory.job_logs, profile)
                shown.append(
                    f"# {stage}: {count_of(len(list(same)), 'job')} for {count_of(len(needs), 'task')}\n{script}"
                )
    return "\n".join(shown)
