"""What Slurm's commands say, as captured, and what is understood."""

import math
import re
import time

import dask
import pytest

from hstmosaic.errors import ProfileError
from hstmosaic.run.pool.placement import JobSize
from hstmosaic.run.profiles.profile import Profile, profile_from_yaml
from hstmosaic.run.slurm import commands as slurm
from hstmosaic.run.slurm.answers import JobState, SlurmSilentError, is_transient, parse_job, parse_queue
from hstmosaic.run.slurm.jobs import check_path, job_name, job_script
from hstmosaic.run.slurm.partitions import PartitionLimits, parse_nodes, parse_partitions
from hstmosaic.store.run_directory import run_directory

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
def test_want_of_memory_has_several_signs(state, code, log, memory):
    job = parse_job(JOB.format(state=state, code=code, reason="None"), "7")
    assert (job.state, job.exit_code, job.ended) == (state, code, True)
    assert job.for_want_of_memory(log) == memory


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"])
def test_jobs_that_have_not_ended(state):
    assert not parse_job(JOB.format(state=state, code="0:0", reason="None"), "7").ended


PARTITIONS = """\
PartitionName=batch AllowGroups=ALL Default=YES MaxNodes=UNLIMITED MaxTime=01:00:00 MaxCPUsPerNode=UNLIMITED \
Nodes=node[1-3] State=UP TotalCPUs=36 TotalNodes=3 MaxMemPerNode=UNLIMITED TRES=cpu=36,mem=132000M,node=3,billing=36
PartitionName=short AllowGroups=ALL Default=NO MaxNodes=UNLIMITED MaxTime=00:02:00 MaxCPUsPerNode=UNLIMITED \
Nodes=node1 State=UP TotalCPUs=2 TotalNodes=1 MaxMemPerNode=UNLIMITED TRES=cpu=2,mem=6000M,node=1,billing=2
PartitionName=long AllowGroups=ALL Default=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED MaxCPUsPerNode=4 \
Nodes=node4 State=UP TotalCPUs=8 TotalNodes=1 MaxMemPerNode=9000 TRES=cpu=8,mem=16000M,node=1,billing=8

"""
NODES = """\
NodeName=node1 Arch=x86_64 CPUTot=2 OS=Linux 6.1 #1 SMP RealMemory=6000 AllocMem=0 Partitions=batch,short  AllocTRES=
NodeName=node2 Arch=x86_64 CPUTot=2 OS=Linux 6.1 #1 SMP RealMemory=6000 AllocMem=0 Partitions=batch  AllocTRES= \
Comment=until noon CPUTot=64
NodeName=node3 Arch=x86_64 CPUTot=32 OS=Linux 6.1 #1 SMP RealMemory=120000 AllocMem=0 Partitions=batch  AllocTRES=
NodeName=node4 Arch=x86_64 CPUTot=8 OS=Linux 6.1 #1 SMP RealMemory=16000 AllocMem=0 Partitions=long  AllocTRES=
"""


@pytest.mark.parametrize(
    ("wanted", "limits"),
    [
        (None, PartitionLimits(120000 * 1.048576, 32, 3600)),
        (["short"], PartitionLimits(6000 * 1.048576, 2, 120)),
        (["long"], PartitionLimits(9000 * 1.048576, 4, math.inf)),
        (["short", "long"], PartitionLimits(9000 * 1.048576, 4, math.inf)),
        (["nowhere"], None),
    ],
)
def test_limits_of_partitions(wanted, limits):
    assert parse_nodes(NODES, parse_partitions(PARTITIONS, wanted)) == limits


@pytest.mark.parametrize(
    ("words", "transient"),
    [
        ("Unable to contact slurm controller (connect failure)", True),
        ("AssocMaxSubmitJobLimit Batch job submission failed: Job violates accounting/QOS policy", True),
        ("Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: no answer in time", True),
        ("invalid partition specified: nowhere", False),
        ("Invalid account or account/partition combination specified", False),
    ],
)
def test_refusals_that_waiting_may_help(words, transient):
    assert is_transient(words) == transient


