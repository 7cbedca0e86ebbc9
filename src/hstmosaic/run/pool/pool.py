"""The pool: hands tasks to workers, and owns what happens when one is lost."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.losses import UNABLE_STEP, Cause, Lost, ZygoteEndedError, cause_of, in_words, last_line, lost_by
from hstmosaic.run.node.task import Measured, Workplace, run_task
from hstmosaic.run.pool.placement import Need, Room, in_order, place, short_of_memory
from hstmosaic.store.task_specs import RESULT_FILE, TaskResult, read_result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from distributed import Client

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.run.pool.worker_source import Staff
    from hstmosaic.store.events import EventLog

Answer = tuple[TaskResult, Measured | None]
_SETTLE_SECONDS = 5.0
_FETCH_SECONDS = 10.0
_UNSAID = Lost(Cause.WORKER, "")
_UNABLE_WORKERS = 3
"""That many workers in a row whose processes cannot start end the run: the next one would be no better."""


@dataclass(eq=False)
class Work:
    """A task in the pool."""

    folder: Path
    need: Need
    disk_mb: float
    """What it is estimated to write."""
    attempt: int = 1
    answer: Future[Answer] = field(default_factory=Future)
    worker: str = ""
    running: Any = None
    """The future of Dask, while it runs."""
    lost_since: float = 0.0
    lost: Lost = _UNSAID
    """How it was lost, as far as its worker could say."""

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.folder.name


class Pool:
    """Hands tasks to workers, longest first, from a thread of its own.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    staff : Staff
        Its workers.
    events : EventLog
        Receives the events.
    workplace : Workplace, optional
        Where tasks work.
    """

    def __init__(self, client: Client, staff: Staff, events: EventLog, workplace: Workplace | None = None) -> None:
        self.client, self.staff, self.events, self.workplace = client, staff, events, workplace or Workplace()
        self._inbox: queue.SimpleQueue[tuple[Work, Any] | None] = queue.SimpleQueue()
        self._waiting: list[Work] = []
        self._running: list[Work] = []
        self._lost: list[Work] = []
        self._unanswered: list[Work] = []
        self._closing = False
        self._broken: BaseException | None = None
        self._known: dict[str, tuple[int, int]] = {}
        self._memory_reported = False
        self._unable: set[str] = set()
        self._unable_in_a_row = 0
        self._thread = threading.Thread(target=self._serve, daemon=True, name="pool")
        self._thread.start()

    def submit(self, folder: Path, estimate: Estimate, priority: float = 0.0) -> Future[Answer]:
        """Have the task of a prepared directory run.

        Parameters
        ----------
        folder : pathlib.Path
            The task directory.
        estimate : Estimate
            What it will need.
        priority : float
            The highest is served first.

        Returns
        -------
        concurrent.futures.Future
            Of the result and, if it has run to an end, what it took. It raises `ClusterError` if there is no hope
            for any task.

        Raises
        ------
        ClusterError
            If no worker that can be had is large enough.
        """
        need = self.staff.adjust(Need(estimate.memory_mb, estimate.seconds, priority, estimate.disk_mb))
        work = Work(folder, need, estimate.disk_mb)
        if need.memory_mb < estimate.memory_mb:
            words = (
                f"{work.name} is estimated to need {estimate.memory_mb} MB; it is tried alone, with all "
                f"{need.memory_mb} MB ({self.staff.memory_limit})"
            )
            self.events.emit(
                "memory limit", words, limit=self.staff.memory_limit, memory_mb=need.memory_mb, task=work.name
            )
        self._inbox.put((work, None))
        return work.answer

    def check(self, estimates: Iterable[Estimate]) -> None:
        """Raise `ClusterError` if a task is larger than any worker that can be had."""
        for estimate in estimates:
            self.staff.adjust(Need(estimate.memory_mb, estimate.seconds, disk_mb=estimate.disk_mb))

    def close(self) -> None:
        """Serve no more; tasks that still run are the business of who ends the workers."""
        self._closing = True
        self._inbox.put(None)
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._read_inbox()
                if not self._closing:
                    self._step()
        except BaseException as error:  # every task's owner is told, in its own thread
            self._broken = error
        while not self._closing or not self._inbox.empty():
            self._give_up()
            message = self._inbox.get()
            if message is not None and message[1] is None:
                self._unanswered.append(message[0])
        self._give_up()

    def _give_up(self) -> None:
        for work in self._unanswered:
            if self._broken is not None:
                work.answer.set_exception(self._broken)
            else:
                work.answer.cancel()
        self._unanswered = []

    def _read_inbox(self) -> None:
        try:
            message = self._inbox.get(timeout=self.staff.period)
            while message is not None:
                work, ended = message
                if ended is None:
                    self._waiting.append(work)
                    self._unanswered.append(work)
                elif work in self._running and work.running is ended:
                    self._end(work, ended)
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass

    def _step(self) -> None:
        rooms = self.staff.rooms()
        self._emit_workers({name: (room.slots, room.memory_mb) for name, (_, room) in rooms.items()})
        for work in [work for work in self._running if work.worker not in rooms]:
            self._lose(work, _UNSAID)
        for work in list(self._lost):
            self._settle(work, rooms.keys())
        needs = [work.need for work in self._waiting]
        chosen = place(needs, self._free({name: room for name, (_, room) in rooms.items()}))
        placed = [(self._waiting[i], chosen[i]) for i in in_order(needs)]
        for work, name in placed:
            if name is not None:
                self._start(work, name, rooms[name][0])
        if self._waiting and not self._memory_reported and self.staff.largest_mb is not None:
            self._report_memory(self._free({name: room for name, (_, room) in rooms.items()}))
        busy = {work.worker for work in [*self._running, *self._lost]}
        self.staff.tend([work.need for work in self._waiting], busy)

    def _emit_workers(self, there: dict[str, tuple[int, int]]) -> None:
        if there == self._known:
            return
        self._known = there
        slots, memory = (sum(numbers) for numbers in zip(*there.values(), strict=True)) if there else (0, 0)
        words = f"{len(there)} worker(s) for {slots} task(s) at a time with {memory} MB"
        self.events.emit("workers", words, "debug", workers=len(there), slots=slots, memory_mb=memory)

    def _report_memory(self, free: list[Room]) -> None:
        """Report once that a task waits for memory while a core is idle; those that must be alone wait in any case."""
        needs = [work.need for work in self._waiting if work.need.memory_mb != self.staff.largest_mb]
        need = short_of_memory(needs, free)
        if need is None:
            return
        self._memory_reported = True
        limit, running = self.staff.memory_limit, len(self._running)
        cores, total = (sum(numbers) for numbers in zip(*self._known.values(), strict=True))
        words = (
            f"memory, not cores, limits the tasks at a time: {running} of {cores} run, the next one needs "
            f"{need.memory_mb} MB, and all may use {total} MB ({limit})"
        )
        self.events.emit("memory limit", words, limit=limit, memory_mb=total, cores=cores, running=running)

    def _answer(self, work: Work, result: TaskResult, measured: Measured | None) -> None:
        took = None if measured is None else asdict(measured)
        words = "has ended" if result.ok else f"has failed: {result.error}"
        self.events.emit("ended", f"{work.name} {words}", "debug", task=work.name, ok=result.ok, measured=took)
        self._unanswered.remove(work)
        if measured is not None:
            self._unable_in_a_row = 0
        work.answer.set_result((result, measured))

    def _free(self, rooms: dict[str, Room]) -> list[Room]:
        for work in self._running:
            rooms[work.worker] = rooms[work.worker].less(work.need)
        return list(rooms.values())

    def _start(self, work: Work, name: str, address: str) -> None:
        self._waiting.remove(work)
        self._running.append(work)
        work.worker, work.lost = name, _UNSAID
        told = {"task": work.name, "worker": name, "attempt": work.attempt, "memory_mb": work.need.memory_mb}
        self.events.emit("running", f"{work.name} runs on {name}", "debug", **told)
        how = {"key": f"{work.name}-{work.attempt}", "pure": False, "workers": [address]}
        future = self.client.submit(run_task, str(work.folder), self.workplace, work.disk_mb, **how)
        work.running = future
        future.add_done_callback(lambda ended: self._inbox.put((work, ended)))

    def _end(self, work: Work, ended: Any) -> None:
        error = ended.exception() if ended.status == "error" else None
        lost = lost_by(error)
        if isinstance(error, ZygoteEndedError) and not error.ready:
            self._discard(work.worker, error)
        if ended.status != "finished" and lost is not None:
            self._lose(work, lost)  # a worker that is going away may still be there
            return
        try:
            # where the worker has failed and would again, the exposures are not at fault
            answer = (
                ended.result(timeout=_FETCH_SECONDS)
                if error is None
                else (TaskResult(ok=False, error=in_words(error), retry=True), None)
            )
        except (TimeoutError, CancelledError, OSError):  # its worker has ended since; Dask would wait for it for ever
            self._lose(work, Lost(Cause.WORKER, "its answer was lost with its worker"))
            return
        ended.release()
        work.running = None
        self._running.remove(work)
        cause = cause_of(answer[0]) if error is None else None
        if cause is None:
            self._answer(work, *answer)
        else:
            self._again(work, Lost(cause, answer[0].error), answer[1])

    def _discard(self, worker: str, error: ZygoteEndedError) -> None:
        """Give a worker no more tasks, because the process that runs them cannot start there."""
        if worker in self._unable:
            return
        self._unable.add(worker)
        self._unable_in_a_row += 1
        words = last_line(error)
        said = {"worker": worker, "details": error.message}
        self.events.emit("unable", f"worker {worker} cannot run tasks: {words}", "warning", **said)
        if not self.staff.discard(worker) or self._unable_in_a_row >= _UNABLE_WORKERS:
            raise ClusterError(f"no worker can run tasks: {words}", UNABLE_STEP)

    def _lose(self, work: Work, lost: Lost) -> None:
        self._running.remove(work)
        self._lost.append(work)
        work.lost_since, work.lost = time.monotonic(), lost
        work.running.cancel()
        work.running = None

    def _settle(self, work: Work, there: Collection[str]) -> None:
        since = time.monotonic() - work.lost_since
        if work.worker not in there:
            lost = self.staff.ending(work.worker, since)
        else:
            lost = work.lost if since > _SETTLE_SECONDS else None
        if lost is not None:
            self._lost.remove(work)
            self._again(work, lost, None)

    def _again(self, work: Work, lost: Lost, measured: Measured | None) -> None:
        result = read_result(work.folder)
        if result is not None and result.ok:
            self._answer(work, result, measured)  # only the news of it was lost
            return
        words = "; ".join(dict.fromkeys(part for part in (lost.words, work.lost.words) if part))
        memory: int | None = work.need.memory_mb
        seconds = work.need.seconds
        if lost.cause is Cause.WALLTIME:
            seconds = self.staff.more_time(max(2 * seconds, lost.seconds))
        if lost.cause is Cause.MEMORY:
            memory = self.staff.more_memory(work.need.memory_mb)
        attempts = self.staff.attempts_for(lost.cause)
        if work.attempt >= attempts or memory is None:
            why = f" (attempt {work.attempt})" if memory is not None and attempts > 1 else ""
            why = why or ("" if memory is not None else f" with {work.need.memory_mb} MB, the most that can be had")
            self._answer(work, TaskResult(ok=False, error=words + why, retry=True), measured)
            return
        (work.folder / RESULT_FILE).unlink(missing_ok=True)
        told = {"task": work.name, "cause": lost.cause.value, "attempt": work.attempt + 1, "memory_mb": memory}
        more = f" with {memory} MB" if lost.cause is Cause.MEMORY else ""
        if lost.cause is Cause.MEMORY and memory == self.staff.largest_mb:
            more = f" alone, with all {memory} MB"
        self.events.emit("retrying", f"{work.name} is started again{more}: {words}", "warning", **told)
        work.attempt += 1
        work.need = replace(work.need, memory_mb=memory, seconds=seconds)
        self._waiting.append(work)
