"""What tasks are estimated to need, against what real ones took, and how earlier runs correct it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.pointed_exposures import Aim, aimed
from hstmosaic.plan.estimates import (
    LEAST_MEMORY_MB,
    NOTHING_LEARNED,
    Estimate,
    Factors,
    Learned,
    Sizes,
    box_sizes,
    estimate_boxes,
    estimate_drizzle,
    estimate_fit,
    estimate_screen,
    estimate_sources,
    model,
)
from hstmosaic.plan.limits import Grid
from hstmosaic.plan.pixel_bytes import pixel_bytes
from hstmosaic.plan.request import MosaicRequest
from hstmosaic.plan.tiles import Tile
from hstmosaic.run.pool.placement import START_SECONDS, JobLimits, JobSize, Need

FULL = Aim(180.0, 26.0, camera="wfc3_uvis", shape=None)
SMALL = Aim(180.0, 26.0, camera="wfc3_uvis", shape=(300, 300))

MEMORY = [
    # by calibrate.py, before imports were deferred: kind, what it worked on, peak memory (MB)
    ("screen", Sizes(1, chip=0.2621, exposure=0.2621, detector=0.2621), 231.8),
    ("screen", Sizes(1, chip=8.4009, exposure=16.8018, detector=16.8018), 574.4),
    ("sources", Sizes(1, chip=0.2621, exposure=0.2621, detector=0.2621), 244.4),
    ("sources", Sizes(1, chip=8.3886, exposure=16.7772, detector=16.7772), 1250.3),
    ("align", Sizes(7, chip=0.2621, exposure=0.2621, detector=1.4418), 229.0),
    ("align", Sizes(6, chip=8.4009, exposure=16.8018, detector=69.2), 401.9),
    ("drizzle", Sizes(2, 0.2621, 0.2621, 0.5243, largest=5.1, output=5.67, passes=4, drawn=1.0486), 384.2),
    ("drizzle", Sizes(8, 1.0282, 1.0282, 8.2256, largest=22.5, output=25.0, passes=16, drawn=16.45), 914.2),
    ("drizzle", Sizes(2, 8.4009, 16.8018, 33.6036, largest=33.6, output=33.6, passes=2, drawn=33.6036), 1205.2),
    ("drizzle", Sizes(16, 8.4009, 16.8018, 268.8287, 46.1, output=46.1, passes=16, drawn=268.8287), 3358.7),
    ("drizzle", Sizes(4, 8.3886, 16.7772, 67.1089, largest=136.6, output=136.6, passes=4, drawn=67.1), 3628.6),
    ("drizzle", Sizes(4, 1.0282, 1.0282, 4.1128, largest=145.1, output=161.2, passes=8, drawn=8.2256), 3739.8),
]
SECONDS = [
    # by calibrate.py, of the tasks as they are now: kind, what it worked on, CPU time (s)
    ("screen", Sizes(1, chip=0.2621, exposure=0.2621, detector=0.2621), 0.05),
    ("screen", Sizes(1, chip=4.1943, exposure=4.1943, detector=4.1943), 0.5),
    ("screen", Sizes(1, chip=8.4009, exposure=16.8018, detector=16.8018), 1.4),
    ("sources", Sizes(1, chip=1.0282, exposure=1.0282, detector=1.0282), 0.9),
    ("sources", Sizes(1, chip=8.3886, exposure=16.7772, detector=16.7772), 10.7),
    ("align", Sizes(8, chip=4.1943, exposure=4.1943, detector=21.0), 1.9),
    ("align", Sizes(6, chip=8.4009, exposure=16.8018, detector=69.2), 4.1),
    ("align", Sizes(8, chip=8.4009, exposure=16.8018, detector=134.4), 7.6),
    ("drizzle", Sizes(2, 0.2621, 0.2621, 0.5243, largest=5.1, output=5.67, passes=4, drawn=1.0486), 2.0),
    ("drizzle", Sizes(4, 4.1943, 4.1943, 16.7772, largest=15.3, output=15.3, passes=4, drawn=16.7772), 4.9),
    ("drizzle", Sizes(8, 1.0282, 1.0282, 8.2256, largest=22.5, output=25.0, passes=16, drawn=16.45), 12.8),
    ("drizzle", Sizes(2, 8.4009, 16.8018, 33.6036, largest=33.6, output=33.6, passes=2, drawn=33.6036), 7.7),
    ("drizzle", Sizes(4, 8.3886, 16.7772, 67.1089, largest=48.7, output=48.7, passes=4, drawn=67.1), 18.5),
    ("drizzle", Sizes(4, 8.3886, 16.7772, 67.1089, largest=136.6, output=136.6, passes=4, drawn=67.1), 19.8),
    ("box", box_sizes(Sizes(8, 8.4009, 16.8018, 134.4143, 40.1, 40.1, touched=40.1, drawn=134.4143), 2), 6.0),
    ("box", box_sizes(Sizes(16, 8.4009, 16.8018, 268.8287, 46.1, 46.1, touched=46.1, drawn=268.8287), 2), 11.9),
    ("box", box_sizes(Sizes(6, 8.4009, 16.8018, 100.8108, 193.1, 193.1, touched=193.1, drawn=100.8108), 2), 6.4),
    ("assemble", Sizes(8, 8.4009, 16.8018, 134.4143, largest=40.1, output=40.1), 2.0),
    ("assemble", Sizes(6, 8.4009, 16.8018, 100.8108, largest=193.1, output=193.1), 7.4),
]


def undivided(sizes):
    """Return sizes of a mosaic that is drizzled in one call."""
    return replace(sizes, largest_touched=sizes.largest, touched=sizes.output)


@pytest.mark.parametrize(("kind", "sizes", "memory_mb"), MEMORY)
def test_no_measured_task_exceeded_its_memory(kind, sizes, memory_mb):
    assert memory_mb < model(kind, undivided(sizes))[0] < 1.4 * memory_mb


@pytest.mark.parametrize(("kind", "sizes", "seconds"), SECONDS)
def test_measured_times_were_near_on_one_machine(kind, sizes, seconds):
    """A machine of another speed changes all of them alike."""
    given = sizes if kind == "box" else undivided(sizes)
    assert model(kind, given)[1] == pytest.approx(seconds, rel=0.35, abs=0.1)


def test_a_job_has_the_time_that_tasks_take_on_a_machine_three_times_slower():
    limits = JobLimits(JobSize(1, 10_000, 0.0))
    for kind, sizes, seconds in SECONDS:
        given = sizes if kind == "box" else undivided(sizes)
        walltime = limits.walltime(Need(1000, model(kind, given)[1]))
        assert walltime - START_SECONDS > 2.9 * seconds


def test_the_sizes_are_those_of_exposures_and_grids():
    """Two chips of 2051 x 4096 pixels each are a full frame of WFC3/UVIS."""
    grids = [Grid(0.12, (500, 400), (0, 0), (0, 0)), Grid(0.04, (1500, 1200), (0, 0), (0, 0))]
    chip = 2.051 * 4.096
    expected = Sizes(3, chip, 2 * chip, 6 * chip, 1.8, 2.0, largest_touched=1.8, touched=2.0, passes=6, drawn=12 * chip)
    memory, seconds = model("drizzle", expected)
    estimate = estimate_drizzle([aimed(FULL)] * 3, grids)
    assert (estimate.memory_mb, estimate.seconds, estimate.group) == (memory, seconds, "drizzle wfc3_uvis")


def test_many_exposures_are_held_at_once():
    one, many = (estimate_drizzle([aimed(FULL)] * n, [Grid(0.04, (6000, 6000), (0, 0), (0, 0))]) for n in (2, 100))
    assert many.memory_mb > 10 * one.memory_mb


def test_estimates_grow_with_the_input():
    small, large = aimed(SMALL), aimed(FULL)
    for estimate in (estimate_screen, estimate_sources):
        assert estimate(small).memory_mb < estimate(large).memory_mb
        assert estimate(small).seconds < estimate(large).seconds
    assert estimate_fit([small]).seconds < estimate_fit([small, large]).seconds
    grid = Grid(0.04, (6000, 6000), (0, 0), (0, 0))
    one, three = (estimate_drizzle([large] * n, [grid]) for n in (1, 3))
    assert three.memory_mb == one.memory_mb
    assert three.seconds > 1.5 * one.seconds
    assert three.disk_mb > one.disk_mb


def test_disk_space_includes_requested_images_tiles_and_compression():
    grid, tile = Grid(0.04, (10_000, 10_000), (0, 0), (0, 0)), Tile("a", 0, 0, 5_000, 10_000)
    deep = [aimed(FULL)] * 20  # 40 chips: two planes of context

    def added(tiles=(), *, whole=False, **options):
        pixel = pixel_bytes(MosaicRequest(**options), deep, whole=whole)
        usual, found = (estimate_drizzle(deep, [grid], **more) for more in ({}, {"tiles": tiles, "pixel": pixel}))
        return found.disk_mb - usual.disk_mb

    assert added() == 0
    assert added(error=True) == 400
    assert added(context=True) == 200 + 2 * 400
    assert added([tile], error=True) == 400 + 600
    # boxes are compressed as they are put together; the plain form is on disk only where it is needed
    assert added(compress=True) == 0
    assert added(compress=True, whole=True) == 800
    assert added(compress=True, error=True) == 400 + 1200
    *_, box, assembly = estimate_boxes(deep, [grid], 4, pixel=pixel_bytes(MosaicRequest(context=True), deep))
    assert box.disk_mb == pytest.approx(1600 / 4, rel=0.05)
    assert assembly.disk_mb == pytest.approx(1800, abs=2)


def test_sparse_fields_need_memory_and_compressed_space_for_their_data_only():
    grid, members = Grid(0.04, (100_000, 30_000), (0, 0), (0, 0)), [aimed(FULL)] * 2
    compressed = pixel_bytes(MosaicRequest(compress=True), members)
    full, sparse = (estimate_drizzle(members, [grid], pixel=compressed, touched=share) for share in (1.0, 0.02))
    assert sparse.memory_mb < 0.03 * full.memory_mb
    assert sparse.disk_mb < 0.03 * full.disk_mb
    *_, box, assembly = estimate_boxes(members, [grid], 4, pixel=compressed, touched=0.02)
    assert (box.memory_mb, assembly.disk_mb) < (1000, 600)


def test_earlier_tasks_correct_those_of_their_group_only():
    learned = Learned(runs=2, factors={"drizzle wfc3_ir": Factors(memory=1.5, time=2.0, tasks=7)})
    alike = Estimate(1000, 10.0, 5, group="drizzle wfc3_ir")
    assert learned.correct(alike) == Estimate(1500, 20.0, 5, "drizzle wfc3_ir", memory_factor=1.5, time_factor=2.0)
    other = Estimate(1000, 10.0, 5, group="drizzle acs_wfc")
    assert learned.correct(other) == other
    assert replace(learned, pace=3.0).correct(other).seconds == 30.0
    assert learned.tasks == 7


def test_other_work_is_expected_to_take_what_most_tasks_took():
    factors = {"screen x": Factors(1.0, 2.0, 10), "drizzle x": Factors(1.0, 2.0, 3), "align x": Factors(1.0, 1.0, 1)}
    assert Learned(1, factors).machine == pytest.approx(2.0, rel=0.06)
    assert NOTHING_LEARNED.machine == 1.0


@given(st.integers(LEAST_MEMORY_MB, 100_000), st.floats(0.01, 10.0))
def test_memory_is_never_below_that_of_a_task_that_does_nothing(memory_mb, factor):
    learned = Learned(1, {"screen x": Factors(factor, 1.0, 1)})
    assert learned.correct(Estimate(memory_mb, 1.0, 1, group="screen x")).memory_mb >= LEAST_MEMORY_MB
