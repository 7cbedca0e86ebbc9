"""Measurements of earlier runs in the user's cache, and the corrections of estimates that follow from them."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import platform
import statistics
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hstmosaic.plan.estimates import MODEL, NOTHING_LEARNED, Factors, Learned
from hstmosaic.store.files import atomic_draft
from hstmosaic.store.user_cache import user_cache
from hstmosaic.store.worker_events import Ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hstmosaic.plan.estimates import Estimate
    from hstmosaic.run.profiles.profile import Profile
    from hstmosaic.store.events import Event, EventLog

VARIABLE = "HSTMOSAIC_LEARNING"
"""Environment variable: ``off``, or the file to use instead of the one in the user's cache."""
KEPT = 5000
"""Largest number of measured tasks; the oldest are dropped."""
MEMORY_MARGIN = 1.1
"""Margin on the memory that few measured tasks exceeded."""
MEMORY_BOUNDS, TIME_BOUNDS = (0.8, 4.0), (0.1, 20.0)
"""Limits of the factors: measurements may cover easy cases only, and a machine may have been overloaded."""
_HIGH = 0.98
_DOUBT = 4
"""Weight of the model, in measured tasks that agree with it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """Measurements of a task, as multiples of the model's estimates."""

    run: str
    """Run of the task."""
    place: str
    """Machine or profile; speeds differ between them."""
    group: str
    memory: float
    time: float
    """CPU time."""
    pace: float
    """Wall time as a multiple of CPU time, with a second added to both, so that short tasks count little."""
    model: int = MODEL


def learning_file(environment: dict[str, str] | None = None) -> Path | None:
    """Return the file of measurements, None if learning is switched off."""
    path = (os.environ if environment is None else environment).get(VARIABLE, "")
    if path.lower() == "off":
        return None
    return Path(path) if path else user_cache() / "measured.jsonl"


def learn(records: Iterable[Record], place: str) -> Learned:
    """Draw conclusions from measurements.

    Memory goes by what few tasks of a group have exceeded, with a margin, wherever that was; CPU time by the median of
    the group, and the pace by that of all tasks, at the same place. A few measurements weigh little, unless tasks took
    more memory than estimated.

    Parameters
    ----------
    records : iterable of Record
        The measurements.
    place : str
        Where the next tasks will run.
    """
    known = [r for r in records if r.model == MODEL and min(r.memory, r.time, r.pace) > 0]
    groups: dict[str, list[Record]] = {}
    for record in known:
        groups.setdefault(record.group, []).append(record)
    factors = {}
    for group, members in groups.items():
        ordered = sorted(record.memory for record in members)
        high = MEMORY_MARGIN * ordered[math.ceil(_HIGH * len(ordered)) - 1]
        memory = max(high, 1 + _weight(len(members)) * (high - 1))
        times = [record.time for record in members if record.place == place]
        factors[group] = Factors(
            memory=round(_within(memory, MEMORY_BOUNDS), 3),
            time=_typical(times),
            tasks=len(members),
        )
    pace = _typical([record.pace for record in known if record.place == place])
    return Learned(len({record.run for record in known}), factors, pace)


def _typical(ratios: Sequence[float]) -> float:
    if not ratios:
        return 1.0
    return round(_within(math.exp(_weight(len(ratios)) * math.log(statistics.median(ratios))), TIME_BOUNDS), 3)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _weight(count: int) -> float:
    return count / (count + _DOUBT)


def read_records(path: Path) -> list[Record]:
    """Read measurements; damaged lines are skipped."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        _log.debug("no measurements in %s: %s", path, error.strerror)
        return []
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            _log.debug("line %d of %s is passed over: %s", number, path, error)
    return records


def _record(raw: Any) -> Record:
    record = Record(**raw)
    words = (record.run, record.place, record.group)
    if not all(isinstance(word, str) for word in words) or not isinstance(record.model, int):
        raise TypeError("words and numbers are mixed up")
    if not all(math.isfinite(number) for number in (record.memory, record.time, record.pace)):
        raise ValueError("no finite numbers")
    return record


def add_records(path: Path, records: Sequence[Record]) -> None:
    """Add measurements to the file and drop the oldest; other runs may do the same at the same time.

    A file that cannot be written teaches nothing, and does no harm.
    """
    new = "".join(json.dumps(asdict(record)) + "\n" for record in records).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            old = path.read_bytes() if path.exists() else b""
            if old and not old.endswith(b"\n"):
                old += b"\n"  # the last writer was killed
            lines = (old + new).splitlines(keepends=True)
            with atomic_draft(path) as draft:
                draft.write_bytes(b"".join(lines[-KEPT:]))
    except OSError as error:
        _log.debug("measurements cannot be kept in %s: %s", path, error)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def this_machine() -> str:
    """Return the name of this machine, for tasks without a cluster."""
    return f"local {platform.node()}"


def place_of(profile: Profile) -> str:
    """Return the place of a profile's tasks, by which measurements are grouped."""
    return this_machine() if profile.cluster == "local" else profile.name


def learned_for(place: str, *, enabled: bool = True) -> Learned:
    """Return the corrections that earlier runs of the user give for a place."""
    path = learning_file() if enabled else None
    return NOTHING_LEARNED if path is None else learn(read_records(path), place)


class Learner:
    """A listener that collects measurements of the tasks of a run.

    Parameters
    ----------
    path : pathlib.Path
        The file of measurements.
    run, place : str
        Which run, and where it runs.
    estimates : mapping of str to Estimate
        By the names of tasks.
    """

    def __init__(self, path: Path, run: str, place: str, estimates: Mapping[str, Estimate]) -> None:
        self.path, self.run, self.place, self.estimates = path, run, place, estimates
        self._new: list[Record] = []

    def __call__(self, event: Event) -> None:
        """Collect the measurements of a task that succeeded."""
        ended = event.payload
        if not isinstance(ended, Ended) or not ended.ok or ended.measured is None:
            return
        estimate = self.estimates.get(ended.task)
        if estimate is None:
            return
        took = ended.measured
        self._new.append(
            Record(
                run=self.run,
                place=self.place,
                group=estimate.group,
                memory=round(took.max_rss_mb * estimate.memory_factor / estimate.memory_mb, 4),
                time=round(took.cpu_seconds * estimate.time_factor / estimate.seconds, 4),
                pace=round((took.wall_seconds + 1) / (took.cpu_seconds + 1), 4),
            )
        )

    def keep(self) -> None:
        """Write the measurements to the file."""
        new, self._new = self._new, []
        if new:
            add_records(self.path, new)


@contextmanager
def learning(
    estimates: Mapping[str, Estimate], place: str, events: EventLog, *, enabled: bool = True
) -> Iterator[None]:
    """Record measurements of the tasks of a run, however it ends.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        By the names of tasks.
    place : str
        Where they run.
    events : EventLog
        Reports their ends.
    enabled : bool
        Whether to record; the environment can switch it off, too.
    """
    path = learning_file() if enabled else None
    if path is None:
        yield
        return
    learner = Learner(path, uuid4().hex, place, estimates)
    events.add_listener(learner)
    try:
        yield
    finally:
        learner.keep()
