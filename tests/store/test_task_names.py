"""Names of tasks, and what each waits for."""

import pytest

from hstmosaic.store.task_names import Stage, dependencies, layer_of, layer_tasks, screen_task, stage_of

EXPOSURES = {"acs_wfc_f814w": ["a_flc.fits", "b_flc.fits"], "wfc3_ir_f160w": ["c_flt.fits"]}
SCREENS = tuple(screen_task(name) for names in EXPOSURES.values() for name in names)
DIVIDED = layer_tasks("acs_wfc_f814w", 2)


@pytest.mark.parametrize("boxes", [1, 3])
def test_all_tasks_of_a_layer_belong_to_it(boxes):
    tasks = layer_tasks("wfc3_ir_f160w", boxes)
    assert len(set(tasks)) == len(tasks) == (1 if boxes == 1 else boxes + 2)
    assert {layer_of(task) for task in tasks} == {"wfc3_ir_f160w"}
    assert {stage_of(task) for task in tasks} == {Stage.DRIZZLE}


def test_boxes_wait_until_their_layer_is_prepared():
    prepare, *boxes, assemble = DIVIDED
    (single,) = layer_tasks("wfc3_ir_f160w", 1)
    found = dependencies([*SCREENS, single, *DIVIDED], EXPOSURES)
    assert found[prepare] == SCREENS[:2]
    assert {found[box] for box in boxes} == {(prepare,)}
    assert found[assemble] == tuple(boxes)
    assert found[single] == SCREENS[2:]


def test_the_order_of_tasks_is_kept():
    tasks = [*SCREENS, *layer_tasks("wfc3_ir_f160w", 1), *reversed(DIVIDED)]
    assert list(dependencies(tasks, EXPOSURES)) == tasks
