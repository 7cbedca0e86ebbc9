"""The doctor: checks that a profile works on this machine and reports problems."""

from __future__ import annotations

import secrets
import shlex
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dask.config
from distributed.utils import get_ip, get_ip_interface

from hstmosaic.errors import AlignmentError, HstMosaicError, ProfileError
from hstmosaic.plan.catalog_replies import Cone, check_reply
from hstmosaic.plan.estimates import LEAST_MEMORY_MB
from hstmosaic.run.dask_settings import address_note
from hstmosaic.run.disk_space import check_room
from hstmosaic.run.pool.machine_limits import cores, usable_memory
from hstmosaic.run.pool.placement import JobSize
from hstmosaic.run.probe import PROBE_FILE, TOKEN_FILE, Probe, differences, versions, where_from
from hstmosaic.run.profiles.image import versions_inside
from hstmosaic.run.slurm.answers import SlurmCommandError, parse_version
from hstmosaic.run.slurm.commands import call, cancel, job_state, submit
from hstmosaic.run.slurm.partitions import partition_limits, partition_names, partition_of
from hstmosaic.run.stages.catalog import Service, fetch
from hstmosaic.store.drizzle_kernel import is_compiled, is_possible
from hstmosaic.store.files import ENCODING
from hstmosaic.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstmosaic.run.profiles.profile import Profile

PROBE_SECONDS = 300.0
_ROOM_MB = 1000
_SCRATCH_MB = 500
_SOME_CONE = Cone(83.82, -5.39, 0.02)
_SOME_CATALOG = "GAIAeDR3"


@dataclass(frozen=True)
class Finding:
    """Result of one check."""

    what: str
    """Name of the check."""
    good: bool
    message: str
    next_step: str = ""
    """Remedy if the check failed."""
    optional: bool = False
    """True if runs work without it, with some option."""

    @property
    def passed(self) -> bool:
        """Return whether runs can work."""
        return self.good or self.optional

    def __str__(self) -> str:
        label = "ok" if self.good else "note" if self.optional else "FAIL"
        return f"{label:4}  {self.what}: {self.message}" + (f"; {self.next_step}" if self.next_step else "")


def _failure(what: str, error: HstMosaicError) -> Finding:
    return Finding(what, False, " ".join(error.message.split()), " ".join(error.next_step.split()))


def examine(profile: Profile, output: Path, image: str | None = None) -> list[Finding]:
    """Check what a profile needs; on Slurm one small job is submitted.

    Parameters
    ----------
    profile : Profile
        To be checked.
    output : pathlib.Path
        Directory for products; need not exist.
    image : str, optional
        Image whose versions are compared with those here.

    Returns
    -------
    list of Finding
        Of all checks, in the order in which they were made.
    """
    findings = [_installation(), _kernel(), _output(output)]
    if image is not None:
        findings.append(_compare_with(image))
    if profile.cluster == "local":
        return [*findings, _memory(), _cores(), check_service(Service(cache=None, timeout=10.0, attempts=1))]
    with dask.config.set(dict(profile.seeing([str(output)]).dask)):
        findings += _slurm(profile)
        if all(finding.passed for finding in findings):
            findings += _nodes(output, profile)
    return findings


def _installation() -> Finding:
    image, found = where_from(), versions()
    message = ", ".join(f"{name} {number}" for name, number in found.items()) + (f"; image {image}" if image else "")
    complete = "missing" not in found.values()
    return Finding(
        "this installation", complete, message, "" if complete else "install hstmosaic with its dependencies"
    )


def _kernel() -> Finding:
    if is_compiled():
        return Finding("drizzle kernel", True, "the one of hstmosaic")
    if not is_possible():
        return Finding("drizzle kernel", True, "drizzlepac's; the faster one is for x86-64 only")
    step = "install gcc and python3-dev, then hstmosaic again, to drizzle in half the CPU time"
    return Finding("drizzle kernel", False, "drizzlepac's, which is slower", step, optional=True)


