"""Options of a run, and their records in the run log and the provenance."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

from hstmosaic.plan.boxes import Division
from hstmosaic.plan.request import DOCUMENTED, MosaicRequest
from hstmosaic.products.recorded_options import RecordedCatalog, RecordedOptions
from hstmosaic.run.pool.machine_limits import cores
from hstmosaic.run.profiles.profile import Profile, load_profile
from hstmosaic.store.files import sha256
from hstmosaic.store.payload import CommandRecord
from hstmosaic.store.task_specs import Screening

_SHOWN_ELSEWHERE = {"source", "output", "prefix", "notes"}
"""Options that the plan and the path of the run directory record."""


@dataclass(frozen=True)
class RunOptions:
    """Options of a run.

    Paths can be given as text, and the profile by its name.
    """

    source: str | tuple[str, ...]
    """Search pattern, list, or ``@`` and list; or names of exposures."""
    prefix: str | None = None
    """Prefix of the products; the documented default when None."""
    skip_alignment: bool = False
    catalog: Path | None = None
    """Catalogue to align to; that of the catalogue service when None."""
    require_alignment: bool = False
    """Fail if an exposure cannot be aligned."""
    log_level: str = "info"
    """Level of drizzlepac's logs and trailers."""
    output: Path = field(default_factory=Path)
    """Output directory."""
    workers: int | None = None
    """Tasks at a time; the number of usable cores when None."""
    keep: tuple[str, ...] = ()
    """Names of exposures to use whatever their verdict."""
    screening: Screening = Screening.SHAPES
    """Method to find failed guiding."""
    strict: bool = False
    """Turn every exclusion and every fallback of a library into an error."""
    keep_work: bool = False
    """Keep the working directories of finished tasks."""
    stub: bool = False
    """Run placeholder tasks of a second that write tiny files, whose names begin with ``stub``."""
    notes: tuple[str, ...] = ()
    """Warnings to report at the start."""
    profile: Profile = field(default_factory=lambda: Profile("local"))
    """Profile of the cluster that runs tasks."""
    request: MosaicRequest = DOCUMENTED
    """Options that determine the pixels and files of mosaics."""
    replace: bool = False
    """Replace the products of another run with the same prefix in the output directory."""
    whole_layers: bool = False
    """Let drizzlepac drizzle each layer in one call, instead of box by box; the mosaics are the same."""
    learning: bool = True
    """Use measurements of earlier runs in estimates, and record those of this run."""

    def __post_init__(self) -> None:
        """Convert text to paths, to a profile and to a kind of screening."""
        for name in ("output", "catalog"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Path(getattr(self, name)))
        if isinstance(self.profile, str):
            object.__setattr__(self, "profile", load_profile(self.profile))
        object.__setattr__(self, "screening", Screening(self.screening))

    @property
    def aligned(self) -> bool:
        """Return whether an alignment will be tried."""
        return not (self.skip_alignment or self.stub)

    @property
    def draws_on_worker(self) -> bool:
        """Return whether a worker draws the pictures, and not the node of the driver."""
        return self.profile.cluster == "slurm" and not self.stub

    @property
    def draws_beside_tasks(self) -> bool:
        """Return whether the driver's node draws the pictures while tasks run, where the memory suffices."""
        return self.profile.cluster == "local" and not self.stub

    @property
    def division(self) -> Division:
        """Limits by which layers are divided into boxes; placeholders are not divided."""
        profile = self.profile
        workers = self.workers or (cores() if profile.cluster == "local" else profile.max_jobs)
        return Division(workers, profile.task_memory_mb, whole_layers=self.whole_layers or self.stub)

    @property
    def product_prefix(self) -> str | None:
        """Prefix of the products; placeholders never replace a mosaic."""
        if not self.stub:
            return self.prefix
        return f"stub-{self.prefix}" if self.prefix else "stub"


def recorded_options(options: RunOptions) -> RecordedOptions:
    """Return the options that determine the products, for provenance."""
    catalog = None
    if options.catalog is not None and not options.skip_alignment:
        path = options.catalog.absolute()
        catalog = RecordedCatalog(str(path), sha256(path) if path.is_file() else None)
    same = {item.name: getattr(options, item.name) for item in fields(RecordedOptions)}
    return RecordedOptions(**same | {"catalog": catalog})


def command_record(options: RunOptions) -> CommandRecord:
    """Return the command and every option that differs from its default, for the run log."""
    chosen = {item.name: getattr(options, item.name) for item in fields(options) if item.name not in _SHOWN_ELSEWHERE}
    usual = {item.name: item.default for item in fields(options)}
    changed = {name: _plain(value) for name, value in chosen.items() if value != usual[name]}
    changed["profile"] = options.profile.name
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return CommandRecord(command, options.stub, changed)


def _plain(value: object) -> bool | int | float | str:
    if isinstance(value, bool | int | float | str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
