"""Profiles: keys, overrides and errors."""

from pathlib import Path

import dask.config
import pytest

from hstmosaic.errors import ExitCode, ProfileError
from hstmosaic.run.profiles.profile import Profile, load_profile, profile_from_yaml, profile_names
from hstmosaic.run.profiles.walltime import parse_walltime
from hstmosaic.run.slurm.jobs import job_limits, job_script

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", profile_names())
def test_profiles_of_the_package_are_valid(name):
    profile = load_profile(name)
    assert profile.name == name
    assert load_profile(str(ROOT / "batch" / f"{name}.yaml")) == profile


def test_the_package_has_three_profiles_and_three_examples():
    assert {"local", "slurm", "allocation"} < set(profile_names())
    assert len([name for name in profile_names() if name.startswith("example-")]) == 3


def test_keys_of_dask_keep_their_meaning():
    text = """
    jobqueue: {slurm: {queue: fast, job_extra_directives: [--qos=high], scheduler-options: {host: 127.0.0.1}}}
    distributed: {comm: {timeouts: {connect: 20s}}}
    hstmosaic: {cluster: slurm, max-memory: 64GB, max-walltime: "1-00:00:00", max_jobs: 7, idle: 2}
    """
    profile = profile_from_yaml(text, "mine")
    assert profile == Profile(
        name="mine",
        cluster="slurm",
        max_memory_mb=64000,
        max_walltime=86400.0,
        max_jobs=7,
        idle=120.0,
        dask={
            "jobqueue.slurm.queue": "fast",
            "jobqueue.slurm.job-extra-directives": ["--qos=high"],
            "jobqueue.slurm.scheduler-options.host": "127.0.0.1",
            "distributed.comm.timeouts.connect": "20s",
        },
    )


@pytest.fixture
def own_dask(tmp_path):
    """Write a Dask configuration of the user's own, and read it as Dask does when it is imported."""
    before, paths = dict(dask.config.config), list(dask.config.paths)

    def write(text):
        (tmp_path / "dask").mkdir()
        (tmp_path / "dask" / "own.yaml").write_text(text)
        dask.config.paths[:] = [str(tmp_path / "dask")]
        dask.config.refresh()

    yield write
    dask.config.paths[:] = paths
    dask.config.config.clear()
    dask.config.config.update(before)


def script(profile):
    with dask.config.set(dict(profile.dask)):
        limits = job_limits(profile)
        return job_script(limits.shared, "name", Path("logs"), profile)


OWN = """
jobqueue:
  slurm: {queue: fast, account: ast1, memory: 32GB, walltime: '00:20:00', job_extra_directives: [--qos=high]}
"""


def test_dask_configuration_overrides_a_profile_of_the_package(own_dask, monkeypatch):
    monkeypatch.setattr("hstmosaic.run.slurm.jobs.partition_limits", lambda _: None)  # there is no Slurm here
    own_dask(OWN)
    text = script(load_profile("slurm"))
    for line in ("-p fast", "-A ast1", "--mem=30518M", "-t 00:20:00", "--qos=high", "--cpus-per-task=4"):
        assert f"#SBATCH {line}\n" in text


def test_a_profile_of_the_user_overrides_dask_configuration(own_dask, monkeypatch, tmp_path):
    monkeypatch.setattr("hstmosaic.run.slurm.jobs.partition_limits", lambda _: None)
    own_dask(OWN)
    path = tmp_path / "mine.yaml"
    path.write_text("jobqueue: {slurm: {queue: slow, account: , memory: 2GB}}\nhstmosaic: {cluster: slurm}")
    text = script(load_profile(str(path)))
    for line in ("-p slow", "-A ast1", "--mem=1908M", "-t 00:20:00", "--qos=high"):
        assert f"#SBATCH {line}\n" in text


def test_a_missing_walltime_is_an_error(own_dask):
    assert load_profile("slurm")
    own_dask("jobqueue: {slurm: {walltime: null}}")
    assert profile_from_yaml("jobqueue: {slurm: {walltime: '1:00:00'}}\nhstmosaic: {cluster: slurm}", "mine")
    with pytest.raises(ProfileError, match=r"jobqueue\.slurm\.walltime must be a time .*, not None"):
        profile_from_yaml("hstmosaic: {cluster: slurm}", "mine")


