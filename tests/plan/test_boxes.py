"""Into how many boxes layers are divided."""

from dataclasses import replace

import pytest

from hstmosaic.plan.boxes import Division, divide_layers
from hstmosaic.plan.build import make_plan
from hstmosaic.plan.estimates import box_pixels, model, sizes_of
from hstmosaic.plan.parameters import DrizzleParameters
from hstmosaic.plan.request import MosaicRequest


@pytest.fixture(scope="module")
def layers(simulated):
    return make_plan(str(simulated.demo(200).list)).layers


def counts(layers, **limits):
    return [layer.boxes for layer in divide_layers(layers, Division(**limits))]


def with_seconds(layer, seconds):
    return replace(layer, estimate=replace(layer.estimate, seconds=seconds), box_seconds=seconds / 2)


def test_small_layers_are_single_tasks(layers):
    assert counts(layers, workers=16) == [1] * len(layers)


def test_a_deep_layer_keeps_all_workers_busy(layers):
    assert counts([with_seconds(layers[0], 400.0)], workers=4) == [4]


def test_layers_of_one_size_need_no_boxes_for_as_many_workers(layers):
    same = [with_seconds(layer, 400.0) for layer in layers]
    assert counts(same, workers=len(same)) == [1] * len(same)


def test_boxes_are_not_smaller_than_they_are_worth(layers):
    assert counts([with_seconds(layers[0], 100.0)], workers=16, least_seconds=20.0) == [2]


def test_twelve_full_frames_of_wfc3_uvis_are_divided_between_two_workers(layers):
    sizes = replace(sizes_of([]), touched=20.0, drawn=12 * 2 * 4096 * 2051 / 1e6)
    one_filter = replace(with_seconds(layers[0], 100.0), box_seconds=model("box", sizes)[1])
    assert counts([one_filter], workers=2) == [2]


def test_boxes_fit_into_the_memory_of_a_task(layers):
    layer = layers[0]
    pixels = layer.touched * max(product.grid.shape[0] * product.grid.shape[1] for product in layer.products)
    (count,) = counts([layer], memory_mb=471)
    assert (count - 1) * box_pixels(471) < pixels <= count * box_pixels(471)


@pytest.mark.parametrize("memory_mb", [500, 2000])
def test_the_largest_box_is_estimated_to_fit(memory_mb):
    sizes = replace(sizes_of([]), chip=8.4, largest_touched=box_pixels(memory_mb) / 1e6)
    assert model("box", sizes)[0] <= memory_mb


WHOLE = {
    "kernel": MosaicRequest(DrizzleParameters.from_dict({"": {"final_kernel": "gaussian"}})),
    "units": MosaicRequest(DrizzleParameters.from_dict({"": {"final_units": "counts"}})),
    "cosmic rays": MosaicRequest(DrizzleParameters.from_dict({"": {"driz_separate": True}})),
}
DIVISIBLE = {
    "compress": MosaicRequest(compress=True),
    "scale": MosaicRequest(scale=0.03),
    "errors": MosaicRequest(error=True),
    "context": MosaicRequest(context=True),
    "parameters": MosaicRequest(DrizzleParameters.from_dict({"": {"final_pixfrac": 0.8, "driz_cr": False}})),
}


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
def test_other_kernels_and_units_need_whole_layers(simulated, request_):
    plan = make_plan(str(simulated.demo(200).list), request=request_, division=Division(memory_mb=471))
    assert [layer.boxes for layer in plan.layers] == [1] * len(plan.layers)


@pytest.mark.parametrize("request_", DIVISIBLE.values(), ids=DIVISIBLE)
def test_layers_with_other_options_are_divided(simulated, request_):
    plan = make_plan(str(simulated.demo(200).list), request=request_, division=Division(memory_mb=471))
    assert any(layer.boxes > 1 for layer in plan.layers)


def test_whole_layers_are_not_divided(layers):
    assert counts(layers, memory_mb=471, whole_layers=True) == [1] * len(layers)
