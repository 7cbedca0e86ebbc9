"""Record of a run, read from its run directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hstmosaic.errors import OutputError
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.names import json_manifest_name
from hstmosaic.plan.outlines import Outline, read_outlines
from hstmosaic.plan.plan import Plan, plan_from_json
from hstmosaic.products.manifest import Failure, Manifest, read_manifest
from hstmosaic.products.picture_list import PictureList, read_picture_list
from hstmosaic.products.starts import Start, starts_of
from hstmosaic.store.alignment_results import AlignmentResult
from hstmosaic.store.events import event_from_line
from hstmosaic.store.files import ENCODING
from hstmosaic.store.payload import CommandRecord, EventKind, Payload
from hstmosaic.store.run_directory import RunDirectory
from hstmosaic.store.stage_events import (
    FailureDigested,
    Finished,
    Gathered,
    LayerFailed,
    Planned,
    Repaired,
    Reused,
    ScreeningRejected,
    Stopped,
)
from hstmosaic.store.task_names import drizzle_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.plan.layers import Layer
    from hstmosaic.store.events import Event
    from hstmosaic.store.pixel_repair import PixelRepair

P = TypeVar("P", bound=Payload)
_WRITTEN_ANEW = "rerun the same command; it is written again"


@dataclass(frozen=True)
class Failed:
    """A layer that was not made."""

    layer: str
    """Empty if it concerns all of them."""
    cause: str
    log: str
    """Path of its log; empty if missing."""
    lines: tuple[str, ...] = ()
    """Lines of the log that show it."""
    next_step: str = ""


@dataclass(frozen=True)
class RunRecord:
    """A run as recorded in its run directory."""

    run: Path
    """The run directory."""
    plan: Plan
    events: tuple[Event, ...]
    """Events of the last start, in order."""
    starts: tuple[Start, ...] = ()
    """All starts of the run."""

    @property
    def directory(self) -> RunDirectory:
        """The paths of the run."""
        return RunDirectory(self.run)

    @property
    def output(self) -> Path:
        """The output directory."""
        return self.directory.output

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return self.events[0].time if self.events else 0.0

    def payloads(self, shape: type[P]) -> Iterator[P]:
        """Return the data of the events of one shape."""
        return (event.payload for event in self.events if isinstance(event.payload, shape))

    @cached_property
    def command(self) -> CommandRecord:
        """Command and options in the run log."""
        return next((planned.command for planned in self.payloads(Planned)), CommandRecord())

    @cached_property
    def exit_code(self) -> int | None:
        """Exit code of the run; None if it was not recorded."""
        ends = (event.payload for event in self.events if isinstance(event.payload, Finished | Stopped))
        codes = [end.exit_code for end in ends if end.exit_code is not None]
        return codes[-1] if codes else None

    @cached_property
    def made(self) -> tuple[Layer, ...]:
        """Layers that the last start made or reused."""
        names = {event.payload.layer for event in self.events if isinstance(event.payload, Gathered | Reused)}
        return tuple(layer for layer in self.plan.layers if layer.name in names)

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest, if there is one of this start; `OutputError` where it is damaged."""
        path = self.output / json_manifest_name(self.plan.prefix)
        if not path.is_file() or path.stat().st_mtime < self.started:
            return None
        return read_manifest(path)

    @cached_property
    def left_out(self) -> tuple[Exclusion, ...]:
        """Entries of the list that are in no product, by header checks and by screening."""
        if self.manifest is not None:
            return self.manifest.left_out
        return (*self.plan.excluded, *(_excluded(rejected) for rejected in self.payloads(ScreeningRejected)))

    @cached_property
    def unused(self) -> frozenset[str]:
        """Names of exposures that are in no product; one that the list names twice is left out once, and used."""
        planned = {exposure.name for exposure in self.plan.exposures}
        return frozenset(
            exclusion.name
            for exclusion in self.left_out
            if exclusion not in self.plan.excluded or exclusion.name not in planned
        )

    @cached_property
    def repairs(self) -> dict[str, PixelRepair]:
        """Faults in the pixels of exposures, by name, that the mosaics do not have."""
        return {repaired.exposure: repaired.repair for repaired in self.payloads(Repaired)}

    @cached_property
    def failures(self) -> tuple[Failed, ...]:
        """Layers that were not made, each once."""
        found: dict[str, Failed] = {}
        for event in self.events:
            if isinstance(event.payload, LayerFailed | FailureDigested):
                found[event.payload.layer] = _failed(event.payload, event.message, self.run)
        # what stopped the run has an event of its own
        listed = self.manifest.failures if self.manifest is not None and not list(self.payloads(Stopped)) else ()
        return (*found.values(), *(_listed(failure) for failure in listed if failure.layer not in found))

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        """Outlines of the exposures; none in run directories of older versions."""
        path = self.directory.outlines_file
        return read_outlines(path) if path.is_file() else ()

    @cached_property
    def alignment(self) -> AlignmentResult | None:
        """Outcome of the alignment; None if none was tried."""
        if not any(event.kind in (EventKind.ALIGNED, EventKind.NOT_ALIGNED) for event in self.events):
            return None
        path = self.directory.alignment_file
        raw = _read_if_there(path)
        try:
            return AlignmentResult.from_dict(raw) if raw else None
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(f"{path} is not the result of an alignment ({error!r})", _WRITTEN_ANEW) from error

    @cached_property
    def pictures(self) -> PictureList:
        """Pictures of the run; an empty list before they are made."""
        path = self.directory.pictures_file
        try:
            return read_picture_list(path)
        except ValueError as error:
            raise OutputError(f"{path} cannot be read: {error}", _WRITTEN_ANEW) from error

    def used(self, layer: Layer) -> tuple[str, ...]:
        """Return the names of the exposures in a layer's products."""
        return tuple(name for name in layer.exposures if name not in self.unused)


