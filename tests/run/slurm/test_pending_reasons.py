"""Explanations of the reasons for which jobs wait."""

import pytest

from hstmosaic.run.slurm.pending import PendingWatch, explain
from hstmosaic.store.events import EventLog


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources", "are busy"),
        ("Priority", "higher priority"),
        ("ReqNodeNotAvail, UnavailableNodes:node[1-2]", "down, drained or reserved"),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "drained"),
        ("QOSMaxJobsPerUserLimit", "limit of resources"),
        ("QOSMaxCpuPerUserLimit", "limit of resources"),
        ("AssocGrpCpuLimit", "limit of resources"),
        ("AssocGrpCPURunMinutesLimit", "limit of resources"),
        ("MaxJobsPerAccount", "limit of resources"),
        ("SomethingNew", "no further explanation"),
    ],
)
def test_reasons_that_go_away(reason, words):
    wait = explain(reason)
    assert words in wait.meaning
    assert not wait.endless


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
    assert wait.endless
    assert step in wait.next_step


@pytest.fixture
def watch():
    events = []
    return PendingWatch(EventLog(events.append), after=30.0), events


def test_a_reason_is_reported_once_after_a_while(watch):
    watching, events = watch
    for now in range(0, 200, 10):
        watching.look({"7": "Resources", "8": "Priority" if now > 50 else "None"}, float(now))
    assert [(event.kind, event.level, event.data["reason"]) for event in events] == [
        ("pending", "info", "Resources"),
        ("pending", "info", "Priority"),
    ]


def test_a_short_wait_is_not_reported(watch):
    watching, events = watch
    watching.look({"7": "Resources"}, 0.0)
    watching.look({"7": "Resources"}, 29.0)
    watching.look({"8": "Resources"}, 31.0)
    assert events == []


def test_an_endless_wait_is_a_warning_at_once(watch):
    watching, events = watch
    assert watching.look({"7": "JobHeldUser"}, 100.0)[0] == 0
    assert watching.look({"7": "JobHeldUser"}, 160.0) == (
        60.0,
        "JobHeldUser: they are held; " + explain("JobHeldUser").next_step,
    )
    assert [event.level for event in events] == ["warning"]
    assert watching.look({"7": "JobHeldUser", "8": "Resources"}, 170.0)[0] == 0
    assert watching.look({}, 180.0) == (0.0, "")
