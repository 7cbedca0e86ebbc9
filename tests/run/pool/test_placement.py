"""Placement of tasks and sizes of jobs."""

import math

from hstmosaic.run.pool.placement import (
    START_SECONDS,
    WORKER_MEMORY_MB,
    Capacity,
    JobLimits,
    JobSize,
    Need,
    pack,
    place,
)

SHARED = JobSize(cores=4, memory_mb=4500, seconds=3600)
LIMITS = JobLimits(SHARED, max_memory_mb=10500, max_seconds=7200)
SMALL = Need(1000, 60)
BIG = Need(6000, 60)
LONG = Need(1000, 2000)


def test_small_tasks_share_jobs_and_others_have_their_own():
    jobs = pack([SMALL] * 5 + [BIG, LONG], LIMITS, jobs=10)
    assert sorted(jobs, key=lambda job: (job.memory_mb, job.seconds)) == [
        JobSize(1, 1500, 3600),
        JobSize(1, 1500, 7060),
        JobSize(4, 4500, 3600),
        JobSize(1, 6500, 3600),
    ]


def test_no_more_jobs_and_cores_than_allowed():
    assert len(pack([SMALL] * 100, LIMITS, jobs=3)) == 3
    assert sum(job.cores for job in pack([SMALL] * 100, LIMITS, jobs=30, slots=6)) == 6
    assert pack([SMALL], LIMITS, jobs=0) == []


def test_a_job_has_room_for_what_it_was_made_for():
    for need in (SMALL, BIG, LONG, Need(10000, 7000)):
        assert LIMITS.rejection(need) == ""
        (job,) = pack([need], LIMITS, jobs=1)
        assert job.capacity("job").fits(need)
        assert job.memory_mb <= LIMITS.max_memory_mb
        assert job.seconds <= LIMITS.max_seconds


def test_what_no_job_can_take_is_refused_with_the_reason():
    assert "MB" in LIMITS.rejection(Need(10500 - WORKER_MEMORY_MB + 1, 1))
    assert "longest job" in LIMITS.rejection(Need(1, 7200 - START_SECONDS + 1))


def test_the_longest_of_the_highest_priority_is_served_first():
    needs = [Need(1, 10), Need(1, 20), Need(1, 5, priority=1)]
    assert place(needs, [Capacity("a", 1, 10)]) == [None, None, "a"]
    assert place(needs, [Capacity("a", 2, 10)]) == [None, "a", "a"]
    assert place([Need(1, 10), Need(9, 10)], [Capacity("a", 1, 10)]) == [None, "a"]


def test_the_tightest_room_is_taken():
    rooms = [Capacity("large", 2, 9000), Capacity("small", 2, 2000)]
    assert place([SMALL, SMALL, SMALL, BIG], rooms) == ["small", "small", "large", "large"]


def test_nothing_starts_where_time_does_not_suffice():
    assert place([LONG], [Capacity("ending", 1, 9000, seconds=1999)]) == [None]
    assert place([LONG], [Capacity("fresh", 1, 9000, seconds=2000)]) == ["fresh"]


def test_scratch_is_shared_by_the_tasks_of_a_job():
    small = Need(1000, 60, disk_mb=300)
    (job,) = pack([small, small], LIMITS, jobs=1)
    assert job.disk_mb == 600
    assert place([small] * 2, [job.capacity("job")]) == ["job", "job"]
    assert place([Need(1000, 60, disk_mb=700)], [job.capacity("job")]) == [None]
    assert place([Need(1000, 60, disk_mb=10**9)], [Capacity("here", 1, 1000)]) == ["here"], (
        "without limit where none is set"
    )


def test_memory_grows_by_a_factor_up_to_the_most():
    assert [LIMITS.more_memory(memory, 2.0) for memory in (1000, 6000, 10000)] == [2000, 10000, None]
    assert JobLimits(SHARED).more_memory(50000, 1.5) == 75000
    assert math.isinf(JobLimits(SHARED).max_memory_mb)
