"""Jobs on a real Slurm: their sizes, retries of lost tasks, and that no job is left."""

import http.client
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from distributed import Client

from helpers.mini_slurm import ask, wait_until
from helpers.stubs import PATIENCE, bench, profile
from hstmosaic.errors import ClusterError, ExitCode
from hstmosaic.run.slurm.cluster import SizedCluster
from hstmosaic.run.slurm.polling import Timing

pytestmark = [pytest.mark.slurm, pytest.mark.upstream]


def runs_of(events, task):
    return [event for event in events if event.kind == "retrying" and event.data["task"] == task]


def test_small_tasks_share_a_job_and_a_big_one_has_its_own(slurm, tmp_path):
    with bench(tmp_path) as on:
        answers = [on.start(f"small-{i}") for i in range(4)] + [on.start("big", estimate_mb=4000)]
        assert all(answer.result(PATIENCE)[0].ok for answer in answers)
        messages = {event.data["job"]: event.message for event in on.emitted("job")}
        assert sorted(message.partition("submitted (")[2] for message in messages.values()) == [
            "1 core, 4500 MB, 5 min)",
            "2 cores, 1100 MB, 5 min)",
            "2 cores, 1100 MB, 5 min)",
        ]
        for number, message in messages.items():
            shown = ask("scontrol", "show", "job", number)
            assert ("MinMemoryNode=4292M" in shown) == ("4500 MB" in message)
            assert "TimeLimit=00:05:00" in shown
            assert "Requeue=0" in shown


def test_variables_of_the_user_do_not_change_what_jobs_are(slurm, tmp_path, monkeypatch):
    # sbatch would wait for the end of the job, under another name and with another limit; the account is the site's
    given = {"WAIT": "1", "ARRAY_INX": "0-1", "JOB_NAME": "mine", "TIMELIMIT": "1", "ACCOUNT": "ast1"}
    for name, value in given.items():
        monkeypatch.setenv(f"SBATCH_{name}", value)
    with bench(tmp_path) as on:
        assert on.start("task").result(PATIENCE)[0].ok
        (job,) = on.emitted("job")
        shown = ask("scontrol", "show", "job", "-o", job.data["job"])
        for words in (f"JobName={on.pool.workers.name} ", "TimeLimit=00:05:00 ", "Account=ast1 "):
            assert words in shown
        assert "ArrayJobId" not in shown
        assert not on.emitted("refused")


def test_what_a_user_wants_to_see_of_the_queue_leaves_no_job_behind(slurm, tmp_path, monkeypatch):
    shown = {
        "SQUEUE_STATES": "R",
        "SQUEUE_PARTITION": "short",
        "SCANCEL_STATE": "RUNNING",
        "SCANCEL_INTERACTIVE": "true",
    }
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOGNAME", "daemon")
    with bench(tmp_path, profile(**{"cores: 2": "cores: 2, job-extra-directives: [--hold]"})) as on:
        on.start("task")
        wait_until(lambda: on.emitted("job"))
    for name in [*shown, "LOGNAME"]:
        monkeypatch.delenv(name)
    assert slurm.jobs() == {}


