"""The scheduler: what waits for what, and which tasks run again."""

from concurrent.futures import Future

import pytest

from hstmosaic.errors import ClusterError
from hstmosaic.plan.estimates import Estimate
from hstmosaic.run.stages.scheduler import Pending, Scheduler, Task, all_of
from hstmosaic.store.events import EventLog
from hstmosaic.store.result_files import TaskResult, write_result
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import StubSpec

NEEDED = Estimate(100, 1.0, 1)


class ScriptedPool:
    """A pool in which tasks end at once, with the results that a test wants."""

    def __init__(self, results=None, *, broken=None):
        self.results, self.broken = results or {}, broken
        self.submitted, self.priorities = [], {}

    def submit(self, folder, estimate, priority=0.0):
        self.submitted.append(folder.name)
        self.priorities[folder.name] = priority
        answer = Future()
        if self.broken:
            answer.set_exception(self.broken)
            return answer
        result = self.results.get(folder.name, TaskResult(ok=True))
        write_result(folder, result)
        answer.set_result((result, None))
        return answer


@pytest.fixture
def directory(tmp_path):
    found = run_directory(tmp_path, "foo")
    found.create()
    return found


def scheduler_of(directory, pool, versions=None):
    return Scheduler(directory, pool, versions or {}, EventLog())


def task(name, number=0, **options):
    return Task(name, StubSpec(memory_mb=number), {}, NEEDED, **options)


def test_results_of_tasks_form_the_specs_of_later_ones(directory):
    boxes = 3
    pool = ScriptedPool({"prepare": TaskResult(ok=True, data={"boxes": boxes})})
    scheduler = scheduler_of(directory, pool)

    async def layer():
        prepared = await scheduler.start_task(task("prepare"))
        numbers = range(prepared.result.data["boxes"])
        drizzled = await all_of([scheduler.start_task(task(f"box{number}", number)) for number in numbers])
        assembled = await scheduler.start_task(task("assemble", len(drizzled)))
        return assembled.directory.name

    assert scheduler.run(layer()) == "assemble"
    assert pool.submitted == ["prepare", "box0", "box1", "box2", "assemble"]
    assert '"memory_mb": 3' in (directory.task("assemble").path / "spec.json").read_text()


def test_coroutines_run_next_to_each_other(directory):
    pool = ScriptedPool()
    scheduler = scheduler_of(directory, pool)

    async def chain(name):
        await scheduler.start_task(task(f"{name}1"))
        await scheduler.start_task(task(f"{name}2"))
        return name

    async def both():
        return await all_of([scheduler.start(chain("a")), scheduler.start(chain("b"))])

    assert scheduler.run(both()) == ["a", "b"]
    assert pool.submitted == ["a1", "b1", "a2", "b2"]


def test_several_coroutines_wait_for_one_task(directory):
    pool = ScriptedPool()
    scheduler = scheduler_of(directory, pool)

    async def user():
        return (await scheduler.start_task(task("shared"))).directory.name

    async def main():
        return await all_of([scheduler.start(user()) for _ in range(3)])

    assert scheduler.run(main()) == ["shared"] * 3
    assert pool.submitted == ["shared"]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({}, []),
        ({"number": 2}, ["a"]),
        ({"is_intact": lambda directory, result: False}, ["a"]),
        ({"priority": 7.0}, []),
    ],
)
def test_a_task_runs_again_only_if_key_or_files_changed(directory, changed, again):
    async def main(scheduler, wanted):
        return await scheduler.start_task(wanted)

    first = scheduler_of(directory, ScriptedPool())
    first.run(main(first, task("a", number=1)))
    pool = ScriptedPool()
    second = scheduler_of(directory, pool)
    ended = second.run(main(second, task("a", **{"number": 1} | changed)))
    assert ended.result.ok
    assert pool.submitted == again


def test_new_versions_of_packages_make_tasks_run_again(directory):
    async def main(scheduler):
        return await scheduler.start_task(task("a"))

    for version in ("1", "2"):
        pool = ScriptedPool()
        scheduler = scheduler_of(directory, pool, {"drizzlepac": version})
        scheduler.run(main(scheduler))
        assert pool.submitted == ["a"]


def test_a_failed_task_is_a_result_and_no_error(directory):
    scheduler = scheduler_of(directory, ScriptedPool({"a": TaskResult(ok=False, error="no stars")}))

    async def main():
        return (await scheduler.start_task(task("a"))).result.error

    assert scheduler.run(main()) == "no stars"


def test_priorities_reach_the_pool(directory):
    pool = ScriptedPool()
    scheduler = scheduler_of(directory, pool)

    async def main():
        await all_of([scheduler.start_task(task(str(number), priority=number)) for number in (3, 5)])

    scheduler.run(main())
    assert pool.priorities == {"3": 3, "5": 5}


def test_an_error_in_a_coroutine_ends_the_run_at_once(directory):
    scheduler = scheduler_of(directory, ScriptedPool())
    closed = []

    async def other():
        try:
            await scheduler.start_task(task("never"))
        finally:
            closed.append(True)

    async def fails():
        raise ValueError("broken")

    async def main():
        await all_of([scheduler.start(other()), scheduler.start(fails())])

    with pytest.raises(ValueError, match="broken"):
        scheduler.run(main())
    assert closed


def test_a_broken_pool_ends_the_run(directory):
    scheduler = scheduler_of(directory, ScriptedPool(broken=ClusterError("no worker")))

    async def main():
        await scheduler.start_task(task("a"))

    with pytest.raises(ClusterError, match="no worker"):
        scheduler.run(main())


def test_waiting_for_an_unstarted_task_is_an_internal_error(directory):
    scheduler = scheduler_of(directory, ScriptedPool())

    async def main():
        await Pending()

    with pytest.raises(RuntimeError, match="internal error"):
        scheduler.run(main())
