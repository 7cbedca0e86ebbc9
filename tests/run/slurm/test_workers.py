"""Workers in Slurm jobs: submission, registration, losses and idle jobs, with a cluster that a test controls."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from hstmosaic.errors import ClusterError
from hstmosaic.run.node.losses import Cause
from hstmosaic.run.pool.placement import JobLimits, JobSize, Need
from hstmosaic.run.probe import versions
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.run.slurm import workers as module
from hstmosaic.run.slurm.answers import JobState
from hstmosaic.run.slurm.polling import Timing
from hstmosaic.run.slurm.workers import SlurmWorkers
from hstmosaic.store.events import EventLog

NAME = "hstmosaic-1a2b"
LIMITS = JobLimits(JobSize(2, 3000, 300.0), max_memory_mb=6000, max_seconds=3600.0)
SMALL = Need(1000, 60.0)


@dataclass
class Cluster:
    """Cluster whose sbatch and workers a test answers for."""

    options: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    connections: dict = field(default_factory=dict)
    removed: list = field(default_factory=list)

    def submit_job(self, name, options):
        self.options[name] = options

    def remove_job(self, name, number):
        self.removed.append((name, number))

    def job(self, name):
        return self.answers.get(name)

    def connected(self):
        return self.connections

    def connect(self, name, number="", found=None):
        record = {"hstmosaic": found or versions(), "hstmosaic-job": number}
        self.connections[name] = SimpleNamespace(address=f"tls://{name}", identity=lambda: record)


class Site:
    """The workers of a run, a clock, and the jobs that Slurm lists."""

    def __init__(self, folder, monkeypatch, **profile):
        self.now, self.listed, self.ended, self.events = 0.0, {}, {}, []
        self.cluster, self.logs = Cluster(), folder
        monkeypatch.setattr(module, "queue", lambda name, seconds: self.listed)
        monkeypatch.setattr(module, "job_state", lambda number, seconds: self.ended.get(number, JobState("RUNNING")))
        monkeypatch.setattr(module, "numbers_of", lambda name, *numbers, seconds: list(numbers))
        monkeypatch.setattr(module, "cancel", lambda name, number, seconds: self.listed.pop(number))
        self.workers = SlurmWorkers(
            self.cluster, Profile("mine", "slurm", **profile), LIMITS, NAME, folder, EventLog(self.events.append),
            timing=Timing(poll=10.0, hold=1.0), clock=lambda: self.now,
        )  # fmt: skip

    def step(self, seconds, waiting=(), busy=()):
        self.now += seconds
        self.workers.refresh()
        self.workers.scale(waiting, busy)

    def submitted(self, number):
        """Submit a job with a number for one task."""
        before = len(self.cluster.options)
        while len(self.cluster.options) == before:
            self.step(1.1, [SMALL])
        name = list(self.cluster.options)[-1]
        self.cluster.answers[name] = SimpleNamespace(answer=f"{number}\n", rejection="")
        self.listed[number] = JobState("PENDING", reason="Resources", name=NAME)
        self.step(0.0)

    def kinds(self):
        return [event.kind for event in self.events]


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


def test_tasks_that_come_one_by_one_share_a_job(site):
    site.step(0.0)
    site.step(0.5, [SMALL])
    assert site.cluster.options == {}
    site.step(0.6, [SMALL, SMALL])
    (options,) = site.cluster.options.values()
    assert (options["cores"], options["memory"], options["job_name"]) == (2, "2500MB", NAME)
    site.step(5.0, [SMALL, SMALL])
    assert len(site.cluster.options) == 1, "the job that starts has room for both"


def test_listing_workers_changes_nothing(site):
    site.submitted("7")
    site.cluster.connect(f"{NAME}-1", "7")
    assert site.workers.workers() == {}
    site.workers.refresh()
    before = list(site.events)
    first = site.workers.workers()
    assert first == site.workers.workers()
    assert (list(first), site.events) == ([f"{NAME}-1"], before)
    assert first[f"{NAME}-1"].capacity.slots == 1


def test_a_worker_names_its_job_before_sbatch_does(site):
    site.step(0.0, [SMALL])
    site.step(2.0, [SMALL])
    site.cluster.connect(f"{NAME}-1", "7")
    site.step(0.0)
    assert [event.data["job"] for event in site.events if event.kind == "job"] == ["7"]
    assert site.workers.jobs[f"{NAME}-1"].number == "7"


def test_a_worker_with_other_versions_is_an_error(site):
    site.submitted("7")
    site.cluster.connect(f"{NAME}-1", "7", versions() | {"dask": "2020.1.0"})
    with pytest.raises(ClusterError, match=r"dask .* in the driver, 2020\.1\.0 in the worker"):
        site.workers.refresh()


def test_an_idle_job_is_given_back_and_a_busy_one_is_kept(site):
    site.submitted("7")
    name = f"{NAME}-1"
    site.cluster.connect(name, "7")
    site.step(0.0)
    site.step(100.0, busy=[name])
    assert site.cluster.removed == []
    site.step(59.0)
    site.step(2.0)
    assert site.cluster.removed == [(name, "7")]


@pytest.mark.parametrize(
    ("state", "log", "cause", "message"),
    [
        (JobState("NODE_FAIL"), "", Cause.WORKER, "its job 7 ended (NODE_FAIL)"),
        (JobState("TIMEOUT", "0:15"), "", Cause.WALLTIME, "its job 7 ended (TIMEOUT, exit code 0:15)"),
        (JobState("OUT_OF_MEMORY"), "", Cause.MEMORY, "its job 7 ended (OUT_OF_MEMORY): not enough memory"),
        (JobState("FAILED"), "oom-kill event", Cause.MEMORY, "its job 7 ended (FAILED): not enough memory"),
    ],
)
def test_losses_follow_the_end_of_the_job(site, tmp_path, state, log, cause, message):
    site.submitted("7")
    (tmp_path / "hstmosaic-7.err").write_text(log)
    site.ended["7"] = state
    loss = site.workers.find_loss(f"{NAME}-1", 1.0)
    assert (loss.cause, loss.message) == (cause, message)


def test_a_lost_worker_in_a_running_job_is_cancelled_first(site):
    site.submitted("7")
    assert site.workers.find_loss(f"{NAME}-1", 30.0) is None
    assert site.cluster.removed == []
    assert site.workers.find_loss(f"{NAME}-1", 70.0) is None
    assert site.cluster.removed == [(f"{NAME}-1", "7")]
    assert site.workers.find_loss(f"{NAME}-1", 130.0).message == "the worker of its job 7 was lost"


def test_jobs_that_end_before_their_workers_start_end_the_run(site, tmp_path):
    (tmp_path / "hstmosaic-9.err").write_text("no such python\n")
    for number in ("7", "8"):
        site.submitted(number)
        del site.listed[number]
        site.ended[number] = JobState("FAILED", "127:0")
        site.step(11.0)
    site.submitted("9")
    del site.listed["9"]
    site.ended["9"] = JobState("FAILED", "127:0")
    with pytest.raises(ClusterError) as raised:
        site.step(11.0)
    assert raised.value.message == (
        "job 9 ended (FAILED, exit code 127:0) before its worker started: no such python; so did the 2 jobs before"
    )
    assert site.kinds().count("job lost") == 2


def test_a_transient_rejection_is_retried(site):
    site.step(0.0, [SMALL])
    site.step(2.0, [SMALL])
    site.cluster.answers[f"{NAME}-1"] = SimpleNamespace(answer=None, rejection="sbatch: Socket timed out")
    site.step(0.5, [SMALL])
    assert site.kinds() == ["refused"]
    site.step(1.0, [SMALL])
    assert len(site.cluster.options) == 1, "a pause follows"
    site.step(5.0, [SMALL])
    site.cluster.answers[f"{NAME}-2"] = SimpleNamespace(answer=None, rejection="sbatch: error: Invalid account")
    with pytest.raises(ClusterError, match="sbatch rejects the jobs of this run: sbatch: error: Invalid account"):
        site.step(0.5, [SMALL])


def test_jobs_that_the_run_does_not_use_are_cancelled(site):
    site.submitted("7")
    site.listed["8"] = JobState("PENDING", reason="Resources", name=NAME)
    site.step(11.0)
    assert list(site.listed) == ["7"]
    assert "stray" in site.kinds()
