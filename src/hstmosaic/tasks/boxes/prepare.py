"""Prepare the mosaics of a layer: everything that drizzlepac does, but without drizzling a pixel."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
from astropy.io import fits
from drizzlepac import adrizzle, util
from drizzlepac.haputils import processing_utils, product

from hstmosaic.store.context_image import plane_count
from hstmosaic.tasks.boxes.geometry import (
    NODE,
    ChipBounds,
    chip_wcs,
    describe_grid,
    grid_wcs,
    make_mapping,
    node_positions,
    save_geometry,
)
from hstmosaic.tasks.boxes.kernel import kernel_version
from hstmosaic.tasks.boxes.pixels import find_pixels, save_weights
from hstmosaic.tasks.boxes.records import ChipRecord, MosaicRecord
from hstmosaic.tasks.exact import replace

SMALL = 2
"""Rows and columns of the mosaics that drizzlepac makes while its calls are recorded."""
_NO_FILL = ("INDEF", "")
_KERNEL = "square"


class NotRecordableError(Exception):
    """Parameters, or a chip, that can only be drizzled with the layer as a whole."""


@dataclass
class Recorder:
    """Records of the mosaics that drizzlepac prepares.

    Parameters
    ----------
    folder : pathlib.Path
        Existing directory for the files of the records.
    context : bool
        Whether mosaics have a context image.
    """

    folder: Path
    context: bool = False
    mosaics: list[MosaicRecord] = field(default_factory=list)
    refusal: str = ""
    """Why a layer cannot be made in boxes."""
    _gain: Any = None
    """By which drizzlepac divides the mosaic at the end."""
    _chips: list[ChipRecord] = field(default_factory=list)
    _originals: dict[str, Path] = field(default_factory=dict)
    """Exposures of which working copies were made, by root name; the copies are renamed later."""
    _geometries: dict[str, str] = field(default_factory=dict)

    def install(self) -> None:
        """Let drizzlepac record its calls of the kernel, in this process."""
        product.shutil = SimpleNamespace(copy=self._copy, move=product.shutil.move)
        processing_utils.compute_sregion = _leave_region
        # weights are measured when the pixels are there
        replace.weight_statistics = lambda weights: (np.float32(1), np.float32(1))
        self._shrink_mosaics()
        self._watch_chips()

    def _copy(self, source: str, target: str) -> None:
        shutil.copyfile(source, target)
        self._originals[fits.getheader(source)["ROOTNAME"]] = Path(source)

    def _shrink_mosaics(self) -> None:
        original = adrizzle.run_driz

        @functools.wraps(original)
        def run_driz(images: Any, wcs: Any, parameters: Any, *args: Any, **options: Any) -> None:
            self._chips = []
            kind = type(wcs)
            shape = tuple(wcs.array_shape)
            wcs.__class__ = type(kind.__name__, (kind,), {"array_shape": property(lambda _: (SMALL, SMALL))})
            try:
                original(images, wcs, parameters, *args, **options)
            finally:
                wcs.__class__ = kind
            fill = _fill(parameters["fillval"])
            empty = np.full(1, adrizzle.interpret_maskval(parameters) if fill is None else fill, np.float32)
            if self._gain is not None:
                np.divide(empty, self._gain, empty)
            self.mosaics.append(
                MosaicRecord(
                    name=images[0].outputNames["outFinal"],
                    shape=shape,
                    grid=describe_grid(wcs),
                    empty=float(empty[0]),
                    fill=fill,
                    gain=None if self._gain is None else float(self._gain),
                    double_gain=isinstance(self._gain, np.float64),
                    chips=tuple(self._chips),
                    context=_context_planes(images) if self.context else 0,
                )
            )

        adrizzle.run_driz = run_driz

    def _watch_chips(self) -> None:
        run_chip = adrizzle.run_driz_chip
        version = kernel_version()
        current: list[Any] = []

        @functools.wraps(run_chip)
        def run_driz_chip(image: Any, chip: Any, *args: Any, **options: Any) -> None:
            parameters = args[3]
            self._gain = chip._gain if _scaled_back(image, parameters) else None
            if parameters["units"] != "cps":
                self._refuse(f"{image._filename}: units of {parameters['units']}")
            current[:] = [image, chip]
            run_chip(image, chip, *args, **options)

        @functools.wraps(adrizzle.do_driz)
        def do_driz(*args: Any, **options: Any) -> str:
            self._record(current[0], current[1], *args, **options)
            return version

        adrizzle.run_driz_chip, adrizzle.do_driz = run_driz_chip, do_driz

    def _record(
        self,
        image: Any,
        chip: Any,
        pixels: np.ndarray,
        input_wcs: Any,
        weights: np.ndarray,
        output_wcs: Any,
        _science: np.ndarray,
        _weight: np.ndarray,
        _context: np.ndarray,
        exposure_time: float,
        units: str,
        weight_scale: float,
        *,
        wcslin_pscale: float,
        uniqid: int,
        pixfrac: float,
        kernel: str,
        fillval: Any,
        stepsize: float,
        wcsmap: Any,
    ) -> None:
        name = chip.outputNames["data"]
        if kernel != _KERNEL or wcsmap is not None:
            self._refuse(f"{name}: kernel {kernel}")
        shape = pixels.shape[0], pixels.shape[1]
        extension = chip.header["extname"], chip.header["extver"]
        stem = f"{len(self.mosaics)}_{len(self._chips):05d}"
        mapping = make_mapping(input_wcs, output_wcs, shape, stepsize)
        geometry = self._save_geometry(Path(image._filename))
        rebuilt = make_mapping(
            chip_wcs(self.folder / geometry, extension[1], shape), grid_wcs(describe_grid(output_wcs)), shape, stepsize
        )
        nodes = node_positions(mapping, shape)
        if stepsize > NODE or not np.array_equal(nodes, node_positions(rebuilt, shape), equal_nan=True):
            self._refuse(f"{name}: its WCS is not that of its header")
        misses = ChipBounds(nodes, shape).misses(output_wcs.pixel_shape[::-1])
        if misses:
            adrizzle.log.warning(f"! {misses} points were outside the output image.")
        np.save(self.folder / f"{stem}_nodes.npy", nodes.astype(np.float32))
        sky = None if chip.computedSky is None else float(chip.computedSky)
        kept = self._kept(image._filename)
        found: Any = find_pixels(kept, extension, sky, float(chip._effGain), pixels)
        if found is not None and kept.parent == self.folder:
            found = replace_fields(found, path=kept.name)
        elif found is None:
            found = f"{stem}_pixels.npy"
            np.save(self.folder / found, pixels.astype(np.float32))
        mask = f"{stem}_weights.npy"
        self._chips.append(
            ChipRecord(
                name=name,
                shape=shape,
                pixels=found,
                weight=save_weights(self.folder / mask, weights),
                mask=mask,
                geometry=geometry,
                extver=extension[1],
                nodes=f"{stem}_nodes.npy",
                pixel_ratio=float(output_wcs.pscale / wcslin_pscale),
                number=int(uniqid),
                exposure_time=1.0 if units == "cps" else float(exposure_time),
                units=units,
                weight_scale=float(weight_scale),
                pixfrac=float(pixfrac),
                kernel=kernel,
                step=float(stepsize),
            )
        )

    def _refuse(self, reason: str) -> NoReturn:
        """Raise, and keep the reason, since drizzlepac catches all exceptions."""
        self.refusal = reason
        raise NotRecordableError(reason)

    def _save_geometry(self, exposure: Path) -> str:
        name = f"{len(self.mosaics)}_{exposure.stem}_wcs.fits"
        if name not in self._geometries:
            save_geometry(exposure, self.folder / name)
            self._geometries[name] = name
        return name

    def _kept(self, copy: str) -> Path:
        """Return the exposure behind a working copy, or a copy of it with the records if it is not the user's."""
        original = self._originals[fits.getheader(copy)["ROOTNAME"]]
        if original.is_symlink():
            return original.resolve()
        kept = self.folder / original.name
        if not kept.exists():
            shutil.copyfile(original, kept)
        return kept


def _fill(value: Any) -> float | None:
    text = "" if util.is_blank(value) else str(value).strip()
    return None if text.upper() in _NO_FILL else float(np.float32(text))


def _context_planes(images: Any) -> int:
    """Return the planes of the context image as drizzlepac counts them."""
    chips = sum(len(image.returnAllChips(extname=image.scienceExt)) for image in images)
    return plane_count(chips)


def _scaled_back(image: Any, parameters: Any) -> bool:
    """Tell whether drizzlepac divides the mosaic by a gain at the end."""
    native: str = image.native_units.lower()
    return parameters["proc_unit"].lower() == "native" and native.startswith("counts")


def _leave_region(hdus: Any, extname: str = "SCI") -> None:
    """Keep a place for S_REGION, which is found when the pixels are there."""
    hdus[extname, 1].header["s_region"] = ""
