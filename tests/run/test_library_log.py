"""What Dask and the libraries below it log: in the file of the run, and not on the screen."""

import subprocess
import sys

import pytest

EVERY_WAY = """
import asyncio, concurrent.futures, gc, logging, sys
from pathlib import Path
from hstmosaic.run.library_log import LIBRARIES, library_log

import dask_jobqueue, distributed
from distributed import Client, LocalCluster
from distributed.comm import CommClosedError
from tornado.ioloop import IOLoop

async def fail():
    raise CommClosedError("closed in " + asyncio.current_task().get_name())

async def tasks_and_callbacks():
    asyncio.create_task(fail(), name="a task that nobody awaits")
    IOLoop.current().add_callback(fail)
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.1)

def everything():
    loggers = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LIBRARIES]
    for name in {*loggers, *LIBRARIES, "distributed.not.yet.there"}:
        logging.getLogger(name).critical("this is %s", name)
        logging.getLogger(name).info("not worth a line")
    logging.getLogger("distributed").error("%d", "no number")
    logging.getLogger("distributed").error("\\udce9")
    asyncio.run(tasks_and_callbacks())
    gc.collect()
    future = concurrent.futures.Future()
    future.add_done_callback(lambda done: 1 / 0)
    future.set_result(None)
    return loggers

log = Path(sys.argv[1])
logging.basicConfig()
with library_log(log):
    quiet = {"n_workers": 0, "processes": False, "dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(**quiet) as cluster, Client(cluster):
        loggers = everything()
print("\\n".join(loggers))
kept = log.read_text()
logging.getLogger("distributed.client").error("back on the screen")
logging.getLogger("tornado.application").error("back on the screen")
assert log.read_text() == kept
"""


def test_messages_of_libraries_are_only_in_the_file(tmp_path):
    log = tmp_path / "dask.log"
    done = subprocess.run(
        [sys.executable, "-c", EVERY_WAY, log], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == done.stderr.count("back on the screen") == 2, done.stderr
    loggers = done.stdout.splitlines()
    assert {"distributed.client", "distributed.core", "tornado.application", "asyncio"} <= set(loggers)
    kept = log.read_text()
    for name in (*loggers, "distributed.not.yet.there"):
        assert f" CRITICAL {name}: this is {name}\n" in kept
    assert "CommClosedError: closed in a task that nobody awaits" in kept
    assert kept.count("CommClosedError: closed in") == 2
    assert kept.count("ZeroDivisionError") == 2
    assert "distributed: %d" in kept
    assert "\\udce9" in kept
    assert "not worth a line" not in kept


def test_without_messages_there_is_no_file(tmp_path):
    script = """
import logging, sys
from pathlib import Path
from hstmosaic.run.library_log import library_log
with library_log(Path(sys.argv[1])):
    pass
assert not Path(sys.argv[1]).exists()
with library_log(Path("/dev/full")):
    logging.getLogger("distributed").error("no room for this")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "dask.log"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.upstream
def test_a_run_keeps_what_is_logged_meanwhile(simulated, tmp_path):
    script = """
import logging, sys
from pathlib import Path
from hstmosaic.run.driver import run_mosaic
from hstmosaic.run.options import RunOptions

def listener(event):
    if event.kind in ("planned", "finished"):
        logging.getLogger("asyncio").error("Task exception was never retrieved: %s", event.kind)

outcome = run_mosaic(RunOptions(sys.argv[1], "foo", stub=True, output=Path(sys.argv[2])), listener)
print((outcome.directory / "logs" / "dask.log").read_text())
"""
    command = [sys.executable, "-c", script, simulated.demo(300).list, tmp_path / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    for kind in ("planned", "finished"):
        assert f"ERROR asyncio: Task exception was never retrieved: {kind}\n" in done.stdout
