"""The alignment stage alone, on exposures that are not screened."""

from hstmosaic.run.options import RunOptions
from hstmosaic.run.stages.alignment import align
from hstmosaic.run.stages.catalog import Service
from hstmosaic.run.stages.finding_sources import find_sources
from hstmosaic.run.stages.run_state import Run
from hstmosaic.run.stages.scheduler import Scheduler
from hstmosaic.store.events import EventLog


def run_of(plan, directory, pool, *, service=None, listener=None, **options):
    """Return a run of a plan in progress; `options` are those of `RunOptions`."""
    events = EventLog(listener) if listener else EventLog()
    scheduler = Scheduler(directory, pool, plan.versions, events)
    how = RunOptions(plan.source, output=directory.output, **options)
    return Run(plan, how, directory, scheduler, events, service=service or Service(cache=None))


def align_all(run):
    """Find the sources of all exposures of a run and align them."""
    names = [exposure.name for exposure in run.plan.exposures]
    return run.scheduler.run(align(run, names, find_sources(run)))
