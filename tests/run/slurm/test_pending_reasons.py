"""What Slurm's reasons mean to a user."""

import pytest

from hstmosaic.run.slurm.pending import PENDING_SECONDS, PendingWatch, explain
from hstmosaic.store.events import EventLog


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources", "are busy"),
        ("Priority", "higher priority"),
        ("ReqNodeNotAvail, UnavailableNodes:node[1-2]", "down, drained or reserved"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "drained"),
        ("QOSMaxJobsPerUserLimit", "running already"),
        ("QOSMaxCpuPerUserLimit", "running already"),
        ("AssocGrpCpuLimit", "running already"),
        ("AssocGrpCPURunMinutesLimit", "running already"),
        ("MaxJobsPerAccount", "running already"),
        ("SomethingNew", "says no more"),
    ],
)
def test_reasons_that_go_away(reason, words):
    wait = explain(reason)
    assert words in wait.words
    assert not wait.for_ever


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("PartitionTimeLimit", "shorter walltime"),
        ("QOSMaxWallDurationPerJobLimit", "shorter walltime"),
        ("AssocMaxWallDurationPerJobLimit", "shorter walltime"),
        ("QOSMaxMemoryPerJob", "cores and memory"),
        ("QOSMaxCpuPerJobLimit", "cores and memory"),
        ("PartitionNodeLimit", "cores and memory"),
        ("BadConstraints", "job-extra-directives"),
        ("InvalidAccount", "account"),
        ("InvalidQOS", "--qos"),
        ("AssocGrpCPUMinutesLimit", "another account"),
        ("JobHeldUser", "release"),
        ("launch failed requeued held", "release"),
        ("PartitionDown", "queue"),
        ("DependencyNeverSatisfied", "scontrol show job"),
    ],
)
def test_reasons_that_never_go_away_come_with_what_to_do(reason, step):
    wait = explain(reason)
    assert wait.for_ever
    assert step in wait.next_step


@pytest.fixture
def watch():
    events = []
    return PendingWatch(EventLog(events.append)), events


def test_a_reason_is_told_once_when_jobs_have_waited(watch):
    watching, events = watch
    for now in range(0, 200, 10):
        watching.look({"7": "Resources", "8": "Priority" if now > 50 else "None"}, float(now))
    assert [(event.kind, event.level, event.data["reason"]) for event in events] == [
        ("pending", "info", "Resources"),
        ("pending", "info", "Priority"),
    ]


def test_a_short_wait_is_not_worth_a_line(watch):
    watching, events = watch
    watching.look({"7": "Resources"}, 0.0)
    watching.look({"7": "Resources"}, PENDING_SECONDS - 1)
    watching.look({"8": "Resources"}, PENDING_SECONDS + 1)
    assert events == []


def test_what_will_never_start_is_a_warning_at_once_and_is_timed(watch):
    watching, events = watch
    assert watching.look({"7": "JobHeldUser"}, 100.0)[0] == 0
    assert watching.look({"7": "JobHeldUser"}, 160.0) == (
        60.0,
        "JobHeldUser: they are held; " + explain("JobHeldUser").next_step,
    )
    assert [event.level for event in events] == ["warning"]
    assert watching.look({"7": "JobHeldUser", "8": "Resources"}, 170.0)[0] == 0
    assert watching.look({}, 180.0) == (0.0, "")
