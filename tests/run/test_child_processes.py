"""Child processes: what lies in the current directory and in the environment does not change what they do."""

import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import dask
import pytest

from hstmosaic.child import SAFE_PATH_OPTION, UNWANTED_VARIABLES, child_environment, module_command
from hstmosaic.errors import ExitCode
from hstmosaic.run.dask_settings import address_note
from hstmosaic.run.doctor import probe_script
from hstmosaic.run.node.losses import ZygoteEndedError
from hstmosaic.run.node.zygote import Zygote
from hstmosaic.run.pool.placement import JobSize
from hstmosaic.run.profiles.profile import Profile
from hstmosaic.run.slurm.jobs import job_script

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "hstmosaic"
HOSTILE = ("secrets", "photutils", "numpy", "matplotlib", "json")
DIES_IN_TASK_PROCESS = """
import sys
print("a line on standard output")
if "hstmosaic.tasks.zygote" in sys.orig_argv:
    raise SystemExit("the last words")
"""


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.infrared(2).folder


def mosaic(exposures, folder, *options, **environment):
    command = [Path(sys.executable).with_name("hstmosaic"), "run", exposures / "list.txt", "-s", "-o", "foo", *options]
    given = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    return subprocess.run(
        [*map(str, command), "--output-dir", str(folder / "out")],
        cwd=folder,
        env=given | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def customized(folder, text):
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.upstream
@pytest.mark.slow
def test_modules_in_the_current_directory_are_not_imported(exposures, tmp_path):
    for name in HOSTILE:
        text = f"open({str(tmp_path / name)!r} + '.imported', 'w').close(); raise RuntimeError({name!r})\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    done = mosaic(exposures, tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    assert not list(tmp_path.glob("*.imported"))
    assert list((tmp_path / "out").glob("*.png"))


@pytest.mark.upstream
def test_a_child_that_dies_at_import_ends_the_run(exposures, tmp_path):
    broken = customized(tmp_path / "site", DIES_IN_TASK_PROCESS)
    started = time.monotonic()
    done = mosaic(exposures, tmp_path, "--stub", PYTHONPATH=broken)
    assert done.returncode == ExitCode.CLUSTER
    assert "no worker can run tasks: SystemExit: the last words" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60


@pytest.mark.upstream
def test_warnings_as_errors_do_not_reach_children(exposures, tmp_path):
    # what children print while they start is no answer either
    talks = customized(tmp_path / "site", "print('a line on standard output')")
    done = mosaic(exposures, tmp_path, "--stub", PYTHONWARNINGS="error", MPLBACKEND="none such", PYTHONPATH=talks)
    assert done.returncode == ExitCode.OK, done.stderr


@pytest.mark.upstream
@pytest.mark.slow
def test_settings_of_the_user_change_nothing(exposures, tmp_path):
    files = {
        "home/.config/dask/mine.yaml": "distributed: {worker: {preload: nosuch}}",
        "home/.config/matplotlib/matplotlibrc": "backend: nosuch\nsavefig.transparent: rubbish\n",
        "home/.astropy/config/astropy.cfg": "[nosuch\n",
        "matplotlibrc": "axes.facecolor: nosuch\nfont.size: 90\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.mkdir()
    odd.mkdir()
    (tmp_path / "matplotlibrc").rename(odd / "matplotlibrc")
    nowhere = {"TMPDIR": "/nonexistent", "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config")}
    settings = {
        "HOME": str(tmp_path / "home"),
        "MPLBACKEND": "none such",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": "nosuch",
    }
    for folder, given in ((plain, {}), (odd, settings | nowhere)):
        done = mosaic(exposures, folder, **given)
        assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    for name in ("foo_wfc3_ir_f160w_all_drz_preview.png", "foo_footprints.png"):
        assert (plain / "out" / name).read_bytes() == (odd / "out" / name).read_bytes()


@pytest.mark.parametrize("given", [{"DASK_DISTRIBUTED__COMM": "7"}, {"DASK_CONFIG": "site"}], ids=["variable", "file"])
@pytest.mark.parametrize("verb", ["run {list} -s", "doctor"])
def test_settings_that_dask_cannot_read_are_reported(exposures, tmp_path, given, verb):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.yaml").write_text("jobqueue: [", encoding="utf-8")
    command = [Path(sys.executable).with_name("hstmosaic"), *verb.format(list=exposures / "list.txt").split()]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | given, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("hstmosaic: Dask's configuration cannot be used: ")
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.upstream
def test_no_raw_warning_is_shown_on_a_host_without_network(exposures, tmp_path):
    apart = ("unshare", "--user", "--map-root-user", "--net")
    if not shutil.which(apart[0]) or subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    command = [*apart, Path(sys.executable).with_name("hstmosaic"), "run", exposures / "list.txt", "-s", "--stub"]
    done = subprocess.run([*command, "--output-dir", tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_a_host_without_network_is_reported_for_clusters(monkeypatch):
    def get_ip():
        warnings.warn("no suitable address", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr("distributed.utils.get_ip", get_ip)
    with dask.config.set({"jobqueue.slurm.interface": None}):
        assert (
            address_note()
            == "no suitable address; if workers do not connect, name a network in jobqueue.slurm.interface"
        )
    with dask.config.set({"jobqueue.slurm.interface": "ib0"}):
        assert address_note() == ""


def test_a_task_sent_to_a_dead_process_is_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr("hstmosaic.run.node.zygote._PROGRAM", "hstmosaic.nosuch")
    dead = Zygote()
    dead._listener.join(60)
    # the kernel may close the pipe of answers before that of requests
    dead._process.stdin.close()
    dead._process.stdin = io.StringIO()
    raised = []

    def run():
        try:
            dead.run(tmp_path, tmp_path)
        except ZygoteEndedError as error:
            raised.append(error)

    waiting = threading.Thread(target=run, daemon=True)
    waiting.start()
    waiting.join(60)
    dead.close()
    assert [error.ready for error in raised] == [False]
    assert "No module named hstmosaic.nosuch" in raised[0].message


def test_a_process_that_cannot_be_made_is_an_error_of_the_cluster(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ZygoteEndedError, match=r"cannot start: .*python") as raised:
        Zygote()
    assert raised.value.exit_code is ExitCode.CLUSTER


def test_only_paths_of_packages_reach_children():
    given = dict.fromkeys(UNWANTED_VARIABLES, "1") | {"PYTHONPATH": "/packages", "HOME": "/home/me"}
    given["ASTROPY_CONFIG_DIR"] = "/home/me/settings"
    wanted = {"PYTHONPATH": "/packages", "HOME": "/home/me", "PYTHONSAFEPATH": "1", "MPLBACKEND": "Agg"}
    assert child_environment(given).items() >= wanted.items()
    assert not child_environment(given).keys() & set(UNWANTED_VARIABLES)
    assert not list(Path(child_environment(given)["ASTROPY_CONFIG_DIR"]).glob("*.cfg"))


def test_every_python_process_is_started_in_one_place():
    named = {path.name for path in SOURCES.rglob("*.py") if "sys.executable" in path.read_text(encoding="utf-8")}
    # a job's Python may be another one, named by the profile
    assert named == {"child.py", "jobs.py"}
    assert module_command("a.module", "1") == [sys.executable, SAFE_PATH_OPTION, "-m", "a.module", "1"]


def test_jobs_start_python_without_the_current_directory(tmp_path):
    profile = Profile("test")
    for script in (
        job_script(JobSize(1, 1000, 300.0), "mine", tmp_path, profile),
        probe_script(tmp_path, "host", 1234, profile),
    ):
        before, started, _ = script.partition(f"{sys.executable} -P -m ")
        assert started
        assert "export PYTHONSAFEPATH=1\n" in before
        assert re.search(r"^unset .*\bPYTHONWARNINGS\b", before, re.MULTILINE)


@pytest.mark.parametrize("name", ["slurm/mosaic.sbatch", "slurm/allocation.sbatch", "container/run.sh"])
def test_scripts_keep_the_current_directory_off_the_path_of_python(name):
    before, _, _ = (ROOT / name).read_text(encoding="utf-8").rpartition("hstmosaic")
    assert "export PYTHONSAFEPATH=1" in before
