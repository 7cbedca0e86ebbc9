"""Workers of jobs end on request, whatever else waits in them."""

import signal
import subprocess
import sys

import psutil

STUBBORN = """
import asyncio

async def stay():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            print("not yet", flush=True)

async def dask_setup(worker):
    worker.stubborn = asyncio.create_task(stay())
    print("here", flush=True)
"""
OPTIONS = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--death-timeout", "120"]


def test_a_worker_without_scheduler_ends_with_its_job(tmp_path):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    preloads = ["--preload", "hstmosaic.run.worker", "--preload", "stubborn.py"]
    # nobody listens there, as after the end of a driver
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "tcp://127.0.0.1:1", *OPTIONS, *preloads]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout.readline() == "here\n"
            (zygote,) = psutil.Process(worker.pid).children()
            worker.send_signal(signal.SIGTERM)
            assert worker.stdout.readline() == "not yet\n"
            worker.wait(timeout=60)
            zygote.wait(timeout=60)
        finally:
            worker.kill()
