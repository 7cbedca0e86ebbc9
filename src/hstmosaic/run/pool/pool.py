"""Pool that hands tasks to workers."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.losses import (
    START_FAILURE_STEP,
    Cause,
    Loss,
    ZygoteEndedError,
    describe_error,
    last_line,
    loss_of,
    retry_cause,
)
from hstmosaic.run.node.task import TaskOptions, run_task
from hstmosaic.run.pool.placement import Capacity, Need, in_order, place, short_of_memory
from hstmosaic.run.pool.retry_policy import limit_reached, next_need
from hstmosaic.store.measured import Measured
from hstmosaic.store.result_files import RESULT_FILE, TaskResult, read_result
from hstmosaic.store.worker_events import Ended, MemoryLimit, Retrying, Running, RunsAlone, Unable, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from distributed import Client

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.run.pool.worker_source import Worker, WorkerSource
    from hstmosaic.store.events import EventLog

Answer = tuple[TaskResult, Measured | None]
_SETTLE_SECONDS = 5.0
_FETCH_SECONDS = 10.0
_UNKNOWN = Loss(Cause.WORKER, "")
_UNABLE_WORKERS = 3
"""After that many workers in a row whose processes cannot start, the run ends: the next one would also fail."""


@dataclass(eq=False)
class QueuedTask:
    """A task in the pool."""

    folder: Path
    need: Need
    disk_mb: float
    """Estimated size of its files, 10^6 bytes."""
    attempt: int = 1
    answer: Future[Answer] = field(default_factory=Future)
    worker: str = ""
    running: Any = None
    """Dask's future of the attempt that runs."""
    lost_since: float = 0.0
    loss: Loss = _UNKNOWN
    """Loss of the last attempt, if its worker reported it."""

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.folder.name


