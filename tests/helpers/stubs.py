"""Placeholder tasks in a pool on the throw-away Slurm."""

from contextlib import contextmanager
from dataclasses import dataclass

from helpers.mini_slurm import wait_until
from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.node.task import TaskOptions
from hstmosaic.run.profiles.profile import profile_from_yaml
from hstmosaic.run.slurm.pool import slurm_pool
from hstmosaic.store.events import EventLog
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec

PROFILE = """
jobqueue:
  slurm: {cores: 2, memory: 3GB, walltime: "00:05:00", interface: lo, death-timeout: 30, queue: batch}
hstmosaic: {cluster: slurm, max-jobs: 4}
"""
SMALL = 300
PATIENCE = 400.0
"""Seconds after which a test gives up waiting; a busy machine is slow."""


def profile(text=PROFILE, **changes):
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return profile_from_yaml(text, "test")


@dataclass
class Bench:
    """A pool, its run directory and its events."""

    pool: object
    directory: object
    events: list

    def start(self, name, estimate_mb=SMALL, seconds=1.0, priority=0.0, disk_mb=1, **spec):
        task = self.directory.task(name)
        task.prepare(StubSpec(seconds=seconds, **spec), "key")
        return self.pool.submit(task.path, Estimate(estimate_mb, seconds, disk_mb), priority)

    def emitted(self, kind):
        return [event for event in self.events if event.kind == kind]

    def started(self, name):
        """Wait until the process of a task has made its log."""
        return wait_until(self.directory.task(name).log.exists)


@contextmanager
def bench(folder, given=None, workers=None, *, keep_work=False, timing=None):
    directory = run_directory(folder, "stub")
    directory.create()
    events = []
    given = given or profile()
    options = TaskOptions(given.scratch, keep_work)
    with slurm_pool(given, directory, EventLog(events.append), options, workers, timing) as pool:
        yield Bench(pool, directory, events)
