"""The doctor: checks that a profile works on this machine and reports problems."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dask.config
from distributed.utils import get_ip, get_ip_interface

from hstmosaic.errors import HstMosaicError, ProfileError
from hstmosaic.plan.estimates import LEAST_MEMORY_MB
from hstmosaic.run.dask_settings import address_note
from hstmosaic.run.disk_space import check_room
from hstmosaic.run.pool.machine_limits import cores, usable_memory
from hstmosaic.run.pool.placement import JobSize
from hstmosaic.run.probe import PROBE_FILE, TOKEN_FILE, differences, versions, where_from
from hstmosaic.run.profiles.image import versions_inside
from hstmosaic.run.slurm.answers import SlurmCommandError, parse_version
from hstmosaic.run.slurm.commands import call, cancel, job_state, submit
from hstmosaic.run.slurm.partitions import partition_limits, partition_names, partition_of
from hstmosaic.run.stages.catalog import service_url
from hstmosaic.store.files import ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.run.profiles.profile import Profile

PROBE_SECONDS = 300.0
_ROOM_MB = 1000
_SCRATCH_MB = 500
_SERVICE_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """Result of one check."""

    what: str
    """Name of the check."""
    good: bool
    words: str
    """Result, and the next step if the check failed."""
    optional: bool = False
    """Whether runs work without it, with some option."""

    def __str__(self) -> str:
        return f"{self._label}  {self.what}: {self.words}"

    @property
    def _label(self) -> str:
        if self.good:
            return "ok  "
        return "note" if self.optional else "FAIL"

    @property
    def passed(self) -> bool:
        """Whether runs can work."""
        return self.good or self.optional


def examine(profile: Profile, output: Path, image: str | None = None) -> list[Finding]:
    """Check a profile; on Slurm, one small job is submitted.

    Parameters
    ----------
    profile : Profile
        The profile.
    output : pathlib.Path
        Directory for the products.
    image : str, optional
        Image to compare this installation with.
    """
    findings = [_here(), _output(output)]
    if image is not None:
        findings.append(_compare_with(image))
    if profile.cluster == "local":
        return [*findings, _machine(), _catalog_service(service_url())]
    with dask.config.set(dict(profile.seeing([str(output)]).dask)):
        findings += _slurm(profile)
        if all(finding.passed for finding in findings):
            findings += _nodes(output, profile)
    return findings


def _here() -> Finding:
    image = where_from()
    words = ", ".join(f"{name} {number}" for name, number in versions().items())
    return Finding("this installation", True, words + (f"; image {image}" if image else ""))


def _machine() -> Finding:
    memory = usable_memory()
    words = f"tasks may use {cores()} core(s) and {memory}"
    if memory.mb >= LEAST_MEMORY_MB:
        return Finding("this machine", True, words)
    return Finding(
        "this machine", False, f"{words}; the smallest task needs {LEAST_MEMORY_MB} MB, so use a larger machine or job"
    )


def _compare_with(image: str) -> Finding:
    try:
        other = differences(versions(), versions_inside(image), ("here", "in the image"))
    except HstMosaicError as error:
        return Finding("image", False, " ".join(str(error).split()))
    return Finding("image", not other, "; ".join(other) if other else f"{image} has the same versions as are here")


def _output(output: Path) -> Finding:
    try:
        check_room(output, _ROOM_MB)
    except HstMosaicError as error:
        return Finding("output directory", False, " ".join(str(error).split()))
    existing = next(folder for folder in (output, *output.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return Finding("output directory", True, f"{output} is writable, with {free:.0f} GB free")


def _catalog_service(url: str) -> Finding:
    """Check that the catalogue service accepts connections; only a run with an alignment needs it."""
    address = urlsplit(url)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=_SERVICE_SECONDS).close()
    except OSError as error:
        advice = "run with -s, or download a catalogue elsewhere with hstmosaic catalog and use --catalog FILE"
        words = f"cannot connect to {address.hostname} ({error.strerror or error}); {advice}"
        return Finding("catalogue service", False, words, optional=True)
    return Finding("catalogue service", True, f"{address.hostname} accepts connections")


def _slurm(profile: Profile) -> Iterator[Finding]:
    # only who has Slurm needs it
    from hstmosaic.run.slurm.jobs import config

    try:
        yield Finding("sbatch", True, parse_version(call("sbatch", "--version")))
        name = partition_of(config("queue"))
        limits = partition_limits(name)
    except SlurmCommandError as error:
        yield Finding("Slurm", False, " ".join(str(error).split()))
        return
    if limits is None:
        there = ", ".join(partition_names())
        yield Finding("partition", False, f"no partition {name!r}; there are {there}")
        return
    has = f"{limits.cores} cores, {limits.memory_mb:.0f} MB, {limits.seconds / 60:.0f} min"
    yield Finding("partition", True, f"{name or 'the default'} has up to {has}")
    if profile.max_memory_mb and profile.max_memory_mb > limits.memory_mb:
        yield Finding("max-memory", False, f"{profile.max_memory_mb} MB is more than the partition's nodes have")
    if profile.max_walltime and profile.max_walltime > limits.seconds:
        yield Finding("max-walltime", False, f"{profile.max_walltime:.0f} s is longer than the partition allows")


def _nodes(output: Path, profile: Profile) -> Iterator[Finding]:
    """Submit a job that looks around, and compare what it sees with what is seen here."""
    from hstmosaic.run.slurm.jobs import check_path, config

    try:
        check_path(output.absolute())
    except ProfileError as error:
        yield Finding("output directory", False, " ".join(str(error).split()))
        return
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".hstmosaic-doctor-", dir=output))
    token = secrets.token_hex(8)
    (folder / TOKEN_FILE).write_text(token, ENCODING)
    interface = config("interface")
    if note := address_note():
        yield Finding("network", True, note)
    host = get_ip_interface(interface) if interface else get_ip()
    with socket.create_server((host, 0)) as listening:
        port = listening.getsockname()[1]
        try:
            (folder / "probe.sbatch").write_text(probe_script(folder, host, port, profile), ENCODING)
            job = submit(str(folder / "probe.sbatch"), _job_name(folder))
            seen = _wait_for(folder / PROBE_FILE, job)
            yield from _compare(seen, token) if isinstance(seen, dict) else [Finding("job", False, seen)]
        except SlurmCommandError as error:
            yield Finding("job", False, error.message)
        finally:
            left = _cancel(_job_name(folder))
            shutil.rmtree(folder, ignore_errors=True)
    if left:
        yield Finding("job", False, f"it may be left, so call scancel --name {_job_name(folder)} ({left})")


def _job_name(folder: Path) -> str:
    """Return the name of the job that looks around, which no other job has."""
    return folder.name.removeprefix(".")


def _cancel(name: str) -> str:
    """Cancel a job, whatever its number, and return what is wrong if that cannot be done."""
    try:
        cancel(name)
    except SlurmCommandError as error:
        return error.message
    return ""


def probe_script(folder: Path, host: str, port: int, profile: Profile) -> str:
    """Return the script of the job that looks around, with the header of a worker's job.

    Parameters
    ----------
    folder : pathlib.Path
        On the shared file system.
    host, port : str and int
        Where the doctor listens.
    profile : Profile
        Of the jobs.
    """
    from hstmosaic.run.slurm.jobs import config, job_script, worker_python

    script = job_script(JobSize(1, 1000, 300.0), _job_name(folder), folder, profile)
    head = [line for line in script.rstrip().splitlines() if "distributed.cli.dask_worker" not in line]
    log = [f"#SBATCH -o {folder}/job.log"]
    python = worker_python()
    # expanded on the node, as in the command of a worker
    scratch = f' "{config("local-directory")}"' if config("local-directory") else ""
    command = f"{python} -m hstmosaic.run.probe {shlex.quote(str(folder))} {host} {port}{scratch}"
    return "\n".join([head[0], *log, *head[1:], command, ""])


def _wait_for(answer: Path, job: str) -> dict[str, Any] | str:
    deadline = time.monotonic() + PROBE_SECONDS
    while time.monotonic() < deadline:
        if answer.exists():
            found: dict[str, Any] = json.loads(answer.read_text(ENCODING))
            return found
        state = job_state(job)
        if state.ended and not answer.exists():
            log = answer.with_name("job.log")
            words = log.read_text(ENCODING, errors="replace").strip().splitlines()[-1:] if log.exists() else []
            shared = "" if log.exists() else "; no file of it is here: is the output directory shared with the nodes?"
            return f"{state} without an answer{shared}" + "".join(f": {line}" for line in words)
        time.sleep(0.5)
    return f"job {job} did not answer within {PROBE_SECONDS:.0f} s ({job_state(job).reason})"


def _compare(seen: dict[str, Any], token: str) -> Iterator[Finding]:
    node = seen["node"]
    shared = seen["token"] == token
    yield Finding("shared file system", shared, f"{node} sees the output directory" if shared else f"not on {node}")
    good = seen["scratch_writable"] and seen["scratch_free_mb"] >= _SCRATCH_MB
    words = f"{seen['scratch']} on {node} has {seen['scratch_free_mb']} MB"
    words += "" if seen["scratch_writable"] else " and cannot be written"
    words += "" if good else ": name another directory in jobqueue.slurm.local-directory"
    yield Finding("scratch", good, words)
    other = differences(versions(), seen["versions"], ("here", "there"))
    yield Finding("versions", not other, "; ".join(other) if other else "the same on both sides")
    if seen["image"]:
        yield Finding("image", True, f"{node} runs {seen['image']}")
    words = f"{node} cannot reach this host ({seen['network']}): set jobqueue.slurm.interface"
    yield Finding("network", not seen["network"], words if seen["network"] else f"{node} reaches this host")