class Pool:
    """Hands tasks to workers, those of the highest priority and the longest first, from a thread of its own.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    workers : WorkerSource
        Its workers.
    events : EventLog
        Receives the events.
    task_options : TaskOptions, optional
        How workers run tasks.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        client: Client,
        workers: WorkerSource,
        events: EventLog,
        task_options: TaskOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client, self.workers, self.events, self._clock = client, workers, events, clock
        self.task_options = task_options or TaskOptions()
        self._inbox: queue.SimpleQueue[tuple[QueuedTask, Any] | None] = queue.SimpleQueue()
        self._waiting: list[QueuedTask] = []
        self._running: list[QueuedTask] = []
        self._unsettled: list[QueuedTask] = []
        self._unanswered: list[QueuedTask] = []
        self._closing = False
        self._broken: BaseException | None = None
        self._reported: dict[str, Capacity] = {}
        self._memory_reported = False
        self._unable: set[str] = set()
        self._unable_in_a_row = 0
        self._thread = threading.Thread(target=self._serve, daemon=True, name="pool")
        self._thread.start()

    def submit(self, folder: Path, estimate: Estimate, priority: float = 0.0) -> Future[Answer]:
        """Run the task of a prepared directory.

        Parameters
        ----------
        folder : pathlib.Path
            The task directory.
        estimate : Estimate
            Of the task.
        priority : float
            The highest is served first.

        Returns
        -------
        concurrent.futures.Future
            Of the result, and of the measurements if the task ran to its end. It raises `ClusterError` if the pool
            cannot run any task.

        Raises
        ------
        ClusterError
            If no worker that can be had is large enough.
        """
        need = self.workers.adjust(Need(estimate.memory_mb, estimate.seconds, priority, estimate.disk_mb))
        task = QueuedTask(folder, need, estimate.disk_mb)
        if need.memory_mb < estimate.memory_mb:
            limit = self.workers.memory_limit
            message = (
                f"{task.name} is estimated to need {estimate.memory_mb} MB; it runs alone, with all "
                f"{need.memory_mb} MB ({limit})"
            )
            self.events.emit(RunsAlone(limit, need.memory_mb, task.name), message)
        self._inbox.put((task, None))
        return task.answer

    def check(self, estimates: Iterable[Estimate]) -> None:
        """Raise `ClusterError` if a task is larger than any worker that can be had."""
        for estimate in estimates:
            self.workers.adjust(Need(estimate.memory_mb, estimate.seconds, disk_mb=estimate.disk_mb))

    def close(self) -> None:
        """Stop handing out tasks. Running tasks end with the workers, which the caller ends."""
        self._closing = True
        self._inbox.put(None)
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._read_inbox()
                if not self._closing:
                    self._step()
        except BaseException as error:  # raised in the threads that wait for tasks
            self._broken = error
        while not self._closing or not self._inbox.empty():
            self._fail_unanswered()
            message = self._inbox.get()
            if message is not None and message[1] is None:
                self._unanswered.append(message[0])
        self._fail_unanswered()

    def _fail_unanswered(self) -> None:
        for task in self._unanswered:
            if self._broken is not None:
                task.answer.set_exception(self._broken)
            else:
                task.answer.cancel()
        self._unanswered = []

    def _read_inbox(self) -> None:
        try:
            message = self._inbox.get(timeout=self.workers.period)
            while message is not None:
                task, ended = message
                if ended is None:
                    self._waiting.append(task)
                    self._unanswered.append(task)
                elif task in self._running and task.running is ended:
                    self._end(task, ended)
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass

    def _step(self) -> None:
        self.workers.refresh()
        workers = self.workers.workers()
        self._report_workers({name: worker.capacity for name, worker in workers.items()})
        for task in [task for task in self._running if task.worker not in workers]:
            self._set_aside(task, _UNKNOWN)
        for task in list(self._unsettled):
            self._settle(task, workers.keys())
        needs = [task.need for task in self._waiting]
        names = place(needs, self._free(workers.values()))
        for task, name in [(self._waiting[i], names[i]) for i in in_order(needs)]:
            if name is not None:
                self._start(task, name, workers[name].address)
        if self._waiting and not self._memory_reported and self.workers.largest_mb is not None:
            self._report_memory(self._free(workers.values()))
        busy = {task.worker for task in [*self._running, *self._unsettled]}
        self.workers.scale([task.need for task in self._waiting], busy)

    def _report_workers(self, connected: dict[str, Capacity]) -> None:
        sizes = {name: (capacity.slots, capacity.memory_mb) for name, capacity in connected.items()}
        if sizes == {name: (capacity.slots, capacity.memory_mb) for name, capacity in self._reported.items()}:
            return
        self._reported = connected
        slots, memory = sum(slots for slots, _ in sizes.values()), sum(memory for _, memory in sizes.values())
        message = f"workers: {len(sizes)}, tasks at a time: {slots}, memory: {memory} MB"
        self.events.emit(Workers(len(sizes), slots, memory), message, "debug")

    def _report_memory(self, free: list[Capacity]) -> None:
        """Report once that a task waits for memory while a core is idle; those that must be alone wait in any case."""
        needs = [task.need for task in self._waiting if task.need.memory_mb != self.workers.largest_mb]
        need = short_of_memory(needs, free)
        if need is None:
            return
        self._memory_reported = True
        limit, running = self.workers.memory_limit, len(self._running)
        cores = sum(capacity.slots for capacity in self._reported.values())
        total = sum(capacity.memory_mb for capacity in self._reported.values())
        message = (
            f"memory, not cores, limits the tasks at a time: {running} of {cores} run, the next one needs "
            f"{need.memory_mb} MB, and all may use {total} MB ({limit})"
        )
        self.events.emit(MemoryLimit(limit, total, cores, running), message)

    def _free(self, workers: Iterable[Worker]) -> list[Capacity]:
        free = {worker.capacity.name: worker.capacity for worker in workers}
        for task in self._running:
            free[task.worker] = free[task.worker].minus(task.need)
        return list(free.values())

    def _start(self, task: QueuedTask, name: str, address: str) -> None:
        self._waiting.remove(task)
        self._running.append(task)
        task.worker, task.loss = name, _UNKNOWN
        running = Running(task.name, name, task.attempt, task.need.memory_mb)
        self.events.emit(running, f"{task.name} runs on {name}", "debug")
        how = {"key": f"{task.name}-{task.attempt}", "pure": False, "workers": [address]}
        task.running = self.client.submit(run_task, str(task.folder), self.task_options, task.disk_mb, **how)
        task.running.add_done_callback(lambda ended: self._inbox.put((task, ended)))

    def _end(self, task: QueuedTask, ended: Any) -> None:
        error = ended.exception() if ended.status == "error" else None
        loss = loss_of(error)
        if isinstance(error, ZygoteEndedError) and not error.ready:
            self._discard(task.worker, error)
        if ended.status != "finished" and loss is not None:
            self._set_aside(task, loss)  # a worker that is ending may still be connected
            return
        try:
            # where the worker failed and would fail again, the exposures are not at fault
            answer = (
                ended.result(timeout=_FETCH_SECONDS)
                if error is None
                else (TaskResult(ok=False, error=describe_error(error), retry=True), None)
            )
        except (TimeoutError, CancelledError, OSError):  # its worker has ended since; Dask would wait for ever
            self._set_aside(task, Loss(Cause.WORKER, "the result was lost with its worker"))
            return
        ended.release()
        task.running = None
        self._running.remove(task)
        cause = retry_cause(answer[0]) if error is None else None
        if cause is None:
            self._answer(task, *answer)
        else:
            self._retry_or_fail(task, Loss(cause, answer[0].error), answer[1])

    def _discard(self, worker: str, error: ZygoteEndedError) -> None:
        """Give a worker no more tasks, because the process that runs them cannot start there."""
        if worker in self._unable:
            return
        self._unable.add(worker)
        self._unable_in_a_row += 1
        reason = last_line(error)
        self.events.emit(Unable(worker, error.message), f"worker {worker} cannot run tasks: {reason}", "warning")
        if not self.workers.discard(worker) or self._unable_in_a_row >= _UNABLE_WORKERS:
            raise ClusterError(f"no worker can run tasks: {reason}", START_FAILURE_STEP)

    def _set_aside(self, task: QueuedTask, loss: Loss) -> None:
        """End an attempt; `_settle` decides about the next one when it is known what became of the worker."""
        self._running.remove(task)
        self._unsettled.append(task)
        task.lost_since, task.loss = self._clock(), loss
        task.running.cancel()
        task.running = None

    def _settle(self, task: QueuedTask, connected: Collection[str]) -> None:
        since = self._clock() - task.lost_since
        if task.worker not in connected:
            loss = self.workers.find_loss(task.worker, since)
        else:
            loss = task.loss if since > _SETTLE_SECONDS else None
        if loss is not None:
            self._unsettled.remove(task)
            self._retry_or_fail(task, loss, None)

    def _retry_or_fail(self, task: QueuedTask, loss: Loss, measured: Measured | None) -> None:
        result = read_result(task.folder)
        if result is not None and result.ok:  # the task succeeded, only the message of the worker was lost
            self._answer(task, result, measured)
            return
        reason = "; ".join(dict.fromkeys(part for part in (loss.message, task.loss.message) if part))
        need = next_need(task.need, task.attempt, loss, self.workers)
        if need is None:
            self._answer(
                task,
                TaskResult(
                    ok=False, error=reason + limit_reached(task.need, task.attempt, loss, self.workers), retry=True
                ),
                measured,
            )
            return
        (task.folder / RESULT_FILE).unlink(missing_ok=True)
        how = ""
        if loss.cause is Cause.MEMORY:
            alone = need.memory_mb == self.workers.largest_mb
            how = f" alone, with all {need.memory_mb} MB" if alone else f" with {need.memory_mb} MB"
        task.attempt += 1
        task.need = need
        self._waiting.append(task)
        retrying = Retrying(task.name, loss.cause.value, task.attempt, need.memory_mb)
        self.events.emit(retrying, f"{task.name} is started again{how}: {reason}", "warning")

    def _answer(self, task: QueuedTask, result: TaskResult, measured: Measured | None) -> None:
        words = "ended" if result.ok else f"failed: {result.error}"
        self.events.emit(Ended(task.name, result.ok, measured), f"{task.name} {words}", "debug")
        self._unanswered.remove(task)
        if measured is not None:
            self._unable_in_a_row = 0
        task.answer.set_result((result, measured))
