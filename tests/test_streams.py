"""Standard streams and surroundings that a command finds broken: a sentence and an exit code, never a traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hstmosaic.cli.streams import print_error
from hstmosaic.errors import ExitCode

HSTMOSAIC = Path(sys.executable).with_name("hstmosaic")
NO_USER = ("unshare", "--user", "--map-user=12345")


@pytest.fixture(scope="module")
def listed(simulated):
    return simulated.infrared(1).list


def shell(command, folder, **environment):
    return subprocess.run(
        ["sh", "-c", command, "sh", str(HSTMOSAIC)],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("verb", ["plan {}", "--help", "verify .", "completion bash", "run {} -s --show-jobs"])
def test_a_full_standard_output_is_an_error(listed, tmp_path, verb, unbuffered):
    done = shell(f'"$1" {verb.format(listed)} > /dev/full', tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == (ExitCode.NOT_AS_RECORDED if "verify" in verb else ExitCode.OUTPUT)
    last = done.stderr.splitlines()[-2:]
    if "verify" not in verb:
        assert last[0] == "hstmosaic: cannot write standard output: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.upstream
def test_failed_printing_is_reported_at_the_end(listed, tmp_path):
    done = shell(f'"$1" run {listed} -s --stub -o foo > /dev/full', tmp_path)
    assert done.returncode == ExitCode.OUTPUT
    assert "cannot write standard output" in done.stderr
    assert (tmp_path / "stub-foo_manifest.json").is_file()


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", ">&- <&-"])
def test_a_closed_standard_output_is_an_error(listed, tmp_path, closed):
    done = shell(f'"$1" run {listed} -s --stub {closed}', tmp_path)
    assert done.returncode == ExitCode.OUTPUT
    if "2>" not in closed:
        assert done.stderr.startswith("hstmosaic: standard output is closed\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.upstream
def test_other_streams_may_be_closed(listed, tmp_path):
    done = shell(f'"$1" run {listed} -s --stub -o foo <&- 2>&-', tmp_path)
    assert done.returncode == ExitCode.OK
    assert "finished" in done.stdout


def test_a_closed_pipe_is_not_reported(listed, tmp_path):
    done = shell(f'"$1" plan {listed} | true', tmp_path)
    assert done.stderr == ""


def test_a_deleted_current_directory_is_reported(listed, tmp_path):
    (tmp_path / "gone").mkdir()
    done = shell(f'cd gone && rmdir "$PWD" && "$1" plan {listed}', tmp_path)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr == "hstmosaic: the current directory no longer exists\n  -> change to another directory\n"


@pytest.mark.upstream
def test_a_user_without_home_and_name_makes_mosaics(listed, tmp_path):
    if not shutil.which(NO_USER[0]) or subprocess.run([*NO_USER, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    command = f'unset HOME; exec {" ".join(NO_USER)} "$1" run {listed} -s --stub -o foo'
    done = shell(command, tmp_path, HSTMOSAIC_LEARNING="")
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == ""


def test_an_error_that_cannot_be_printed_keeps_its_exit_code(tmp_path):
    assert shell('"$1" plan nosuch.txt 2> /dev/full', tmp_path).returncode == ExitCode.BAD_INPUT
    print_error("what cannot be printed")


def test_bytes_and_letters_that_an_encoding_does_not_have_are_shown(tmp_path):
    name = os.fsdecode(b"no\xffsuch\xc3\xa9.txt")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for environment in ({"PYTHONUTF8": "1"}, locale):
        done = shell(f'"$1" plan {name}', tmp_path, **environment)
        assert done.returncode == ExitCode.BAD_INPUT
        assert f"{name}: the list does not exist" in done.stderr or f"{name}: there is no such file" in done.stderr
