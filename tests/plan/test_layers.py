"""Layers, their products, and what they will need."""

from __future__ import annotations

import pytest

from helpers.pointed_exposures import Aim, aimed, sky_of
from helpers.sky_fields import ACS, UVIS, visit
from hstmosaic.plan.cells import load_sky_grid
from hstmosaic.plan.layers import common_geometry, make_layers
from hstmosaic.plan.limits import mosaic_limits, tight_limits
from hstmosaic.plan.sky import choose_projection_cell, find_sky_cells

RA, DEC = sky_of(1889, 225000, 225000)


def layers_of(*aims: Aim, prefix: str = "m"):
    """Layers and common grid of exposures."""
    exposures = [aimed(aim) for aim in aims]
    choice = choose_projection_cell(find_sky_cells(exposures, load_sky_grid()))
    limits, _ = mosaic_limits(choice.sky_cells)
    geometry = common_geometry(exposures, choice.cell, limits, tight_limits(exposures, choice.cell, limits))
    return make_layers(exposures, geometry, prefix), geometry


def test_layers_are_in_the_order_of_the_list():
    layers, _ = layers_of(
        Aim(RA, DEC, **UVIS, more=visit(1) | {"filter": "F814W"}),
        Aim(RA, DEC, more=visit(2)),
        Aim(RA, DEC, **UVIS, more=visit(3) | {"filter": "F606W"}),
        Aim(RA, DEC, **ACS, more=visit(4) | {"filter": "F814W"}),
        Aim(RA, DEC, **UVIS, more=visit(5) | {"filter": "F814W", "exptime": 23.5}),
    )
    names = ["wfc3_uvis_f814w", "wfc3_ir_f160w", "wfc3_uvis_f606w", "acs_wfc_f814w"]
    assert [layer.name for layer in layers] == names
    assert layers[0].exposures == ("icab01a0q_flc.fits", "icab05a0q_flc.fits")
    assert (layers[0].exptime, layers[0].filetype, layers[1].filetype) == (123.5, "flc", "flt")


def test_infrared_layers_come_on_both_grids_and_all_layers_share_them():
    layers, geometry = layers_of(Aim(RA, DEC), Aim(RA, DEC, **UVIS, more=visit(2)), prefix="foo_")
    assert [[product.name for product in layer.products] for layer in layers] == [
        ["foo__wfc3_ir_f160w_coarse-all_drz.fits", "foo__wfc3_ir_f160w_all_drz.fits"],
        ["foo__wfc3_uvis_f606w_all_drc.fits"],
    ]
    (coarse, fine), (other,) = (layer.products for layer in layers)
    assert fine.trailer == "foo__wfc3_ir_f160w_all_trl.txt"
    assert fine.grid == other.grid == geometry.fine
    assert coarse.grid == geometry.coarse
    assert (fine.grid.scale, coarse.grid.scale) == (0.04, pytest.approx(0.12))
    for few, many in zip(coarse.grid.shape, fine.grid.shape, strict=True):
        assert few == pytest.approx(many / 3, abs=1)


def test_npixfrac_refers_to_the_documented_limits():
    layers, _ = layers_of(Aim(RA, DEC))
    assert [product.documented_size for product in layers[0].products] == [7319 * 7319, 21954 * 21954]


@pytest.mark.parametrize(
    ("shifts", "depth", "parameter_set", "close_call"),
    [([0], 1, "n1", False), ([0, 0], 2, "n2", False), ([0, 30], 1, "n1", False), ([0, 0, 30, 60], 4 / 3, "n1", False)],
)
def test_depth_decides_the_parameter_set(shifts, depth, parameter_set, close_call):
    aims = [Aim(RA, DEC + shift / 3600, more=visit(1, k + 1)) for k, shift in enumerate(shifts)]
    (layer,), _ = layers_of(*aims)
    assert layer.mean_chips == pytest.approx(depth, rel=0.01)
    assert (layer.parameter_set, layer.close_call) == (parameter_set, close_call)


@pytest.mark.parametrize(
    ("camera", "name", "exposures", "sky_matched"),
    [
        ("acs_wfc", "F606W", 2, True),
        ("acs_wfc", "F606W", 1, False),
        ("acs_hrc", "F606W", 2, True),
        ("acs_sbc", "F115LP", 2, True),
        ("acs_sbc", "F125LP", 2, False),
    ],
)
def test_skies_that_are_matched(camera, name, exposures, sky_matched):
    aims = [
        Aim(RA, DEC, camera=camera, shape=(200, 200), more=visit(1, k + 1) | {"filter": name}) for k in range(exposures)
    ]
    (layer,), _ = layers_of(*aims)
    assert layer.sky_matched is sky_matched


def test_close_calls_are_marked():
    """The overlap of two identical chips that is a third of both makes 1.5."""
    height = 128 * 0.121
    aims = [Aim(RA, DEC, 0.0, more=visit(1)), Aim(RA, DEC + height / 3 / 3600, 0.0, more=visit(1, 2))]
    (layer,), _ = layers_of(*aims)
    assert layer.mean_chips == pytest.approx(1.5, abs=0.03)
    assert layer.close_call
