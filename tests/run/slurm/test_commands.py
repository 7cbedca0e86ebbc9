"""Parsed output of Slurm's commands, and their timeouts."""

import math
import time

import pytest

from hstmosaic.run.slurm import commands as slurm
from hstmosaic.run.slurm.answers import JobState, SlurmCommandError, is_transient, parse_job, parse_queue

JOB = (
    "JobId=7 JobName=hstmosaic-1a2b UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=1 Nice=0 Account=(null) "
    "QOS=(null) JobState={state} Reason={reason} Dependency=(null) Requeue=0 Restarts=0 BatchFlag=1 Reboot=0 "
    "ExitCode={code} RunTime=00:00:03 TimeLimit=00:05:00\n"
)


HEADING = "hstmosaic|JOBID|STATE|TIME_LEFT|NAME|REASON|end\n"


def test_the_queue():
    text = (
        HEADING
        + "hstmosaic|7|RUNNING|4:57|mine|None|end\nhstmosaic|8|PENDING|5:00|mine|Resources|end\n"
        + "hstmosaic|9|PENDING|INVALID|mine|ReqNodeNotAvail, UnavailableNodes:node[1-2]|end\n"
        + "hstmosaic|10|RUNNING|UNLIMITED|mine|None|end\nhstmosaic|11|RUNNING|1:00|other|None|end\n"
    )
    assert parse_queue(text, "mine") == {
        "7": JobState("RUNNING", reason="None", seconds_left=297, name="mine"),
        "8": JobState("PENDING", reason="Resources", seconds_left=300, name="mine"),
        "9": JobState("PENDING", reason="ReqNodeNotAvail, UnavailableNodes:node[1-2]", name="mine"),
        "10": JobState("RUNNING", reason="None", seconds_left=math.inf, name="mine"),
    }
    assert parse_queue(HEADING, "mine") == {}


@pytest.mark.parametrize(
    ("state", "code", "log", "memory"),
    [
        ("FAILED", "0:9", "", True),
        ("FAILED", "137:0", "", True),
        ("OUT_OF_MEMORY", "0:125", "", True),
        ("COMPLETED", "0:0", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.", True),
        ("CANCELLED", "0:15", "slurmstepd: error: Exceeded job memory limit", True),
        ("CANCELLED", "0:9", "", False),
        ("FAILED", "1:0", "Traceback", False),
        ("NODE_FAIL", "0:0", "", False),
        ("TIMEOUT", "0:15", "", False),
    ],
)
def test_signs_of_a_lack_of_memory(state, code, log, memory):
    job = parse_job(JOB.format(state=state, code=code, reason="None"), "7")
    assert (job.state, job.exit_code, job.ended) == (state, code, True)
    assert job.ran_out_of_memory(log) == memory


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"])
def test_states_of_jobs_that_run_or_wait(state):
    assert not parse_job(JOB.format(state=state, code="0:0", reason="None"), "7").ended


@pytest.mark.parametrize(
    ("message", "transient"),
    [
        ("Unable to contact slurm controller (connect failure)", True),
        ("AssocMaxSubmitJobLimit Batch job submission failed: Job violates accounting/QOS policy", True),
        ("Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: no answer in time", True),
        ("invalid partition specified: nowhere", False),
        ("Invalid account or account/partition combination specified", False),
    ],
)
def test_transient_errors_of_sbatch(message, transient):
    assert is_transient(message) == transient


def test_a_command_that_hangs_is_given_up():
    started = time.monotonic()
    with pytest.raises(SlurmCommandError, match=r"sleep did not answer within 0\.2 s"):
        slurm.call("sleep", "60", seconds=0.2)
    assert time.monotonic() - started < 55


def test_the_error_of_a_command_is_quoted():
    with pytest.raises(SlurmCommandError, match="no/such/file"):
        slurm.call("ls", "/no/such/file")
    with pytest.raises(SlurmCommandError, match="no-such-command not found"):
        slurm.call("no-such-command")