def read_record(run: Path) -> RunRecord:
    """Read a run directory.

    Parameters
    ----------
    run : pathlib.Path
        The run directory, ``<prefix>_run``.

    Returns
    -------
    RunRecord

    Raises
    ------
    OutputError
        If it is not a run directory, or its plan is damaged.
    """
    directory = RunDirectory(run)
    try:
        plan = plan_from_json(directory.plan_file.read_text(ENCODING))
    except OSError as error:
        raise OutputError(f"{run} is not a run directory: {error.strerror}", "its name ends in _run") from error
    except (ValueError, KeyError, TypeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise OutputError(f"{directory.plan_file} cannot be read: {cause}", _WRITTEN_ANEW) from error
    log = directory.log_file
    found = list(_events(log.read_bytes())) if log.is_file() else []
    last = max((i for i, event in enumerate(found) if isinstance(event.payload, Planned)), default=0)
    return RunRecord(run.absolute(), plan, tuple(found[last:]), starts_of(found))


def _events(log: bytes) -> Iterator[Event]:
    for line in log.splitlines():
        try:
            yield event_from_line(line)
        except (ValueError, KeyError):  # broken off: a driver was killed, or its disk was full
            continue


def _failed(failed: LayerFailed | FailureDigested, message: str, run: Path) -> Failed:
    """Return the failure of a layer, with its digest if it has one."""
    if isinstance(failed, FailureDigested):
        return Failed(failed.layer, failed.sentence, failed.log, failed.lines, failed.next_step)
    log = RunDirectory(run).task(drizzle_task(failed.layer)).log
    cause = message.removeprefix(f"{failed.layer} failed: ").split(" (log: ")[0]
    return Failed(failed.layer, cause, str(log) if log.is_file() else "")


def _excluded(rejected: ScreeningRejected) -> Exclusion:
    name = rejected.exposure
    return Exclusion(name, rejected.reason, f"use it with --keep {name}", crashed=rejected.crashed)


def _listed(failure: Failure) -> Failed:
    return Failed(failure.layer or "", failure.cause, failure.log)


def _read_if_there(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(ENCODING)) if path.is_file() else {}
    except ValueError as error:
        raise OutputError(f"{path} cannot be read: {error}", _WRITTEN_ANEW) from error
    return found