def _memory() -> Finding:
    """Check the memory that the pool of a run would have."""
    memory = usable_memory()
    if memory.mb < LEAST_MEMORY_MB:
        step = f"free memory, raise the limit ({memory.limit}), or use a larger machine"
        return Finding("memory", False, f"tasks may use {memory}, but the smallest needs {LEAST_MEMORY_MB} MB", step)
    at_a_time = min(memory.mb // LEAST_MEMORY_MB, cores())
    return Finding("memory", True, f"tasks may use {memory}, enough for {count_of(at_a_time, 'small task')} at a time")


def _cores() -> Finding:
    return Finding("cores", True, f"tasks may use {count_of(cores(), 'core')}")


def check_service(service: Service) -> Finding:
    """Check that the catalogue service answers; only runs with alignment need it.

    Parameters
    ----------
    service : Service
        To be checked; without a cache, so that a request is sent.
    """
    try:
        reply = fetch(service, _SOME_CONE, _SOME_CATALOG)
    except AlignmentError as error:
        return Finding("catalogue service", False, " ".join(error.message.split()), error.next_step, optional=True)
    sources = check_reply(reply, _SOME_CATALOG)
    return Finding("catalogue service", True, f"{service.url} answers ({count_of(sources, 'source')} in a test cone)")


def _compare_with(image: str) -> Finding:
    try:
        other = differences(versions(), versions_inside(image), ("here", "in the image"))
    except HstMosaicError as error:
        return _failure("image", error)
    if other:
        return Finding("image", False, "; ".join(other), "use an image of this version, or install the same versions")
    return Finding("image", True, f"{image} has the same versions")


def _output(output: Path) -> Finding:
    try:
        check_room(output, _ROOM_MB)
    except HstMosaicError as error:
        return _failure("output directory", error)
    existing = next(folder for folder in (output, *output.parents) if folder.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    return Finding("output directory", True, f"{output} is writable and has {free_mb} MB free")


def _slurm(profile: Profile) -> Iterator[Finding]:
    # imports dask-jobqueue, which other profiles do not need
    from hstmosaic.run.slurm.jobs import config

    try:
        yield Finding("sbatch", True, parse_version(call("sbatch", "--version")))
        name = partition_of(config("queue"))
        limits = partition_limits(name)
    except SlurmCommandError as error:
        yield _failure("Slurm", error)
        return
    if limits is None:
        step = f"set jobqueue.slurm.queue to one of {', '.join(partition_names())}"
        yield Finding("partition", False, f"no partition {name!r}", step)
        return
    largest = f"{count_of(limits.cores, 'core')}, {limits.memory_mb:.0f} MB, {limits.seconds / 60:.0f} min"
    yield Finding("partition", True, f"{name or 'the default'} has up to {largest}")
    if profile.max_memory_mb and profile.max_memory_mb > limits.memory_mb:
        message = f"{profile.max_memory_mb} MB is more than the partition's nodes have"
        yield Finding("max-memory", False, message, "lower it, or name another partition")
    if profile.max_walltime and profile.max_walltime > limits.seconds:
        message = f"{profile.max_walltime:.0f} s is longer than the partition allows"
        yield Finding("max-walltime", False, message, "lower it, or name another partition")


def _nodes(output: Path, profile: Profile) -> Iterator[Finding]:
    """Submit a job that examines its node, and compare the node with this host."""
    from hstmosaic.run.slurm.jobs import check_path, config

    try:
        check_path(output.absolute())
    except ProfileError as error:
        yield _failure("output directory", error)
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
            yield from _compare(seen, token) if isinstance(seen, Probe) else [seen]
        except SlurmCommandError as error:
            yield _failure("job", error)
        finally:
            left = _cancel(_job_name(folder))
            shutil.rmtree(folder, ignore_errors=True)
    if left:
        yield Finding("job", False, f"it may be left ({left})", f"call scancel --name {_job_name(folder)}")


def _job_name(folder: Path) -> str:
    """Return the name of the job of this check, which no other job has."""
    return folder.name.removeprefix(".")


def _cancel(name: str) -> str:
    """Cancel a job by its name, and return the error if that fails."""
    try:
        cancel(name)
    except SlurmCommandError as error:
        return error.message
    return ""


def probe_script(folder: Path, host: str, port: int, profile: Profile) -> str:
    """Return the script of the job that examines its node, with the header of a worker's job.

    Parameters
    ----------
    folder : pathlib.Path
        On the shared file system.
    host, port : str and int
        Address at which the doctor listens.
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


def _wait_for(answer: Path, job: str) -> Probe | Finding:
    deadline = time.monotonic() + PROBE_SECONDS
    while time.monotonic() < deadline:
        if answer.exists():
            return Probe.from_json(answer.read_text(ENCODING))
        state = job_state(job)
        if state.ended and not answer.exists():
            log = answer.with_name("job.log")
            if not log.exists():
                step = "is the output directory shared with the nodes? Choose an --output-dir that is"
                return Finding("job", False, f"{state} without a result and without a log", step)
            last = log.read_text(ENCODING, errors="replace").strip().splitlines()[-1:]
            message = f"{state} without a result" + "".join(f": {line}" for line in last)
            return Finding("job", False, message, "correct job-script-prologue or python of jobqueue.slurm")
        time.sleep(0.5)
    message = f"job {job} has no result after {PROBE_SECONDS:.0f} s ({job_state(job).reason})"
    return Finding("job", False, message, "try again when the partition is less busy, or name another partition")


def _compare(seen: Probe, token: str) -> Iterator[Finding]:
    node = seen.node
    shared = seen.token == token
    if shared:
        yield Finding("shared file system", True, f"{node} sees the output directory")
    else:
        message = f"{node} has another directory under the path of the output directory"
        yield Finding("shared file system", False, message, "choose an --output-dir that all nodes share")
    good = seen.scratch_writable and seen.scratch_free_mb >= _SCRATCH_MB
    message = f"{seen.scratch} on {node} has {seen.scratch_free_mb} MB free"
    message += "" if seen.scratch_writable else " and is not writable"
    yield Finding("scratch", good, message, "" if good else "name another directory in jobqueue.slurm.local-directory")
    other = differences(versions(), seen.versions, ("here", f"on {node}"))
    step = "use one environment or image on all hosts (jobqueue.slurm.python, hstmosaic.image)" if other else ""
    yield Finding("versions", not other, "; ".join(other) or "the same here and on the node", step)
    if seen.image:
        yield Finding("image", True, f"{node} runs {seen.image}")
    if seen.network:
        message = f"{node} cannot reach this host ({seen.network})"
        yield Finding("network", False, message, "set jobqueue.slurm.interface")
    else:
        yield Finding("network", True, f"{node} reaches this host")