def test_a_command_without_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(slurm, "CALL_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(SlurmSilentError, match="sleep has not answered"):
        slurm.call("sleep", "60")
    assert time.monotonic() - started < 5


def test_what_a_failing_command_says_is_told():
    with pytest.raises(SlurmSilentError, match="no/such/file"):
        slurm.call("ls", "/no/such/file")
    with pytest.raises(SlurmSilentError, match="no-such-command not found"):
        slurm.call("no-such-command")


def test_the_script_of_a_job(tmp_path):
    script = job_script(JobSize(2, 3000, 5400), "hstmosaic-1a2b", tmp_path, Profile("mine", "slurm"))
    for line in ("-J hstmosaic-1a2b", "--cpus-per-task=2", "--mem=2862M", "-t 01:30:00", "--no-requeue"):
        assert f"#SBATCH {line}\n" in script
    (command,) = [line for line in script.splitlines() if "dask_worker" in line]
    assert "--memory-limit 0 " in command
    assert "--no-nanny" in command
    assert "--nthreads 2" in command


def test_the_script_of_a_job_whose_tasks_work_in_scratch(tmp_path):
    text = """
    jobqueue: {slurm: {local-directory: "${SCRATCH:-/tmp}", job-script-prologue: [module load x]}}
    hstmosaic: {cluster: slurm, scratch: true, scratch-option: "--gres=lscratch:{gb}"}
    """
    given = profile_from_yaml(text, "mine")
    with dask.config.set(dict(given.dask)):
        script = job_script(JobSize(2, 3000, 5400, disk_mb=2500), "hstmosaic-1a2b", tmp_path, given)
        none = job_script(JobSize(2, 3000, 5400), "hstmosaic-1a2b", tmp_path, given)
    assert "#SBATCH --gres=lscratch:3\n" in script
    assert "gres" not in none
    lines = script.splitlines()
    assert lines.index("module load x") < lines.index('scratch="${SCRATCH:-/tmp}"')
    assert "--local-directory ${SCRATCH:-/tmp}" in lines[-1]


def test_scratch_needs_a_directory(tmp_path):
    with pytest.raises(ProfileError, match="scratch without a directory"):
        job_script(JobSize(1, 1000, 60), "name", tmp_path, Profile("mine", "slurm", scratch=True))


def test_jobs_of_a_run_have_one_name_on_every_host(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    name = job_name(run_directory(tmp_path / "data", "foo"))
    monkeypatch.setattr("platform.node", lambda: "another")
    assert job_name(run_directory(tmp_path / "link", "foo")) == name
    assert job_name(run_directory(tmp_path / "data", "bar")) != name


@pytest.mark.parametrize(
    ("given", "begins"),
    [("dask-worker", "hstmosaic-"), ("hstmosaic", "hstmosaic-"), ("mine", "hstmosaic-mine-")],
)
def test_names_of_jobs_have_a_beginning_of_their_own(tmp_path, given, begins):
    with dask.config.set({"jobqueue.slurm.name": given}):
        assert re.fullmatch(begins + "[0-9a-f]{8}", job_name(run_directory(tmp_path, "foo")))


@pytest.mark.parametrize("name", ["my mosaics", "x&y", "it's", "50%", "$HOME", "a;b", "(1)"])
def test_a_path_that_a_script_would_read_otherwise_is_refused(tmp_path, name):
    check_path(tmp_path)
    with pytest.raises(ProfileError, match="blanks"):
        check_path(tmp_path / name)


def test_python_is_called_where_its_path_has_blanks(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/opt/my tools/bin/python")
    script = job_script(JobSize(1, 1000, 300.0), "mine", tmp_path, Profile("test"))
    assert "'/opt/my tools/bin/python' -P -m distributed.cli.dask_worker" in script