def test_jobs_are_sized_for_the_partition_that_the_user_has_set(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("SBATCH_PARTITION", "short")
    with bench(tmp_path) as on:
        with pytest.raises(ClusterError, match="the longest job allowed has 120 s"):
            on.start("endless", seconds=100.0)
        assert on.start("task").result(PATIENCE)[0].ok
        (job,) = on.emitted("job")
        assert "TimeLimit=00:02:00" in ask("scontrol", "show", "job", job.data["job"])


def test_a_cancelled_job_is_replaced_and_only_its_tasks_run_again(slurm, tmp_path):
    with bench(tmp_path, profile(**{"cores: 2": "cores: 1"})) as on:
        first = on.start("first", products=("first.fits",))
        assert first.result(PATIENCE)[0].ok
        long = on.start("long", seconds=8.0)
        on.started("long")
        (victim,) = slurm.running()
        ask("scancel", str(victim))
        result, measured = long.result(PATIENCE)
        assert result.ok
        assert measured.wall_seconds > 8
        (retry,) = on.emitted("retrying")
        assert (retry.data["task"], retry.data["cause"]) == ("long", "worker")
        assert f"job {victim} ended (CANCELLED" in retry.message


def test_a_worker_that_is_lost_before_its_answer_is_fetched(slurm, tmp_path, monkeypatch):
    def kill_workers_first(*arguments, **options):
        future = submit(*arguments, **options)
        result = future.result

        def result_of_killed_worker(timeout):
            for number in slurm.workers():
                os.kill(number, signal.SIGKILL)
            return result(timeout)

        monkeypatch.setattr(future, "result", result_of_killed_worker)
        on.pool.client.submit = submit  # later tasks run as usual
        return future

    with bench(tmp_path) as on:
        submit = on.pool.client.submit
        on.pool.client.submit = kill_workers_first
        assert on.start("task").result(PATIENCE)[0].ok  # its result is on the disk
        assert not on.emitted("retrying")
        assert on.start("later").result(PATIENCE)[0].ok


def test_a_crashed_node(slurm, tmp_path):
    with bench(tmp_path, profile(**{"cores: 2": "cores: 1"})) as on:
        answers = [on.start(f"long-{i}", seconds=6.0, estimate_mb=4000) for i in range(2)]
        for i in range(2):
            on.started(f"long-{i}")
        slurm.do("crash-node", 2)
        assert all(answer.result(PATIENCE)[0].ok for answer in answers)
        (retry,) = on.emitted("retrying")
        assert "NODE_FAIL" in retry.message
    slurm.do("start-node", 2)


def test_too_little_memory_is_answered_with_more(slurm, tmp_path):
    # both tasks are in the first job, and both run when Slurm looks at its memory, however slow the machine is
    with bench(tmp_path, timing=Timing(hold=10.0)) as on:
        greedy = on.start("greedy", estimate_mb=400, seconds=30.0, memory_mb=700)
        modest = on.start("modest", seconds=30.0)
        assert greedy.result(PATIENCE)[0].ok
        assert modest.result(PATIENCE)[0].ok
        retry = runs_of(on.events, "greedy")[0]
        assert (retry.data["cause"], retry.data["memory_mb"]) == ("memory", 800)
        assert "not enough memory" in retry.message
        assert [event.data["memory_mb"] for event in on.emitted("job")] == [1200, 1900]


def test_memory_grows_up_to_the_maximum_of_the_profile(slurm, tmp_path):
    with bench(tmp_path, profile(**{"max-jobs: 4": "max-memory: 1000MB"})) as on:
        result, _ = on.start("greedy", estimate_mb=400, seconds=8.0, memory_mb=900).result(PATIENCE)
        assert not result.ok
        assert "not enough memory with 500 MB, the most that can be had" in result.error
        assert [retry.data["memory_mb"] for retry in on.emitted("retrying")] == [500]


@pytest.mark.slow
def test_a_job_whose_time_is_over(slurm, tmp_path):
    with bench(tmp_path) as on:
        answer = on.start("long", seconds=35.0)
        on.started("long")
        (job,) = slurm.running()
        # Slurm looks at time limits every 30 s
        ask("scontrol", "update", f"jobid={job}", "endtime=now+1seconds")
        assert answer.result(PATIENCE)[0].ok
        (retry,) = on.emitted("retrying")
        assert retry.data["cause"] == "walltime"
        assert f"job {job} ended (TIMEOUT" in retry.message


ONCE = """#!/bin/sh
[ -e {mark} ] && exec sbatch "$@"
touch {mark}
sbatch {option} "$@"
until [ -e {end} ]; do sleep 0.1; done
exit 124
"""
"""Submits a first job and does not live to say so; the code is that of ``timeout``."""


def given_up_once(monkeypatch, folder, option=""):
    """Let the first sbatch be given up when the file is there that this returns."""
    script, end = folder / "sbatch.sh", folder / "end"
    script.write_text(ONCE.format(mark=folder / "mark", end=end, option=option))
    script.chmod(0o755)
    monkeypatch.setattr("hstmosaic.run.slurm.cluster.SizedJob.submit_command", str(script))
    return end


def test_a_job_of_an_abandoned_sbatch_is_cancelled(slurm, tmp_path, monkeypatch):
    end = given_up_once(monkeypatch, tmp_path, "--hold")
    with bench(tmp_path) as on:
        answer = on.start("task")
        (first,) = wait_until(slurm.jobs)
        end.touch()
        wait_until(lambda: first not in slurm.jobs())
        assert answer.result(PATIENCE)[0].ok
        assert {event.data["job"] for event in on.emitted("stray")} == {str(first)}
        assert len(on.emitted("job")) == len(on.emitted("refused")) == 1


def test_a_worker_may_start_before_sbatch_answers(slurm, tmp_path, monkeypatch):
    end = given_up_once(monkeypatch, tmp_path)
    with bench(tmp_path) as on:
        assert on.start("task").result(PATIENCE)[0].ok
        end.touch()
        (name,) = on.pool.workers.jobs
        wait_until(lambda: (job := on.pool.workers.cluster.job(name)) and job.rejection)
        assert on.start("later").result(PATIENCE)[0].ok
        assert [int(event.data["job"]) for event in on.emitted("job")] == list(slurm.jobs())
        assert not on.emitted("retrying") + on.emitted("refused") + on.emitted("stray")


def test_a_controller_that_is_away_for_a_while(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.slurm.cluster.SizedJob.submit_command", "timeout 2 sbatch")
    timing = Timing(poll=0.5, query=1.0, first_pause=1.0)
    with bench(tmp_path, profile(**{"cores: 2": "cores: 1"}), timing=timing) as on:
        assert on.start("first").result(PATIENCE)[0].ok
        slurm.do("stop-controller")
        try:
            assert on.start("second").result(PATIENCE)[0].ok
            third = on.start("third", estimate_mb=3000)
            wait_until(lambda: on.emitted("refused"))
            wait_until(lambda: len(on.emitted("silent")) > 1)
            assert not third.done()
        finally:
            slurm.do("start-controller")
        assert third.result(PATIENCE)[0].ok
        wait_until(lambda: on.emitted("answers"))
        assert [event.level for event in on.emitted("silent")].count("warning") == len(on.emitted("answers"))
        assert not on.emitted("retrying")


def test_jobs_with_nothing_to_do_are_given_back(slurm, tmp_path):
    with bench(tmp_path, profile(**{"max-jobs: 4": "idle: '0:03'"})) as on:
        assert on.start("only").result(PATIENCE)[0].ok
        assert slurm.jobs()
        wait_until(lambda: not slurm.jobs(), seconds=20)
        assert on.start("later").result(PATIENCE)[0].ok


def test_jobs_that_end_before_they_work_are_not_submitted_for_ever(slurm, tmp_path):
    broken = profile(**{"cores: 2": "cores: 2, python: /no/such/python"})
    with bench(tmp_path, broken, timing=Timing(poll=0.5)) as on:
        with pytest.raises(ClusterError, match=r"(?s)before its worker started.*/no/such/python.*so did the 2 jobs"):
            on.start("task").result(PATIENCE)
        assert len(on.emitted("job")) == 3


def test_the_jobs_of_a_killed_driver_are_ended_first(slurm, tmp_path):
    with bench(tmp_path) as on:
        name = on.pool.workers.name
    ask("sbatch", "-J", name, "-o", "/dev/null", "--wrap", "sleep 300")
    with bench(tmp_path):
        assert slurm.jobs() == {}


def test_jobs_are_looked_after_where_dask_does_not_close_in_time(slurm, tmp_path, monkeypatch):
    # sbatch and scancel may each take half a minute; what is not cancelled then has to be found all the same
    def close(cluster, timeout):
        cluster_close(cluster, timeout)
        raise TimeoutError

    cluster_close = SizedCluster.close
    monkeypatch.setattr(SizedCluster, "close", close)
    monkeypatch.setattr("hstmosaic.run.slurm.pool._cancel_all", lambda name: True)
    with bench(tmp_path) as on:
        assert on.start("task").result(PATIENCE)[0].ok
        assert slurm.jobs()
    assert not (on.directory.path / "tls").exists()
    assert slurm.jobs() == {}


def test_the_dashboard_is_for_this_host_alone(slurm, tmp_path):
    wanted = profile(batch="batch, scheduler-options: {dashboard: true}")
    for given, found in ((None, 404), (wanted, 200)):
        with bench(tmp_path, given) as on:
            server = on.pool.workers.cluster.scheduler.http_server
            ((host, port),) = {sock.getsockname() for sock in server._sockets.values()}
            assert host == "127.0.0.1"
            connection = http.client.HTTPConnection(host, port, timeout=30)
            connection.request("GET", "/status")
            assert connection.getresponse().status == found
            connection.close()


def test_the_driver_loads_no_drawing_library(slurm, tmp_path):
    script = """
import sys
import time
from pathlib import Path
from helpers.stubs import PATIENCE, bench
with bench(Path(sys.argv[1])) as on:
    scheduler, heard = on.pool.workers.cluster.scheduler, []
    for name, hear in list(scheduler.handlers.items()):
        counted = lambda *args, hear=hear, name=name, **kwargs: heard.append(name) or hear(*args, **kwargs)
        if name in ("heartbeat_worker", "set_metadata"):
            scheduler.handlers[name] = counted
    started = time.monotonic()
    assert on.start("long", seconds=8.0).result(PATIENCE)[0].ok
    seconds = time.monotonic() - started
    assert 0 < len(heard) < seconds, (seconds, heard)  # Dask's own are two in a second
assert not {"bokeh", "matplotlib"} & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_task_that_the_data_make_fail_is_not_tried_again(slurm, tmp_path):
    with bench(tmp_path) as on:
        result, _ = on.start("broken", failure="no stars").result(PATIENCE)
        assert (result.ok, result.error) == (False, "no stars")
        assert not on.emitted("retrying")


def test_a_task_that_fits_no_job_is_an_error_before_submission(slurm, tmp_path):
    with bench(tmp_path) as on:
        with pytest.raises(ClusterError, match="needs 9500 MB, but the largest job"):
            on.start("huge", estimate_mb=9000)
        with pytest.raises(ClusterError, match="needs about 8060 s, but the longest job"):
            on.start("endless", seconds=8000.0)
        assert slurm.jobs() == {}


def test_errors_of_sbatch_end_the_run(slurm, tmp_path):
    with bench(tmp_path, profile(**{"queue: batch": "queue: nowhere"})) as on:
        with pytest.raises(ClusterError, match=r"invalid partition specified: nowhere") as raised:
            on.start("task").result(PATIENCE)
        assert raised.value.exit_code is ExitCode.CLUSTER


def test_the_scheduler_is_closed_to_strangers(slurm, tmp_path):
    with bench(tmp_path) as on:
        address = on.pool.client.scheduler.address
        assert address.startswith("tls://")
        with pytest.raises((OSError, ValueError, TypeError)):
            Client(address, timeout=3)
        with pytest.raises(OSError):
            Client(address.replace("tls", "tcp"), timeout=3)
        keys = list((on.directory.path / "tls").iterdir())
        assert len(keys) == 2
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
        assert stat.S_IMODE(keys[0].parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(on.directory.path.stat().st_mode) == 0o755
    assert not (on.directory.path / "tls").exists()