@pytest.mark.parametrize(("written", "seconds"), [("12:00:00", 43200), ("2:30", 150), ("30", 1800), ("1-12", 129600)])
@pytest.mark.parametrize("quote", ["", "'"])
def test_times_mean_the_same_with_and_without_quotes(written, seconds, quote):
    time = quote + written + quote
    text = f"jobqueue: {{slurm: {{walltime: {time}, cores: 0x10}}}}\nhstmosaic: {{max-walltime: {time}, idle: {time}}}"
    profile = profile_from_yaml(text, "mine")
    assert profile.max_walltime == profile.idle == seconds
    assert parse_walltime(str(profile.dask["jobqueue.slurm.walltime"])) == seconds
    assert profile.dask["jobqueue.slurm.cores"] == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobqueue: {slurm: {wall-time: '1:00:00'}}", "jobqueue.slurm.wall-time (did you mean walltime?)"),
        ("jobqueue: {slrum: {}}", "jobqueue.slrum (did you mean slurm?)"),
        ("hstmosaic: {max-job: 3}", "hstmosaic.max-job (did you mean max-jobs?)"),
        ("hstmosiac: {}", "hstmosiac (did you mean hstmosaic?)"),
        ("hstmosaic: {cluster: pbs}", "hstmosaic.cluster must be local, slurm or allocation, not 'pbs'"),
        ("hstmosaic: {max-walltime: soon}", "'soon'"),
        ("hstmosaic: {max-jobs: many}", "many"),
        (
            "{jobqueue: {slurm: {walltime: soon}}, hstmosaic: {cluster: slurm}}",
            "walltime must be a time such as 30, 02:00:00 or 1-12:00:00, not 'soon'",
        ),
        ("{jobqueue: {slurm: {memory: lots}}, hstmosaic: {cluster: slurm}}", "jobqueue.slurm.memory"),
        ("hstmosaic: {cluster: slurm, max-jobs: 0}", "hstmosaic.max-jobs must be a positive integer, not 0"),
        ("hstmosaic: {cluster: slurm, max-jobs: 2.5}", "must be a positive integer, not 2.5"),
        ("hstmosaic: {cluster: slurm, attempts: 0}", "hstmosaic.attempts must be a positive integer"),
        ("hstmosaic: {cluster: slurm, memory-growth: 1}", "hstmosaic.memory-growth must be a number above 1, not 1"),
        ("hstmosaic: {cluster: slurm, max-memory: -5GB}", "must be an amount of memory such as 64GB, not '-5GB'"),
        ("hstmosaic: {cluster: slurm, image: 5}", "hstmosaic.image must be a path, not 5"),
        (
            "hstmosaic: {cluster: slurm, image: a.sif, binds: 5}",
            "hstmosaic.binds must be a path, or a list such as [/data, /scratch], not 5",
        ),
        (
            "hstmosaic: {cluster: slurm}\njobqueue: {slurm: {cores: 0}}",
            "jobqueue.slurm.cores must be a positive integer, not 0",
        ),
        (
            "hstmosaic: {cluster: slurm}\njobqueue: {slurm: {job-extra-directives: --qos=normal}}",
            "job-extra-directives must be a list such as [one, two], not '--qos=normal'",
        ),
        (
            "hstmosaic: {cluster: slurm}\njobqueue: {slurm: {job-script-prologue: module load x}}",
            "job-script-prologue must be a list such as [one, two], not 'module load x'",
        ),
        ("hstmosaic: {scratch: maybe}", "must be true or false, not 'maybe'"),
        ("hstmosaic: {scratch-option: --tmp=100G}", "must be an option of sbatch with {mb} or {gb} in it"),
        ("hstmosaic: {scratch-option: '--tmp={tb}T'}", "must be an option of sbatch with {mb} or {gb} in it"),
        ("hstmosaic: [a", "not YAML"),
        ("just words", "not a mapping"),
        ("jobqueue: {slurm: 3}\nhstmosaic: 4", "hstmosaic is not a mapping"),
    ],
)
def test_unknown_keys_and_invalid_values_are_errors(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError) as raised:
        load_profile(str(path))
    assert message in str(raised.value)
    assert "mine.yaml" in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


def test_all_unknown_keys_are_named_at_once():
    with pytest.raises(ProfileError, match=r"(?s)queu .*memry "):
        profile_from_yaml("jobqueue: {slurm: {queu: a, memry: 3GB}}", "mine")


@pytest.mark.parametrize(("name", "suggestion"), [("slrum", "did you mean slurm? "), ("nosuch", "")])
def test_an_unknown_profile_is_an_error_that_lists_all(name, suggestion):
    with pytest.raises(ProfileError) as raised:
        load_profile(name)
    assert raised.value.next_step.startswith(f"{suggestion}give a YAML file or one of these profiles: allocation, ")


def test_a_binary_file_is_an_error(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="cannot read profile"):
        load_profile(str(path))


def test_keys_without_a_value_are_ignored():
    assert profile_from_yaml("hstmosaic: {cluster: , max-jobs: }", "mine") == Profile("mine")
