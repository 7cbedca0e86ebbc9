"""Workers and a Dask client without processes, for tests of the pool."""

from dataclasses import dataclass, field, replace

from hstmosaic.run.node.losses import Cause, Loss
from hstmosaic.run.pool.placement import Capacity
from hstmosaic.run.pool.worker_source import Worker


@dataclass
class FakeWorkers:
    """Workers whose capacities and losses a test sets."""

    sizes: dict[str, tuple[int, int]]
    """Slots and memory by name."""
    attempts: int = 3
    largest_mb: int | None = None
    most_mb: int = 8000
    losses: dict[str, Loss] = field(default_factory=dict)
    period: float = 0.001
    memory_limit: str = "test"
    requests: list = field(default_factory=list)
    """Needs of the tasks that waited at each step."""

    def workers(self):
        return {
            name: Worker(f"tcp://{name}", Capacity(name, slots, memory_mb))
            for name, (slots, memory_mb) in dict(self.sizes).items()
        }

    def refresh(self):
        pass

    def adjust(self, need):
        return need if self.largest_mb is None else replace(need, memory_mb=min(need.memory_mb, self.largest_mb))

    def attempts_for(self, cause):
        return self.attempts

    def more_memory(self, memory_mb):
        return min(2 * memory_mb, self.most_mb) if memory_mb < self.most_mb else None

    def more_time(self, seconds):
        return min(seconds, 1000.0)

    def find_loss(self, name, since):
        return self.losses.get(name, Loss(Cause.WORKER, f"worker {name} was lost"))

    def discard(self, name):
        del self.sizes[name]
        return bool(self.sizes)

    def scale(self, waiting, busy):
        self.requests.append(list(waiting))


class FakeFuture:
    """Future of Dask that a test ends."""

    def __init__(self, key, worker, arguments):
        self.key, self.worker, self.arguments = key, worker, arguments
        self.status, self.cancelled = "pending", False
        self._callbacks = []

    def add_done_callback(self, callback):
        self._callbacks.append(callback)

    def end(self, answer=None, error=None):
        """End the future with an answer or an error, as the thread of Dask does."""
        self._answer, self._error = answer, error
        self.status = "finished" if error is None else "error"
        for callback in self._callbacks:
            callback(self)

    def exception(self):
        return self._error

    def result(self, timeout=None):
        return self._answer

    def cancel(self):
        self.cancelled = True

    def release(self):
        pass


class FakeClient:
    """Client of Dask that keeps what was submitted."""

    def __init__(self):
        self.futures = []

    def submit(self, function, *arguments, key, pure, workers):
        self.futures.append(FakeFuture(key, workers[0], arguments))
        return self.futures[-1]
