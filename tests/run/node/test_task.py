"""A task in a child process, and the result that a worker makes of its end."""

from hstmosaic.run.node import task as module
from hstmosaic.run.node.losses import Cause, retry_cause
from hstmosaic.run.node.zygote import Ended
from hstmosaic.store.result_files import ANSWER_FILE, TaskResult, write_result
from hstmosaic.store.run_directory import run_directory
from hstmosaic.store.task_specs import LOG_FILE, StubSpec


class ForkedTask:
    """Stands for the process that forks tasks; its task writes a log and answers as drizzlepac does."""

    def __init__(self, log):
        self.log = log

    def wait(self):
        pass

    def run(self, folder, _):
        with (folder / LOG_FILE).open("a") as log:
            log.write(self.log)
        write_result(folder, TaskResult(ok=False, error="hapmultisequencer returned 1"), ANSWER_FILE)
        return Ended(1, 0.1, 300.0)


def test_a_memory_error_that_drizzlepac_caught_is_found_in_the_log(tmp_path, monkeypatch):
    task = run_directory(tmp_path, "stub").task("task")
    task.prepare(StubSpec(), "key")
    monkeypatch.setattr(module, "shared_zygote", lambda: ForkedTask("MemoryError\n"))
    first, _ = module.run_task(str(task.path))
    assert first.error == "hapmultisequencer returned 1 (MemoryError)"
    assert retry_cause(first) is Cause.MEMORY
    monkeypatch.setattr(module, "shared_zygote", lambda: ForkedTask("no stars\n"))
    second, _ = module.run_task(str(task.path))
    assert "MemoryError" in task.log.read_text(), "the log of the first attempt is kept"
    assert retry_cause(second) is None
