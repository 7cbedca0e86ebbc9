"""The scheduler: coroutines start tasks in the pool and wait for their results."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hstmosaic.store.result_files import TaskResult
from hstmosaic.store.run_directory import task_key
from hstmosaic.store.worker_events import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
    from concurrent.futures import Future

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.run.pool.pool import Answer, Pool
    from hstmosaic.store.events import EventLog
    from hstmosaic.store.measured import Measured
    from hstmosaic.store.run_directory import RunDirectory, TaskDirectory
    from hstmosaic.store.task_specs import TaskSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """A task of a stage."""

    name: str
    spec: TaskSpec
    inputs: Mapping[str, tuple[int, int]] = field(repr=False)
    """State of each file that the task reads, as `task_key` has it."""
    estimate: Estimate
    priority: float = 0.0
    """The pool serves the highest first."""
    is_intact: Callable[[TaskDirectory, TaskResult], bool] = field(default=lambda _task, _result: True, repr=False)
    """True if the files of a result from an earlier start still serve."""
    same_as: TaskSpec | None = field(default=None, repr=False)
    """The specification that its key is made of, if another way to the same result decides it."""


@dataclass(frozen=True)
class EndedTask:
    """A task that ended."""

    directory: TaskDirectory
    result: TaskResult
    measured: Measured | None = None
    """Missing for a result of an earlier start, and where no attempt ran to an end."""


class Pending(Generic[T]):
    """A value that coroutines wait for with ``await``."""

    _value: T

    def __init__(self) -> None:
        self.done = False
        self.waiting: list[tuple[Coroutine[Any, Any, Any], Pending[Any]]] = []

    @property
    def value(self) -> T:
        """The value, once it is there."""
        return self._value

    def set(self, value: T) -> None:
        """Give the value, once."""
        self._value, self.done = value, True

    def __await__(self) -> Generator[Pending[T], None, T]:
        while not self.done:
            yield self
        return self._value


class Scheduler:
    """Runs coroutines, which start tasks and ``await`` their results.

    It handles tasks, keys, results of earlier starts and priorities, whatever the tasks do. The event loop of
    asyncio does not serve here: a notebook runs one already in the same thread, and it would turn an interrupt into a
    cancellation.

    Parameters
    ----------
    directory : RunDirectory
        Where tasks live; a finished task with the same key does not run again.
    pool : Pool
        Runs the tasks, and repeats them where that can help.
    versions : mapping of str to str
        Of the packages that results depend on.
    events : EventLog
        Receives an event for each task that was finished before.
    """

    def __init__(self, directory: RunDirectory, pool: Pool, versions: Mapping[str, str], events: EventLog) -> None:
        self.directory, self.pool, self.versions, self.events = directory, pool, versions, events
        self._started: dict[tuple[str, str], Pending[EndedTask]] = {}
        self._open: dict[Coroutine[Any, Any, Any], Pending[Any]] = {}
        self._ready: deque[tuple[Coroutine[Any, Any, Any], Pending[Any]]] = deque()
        self._in_pool = 0
        self._ended: SimpleQueue[tuple[Pending[EndedTask], TaskDirectory, Future[Answer]]] = SimpleQueue()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and all that it starts.

        Parameters
        ----------
        main : coroutine
            The coroutine of the run.

        Returns
        -------
        T
            What it returns.

        Raises
        ------
        Exception
            What any of the coroutines raises, at once; the others are abandoned.
        ClusterError
            If the pool cannot run tasks.
        """
        try:
            end = self.start(main)
            while not end.done:
                if self._ready:
                    self._advance(*self._ready.popleft())
                    continue
                if not self._in_pool:
                    raise RuntimeError("internal error: the stages wait for a task that nobody started")
                pending, directory, answer = self._ended.get()
                self._in_pool -= 1
                self._settle(pending, EndedTask(directory, *answer.result()))
            return end.value
        finally:
            for coroutine in [*self._open]:
                coroutine.close()
            self._open.clear()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Pending[T]:
        """Start a coroutine next to the present one, and return its end."""
        end: Pending[T] = Pending()
        self._open[coroutine] = end
        self._advance(coroutine, end)
        return end

    def start_task(self, task: Task) -> Pending[EndedTask]:
        """Have a task run unless it is finished already, or was started in this run with the same key."""
        key = self.key(task)
        if (task.name, key) in self._started:
            return self._started[task.name, key]
        pending = self._started[task.name, key] = Pending[EndedTask]()
        directory = self.directory.task(task.name)
        finished = directory.finished(key)
        if finished is not None and task.is_intact(directory, finished):
            self.events.emit(Skipped(task.name), f"{task.name} was finished before", "debug")
            pending.set(EndedTask(directory, finished))
            return pending
        directory.prepare(task.spec, key)
        answer = self.pool.submit(directory.path, task.estimate, task.priority)
        self._in_pool += 1
        answer.add_done_callback(lambda answer: self._ended.put((pending, directory, answer)))
        return pending

    def finished(self, task: Task) -> EndedTask | None:
        """Return the end of a task that an earlier start finished with the same key, whatever became of its files."""
        directory = self.directory.task(task.name)
        result = directory.finished(self.key(task))
        return None if result is None else EndedTask(directory, result)

    def key(self, task: Task) -> str:
        """Return the key of a task."""
        return task_key(task.same_as or task.spec, task.inputs, self.versions)

    def _advance(self, coroutine: Coroutine[Any, Any, Any], end: Pending[Any]) -> None:
        try:
            awaited: Pending[Any] = coroutine.send(None)
        except StopIteration as stop:
            del self._open[coroutine]
            self._settle(end, stop.value)
        else:
            awaited.waiting.append((coroutine, end))

    def _settle(self, pending: Pending[Any], value: Any) -> None:
        pending.set(value)
        self._ready.extend(pending.waiting)


async def all_of(pending: Iterable[Pending[T]]) -> list[T]:
    """Wait for several values, and return them in the same order."""
    return [await one for one in pending]
