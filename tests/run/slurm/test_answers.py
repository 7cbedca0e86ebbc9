"""Output of Slurm's commands with lines of the site before, between and after; and how it is parsed."""

import pytest

from hstmosaic.run.slurm.answers import (
    JobState,
    SlurmCommandError,
    is_transient,
    parse_job,
    parse_queue,
    parse_submitted,
    parse_version,
    plain,
    rejection_message,
)
from hstmosaic.run.slurm.partitions import PartitionLimits, parse_nodes, parse_partitions

BANNERS = (
    "Welcome to the cluster | maintenance | 2026-12-01\n",
    "8|RUNNING|None|4:57\n",
    "hstmosaic|%i|%T|%L|%j|%r|end\n",
    "\x1b[1;33mYour job priority is\x1b[0m \x1b]0;title\x07 12\r\n",
    "*** 2026 jobs in the queue ***\r\n\r\n",
    '{"jobs": [{"job_id": 9, "name": "mine"}], "errors": []}\n',
    "Your last job: JobId=7 JobName=mine JobState=FAILED\n",
    "JobId=8 JobName=mine UserId=me(1000) JobState=FAILED ExitCode=0:9\n",
    "PartitionName=batch is closed on Monday\nNodeName=node1 is down\n",
    "\ufeff\N{SNOWMAN} quota: 80 %\n",
)
BROKEN = b"caf\xe9 \xff\n"
"""A line in no encoding."""
QUEUE = ("hstmosaic|JOBID|STATE|TIME_LEFT|NAME|REASON|end\n", "hstmosaic|7|RUNNING|1:00|mine|None|end\n")
JOB = "JobId=7 JobName=mine UserId=me(1000) JobState=RUNNING Reason=None ExitCode=0:0 Comment=JobState=FAILED\n"
PARTITION = "PartitionName=batch Default=YES MaxTime=01:00:00 MaxCPUsPerNode=UNLIMITED MaxMemPerNode=UNLIMITED\n"
NODE = "NodeName=node1 Arch=x86_64 CPUTot=2 RealMemory=1000 Partitions=batch,short\n"


def surrounded(*lines):
    """Return an answer with every kind of banner before, between and after its lines."""
    banner = "".join(BANNERS).encode() + BROKEN
    return plain(banner + banner.join(line.encode() for line in lines) + banner)


def test_the_queue_between_banners():
    assert parse_queue(surrounded(*QUEUE), "mine") == {"7": JobState("RUNNING", "0:0", "None", 60.0, "mine")}
    assert parse_queue(surrounded(QUEUE[0]), "mine") == {}


def test_a_banner_without_a_line_end_and_coloured_lines():
    text = plain(("Welcome! " + QUEUE[0] + "\x1b[32m" + QUEUE[1].replace("RUNNING", "\x1b[1mRUNNING\x1b[0m")).encode())
    assert list(parse_queue(text, "mine")) == ["7"]


@pytest.mark.parametrize("answer", ["", "".join(BANNERS), QUEUE[1], "JOBID PARTITION NAME\n7 batch mine\n"])
def test_a_queue_without_its_heading_is_an_error(answer):
    with pytest.raises(SlurmCommandError, match="unexpected output of squeue") as raised:
        parse_queue(plain(answer.encode()), "mine")
    assert "\x1b" not in raised.value.message
    assert len(raised.value.message) < 400


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("7\n", ("7",)),
        ("7;cluster\n", ("7",)),
        ("7\r\n", ("7",)),
        ("\x1b[0m7\x1b[0m\n7\n", ("7",)),
        ("2026\n7\n31\n", ("2026", "7", "31")),
        ("2026-12-01\n1,000 jobs\nSubmitted batch job 7\n7 %\n", ()),
        ("", ()),
    ],
)
def test_candidates_for_the_number_of_a_job(answer, numbers):
    assert parse_submitted(plain(answer.encode())) == numbers


def test_a_submitted_number_between_banners():
    assert parse_submitted(surrounded("7\n")) == ("7",)


def test_a_job_between_banners():
    found = parse_job(surrounded(JOB), "7")
    assert found == JobState("RUNNING", "0:0", "None", name="mine")
    assert not found.ended


@pytest.mark.parametrize("answer", ["", "".join(BANNERS), JOB.replace("JobId=7", "JobId=71")])
def test_output_about_another_job_is_an_error(answer):
    with pytest.raises(SlurmCommandError, match="unexpected output of scontrol"):
        parse_job(answer, "7")


def test_partitions_and_nodes_between_banners():
    chosen = parse_partitions(surrounded(PARTITION), None)
    assert parse_nodes(surrounded(NODE), chosen) == PartitionLimits(1000 * 1.048576, 2, 3600)
    assert parse_partitions(surrounded(PARTITION), ["nowhere"]) == {}


def test_banners_alone_describe_no_partition_and_no_node():
    with pytest.raises(SlurmCommandError, match="unexpected output of scontrol"):
        parse_partitions(surrounded(), ["nowhere"])
    with pytest.raises(SlurmCommandError, match="unexpected output of scontrol"):
        parse_nodes(surrounded(), {})


def test_the_version_between_banners():
    assert parse_version(surrounded("slurm-wlm 22.05.8\n")) == "slurm-wlm 22.05.8"
    with pytest.raises(SlurmCommandError, match="unexpected output of sbatch"):
        parse_version(surrounded())


BUSY = "The scratch file system is temporarily slow | connection refused | timed out\n"
"""A banner with words of transient errors."""
POLICY = "sbatch: error: Batch job submission failed: Invalid account\n"


@pytest.mark.parametrize(
    ("code", "out", "err", "message", "transient"),
    [
        (1, BUSY, BUSY + POLICY + BUSY, POLICY.strip(), False),
        (1, BUSY + POLICY, BUSY, POLICY.strip(), False),
        (1, "", "sbatch: error: one\nnote\nsbatch: fatal: two\n", "sbatch: error: one sbatch: fatal: two", False),
        (124, "", "Welcome\n", "Welcome sbatch: no answer in time", True),
        (137, "", "", "sbatch: no answer in time", True),
        (127, "", "timeout: failed to run command 'sbatch'\n", "timeout: failed to run command 'sbatch'", False),
        (3, "no more jobs today\n", "", "no more jobs today", False),
        (3, "", "", "sbatch: exit code 3", False),
    ],
)
def test_message_of_a_rejection(code, out, err, message, transient):
    assert rejection_message(code, out, err) == message
    assert is_transient(message) == transient
