"""Simulated exposures with real distortion, for the demo, the tests and trying out a cluster."""

from __future__ import annotations

from hstmosaic.simulate.attitude import Pointing, PointingError
from hstmosaic.simulate.exposure_plan import ExposurePlan
from hstmosaic.simulate.exposures import simulate_exposure
from hstmosaic.simulate.fields import Field, Visit, build_field, pointings, simulate_field
from hstmosaic.simulate.instruments import Camera, camera, cut
from hstmosaic.simulate.ready_made import corner_field, demo_field, sky_cell_corner, three_camera_field
from hstmosaic.simulate.scene import ExtendedGalaxy, Scene, make_scene

__all__ = [
    "Camera",
    "ExposurePlan",
    "ExtendedGalaxy",
    "Field",
    "Pointing",
    "PointingError",
    "Scene",
    "Visit",
    "build_field",
    "camera",
    "corner_field",
    "cut",
    "demo_field",
    "make_scene",
    "pointings",
    "simulate_exposure",
    "simulate_field",
    "sky_cell_corner",
    "three_camera_field",
]
