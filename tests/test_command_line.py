"""The command line: what users type, and messages about errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hstmosaic import __version__
from hstmosaic.cli import cli, main
from hstmosaic.errors import ExitCode
from hstmosaic.run.stages.catalog import URL_VARIABLE


@pytest.fixture(scope="module")
def exposures(simulated):
    return simulated.demo(200).folder


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call hstmosaic with arguments in an empty directory; exit code and what was printed."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hstmosaic", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_verb_has_help_with_examples(verb):
    shown = CliRunner().invoke(cli, [verb, "--help"])
    assert shown.exit_code == 0
    assert "Examples:\n" in shown.output
    assert f"hstmosaic {verb} " in shown.output


def test_version(call):
    code, out, _ = call("--version")
    assert (code, __version__ in out) == (0, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(call, shell):
    code, out, _ = call("completion", shell)
    assert code == 0
    assert "_HSTMOSAIC_COMPLETE" in out


def completed(words):
    """Completions of the last of some words."""
    environment = os.environ | {
        "_HSTMOSAIC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    command = [sys.executable, "-c", "from hstmosaic.cli import cli; cli(prog_name='hstmosaic')"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return shown.stdout.split()


def test_completion_knows_the_verbs():
    assert {f"plain,{verb}" for verb in cli.commands} <= set(completed("hstmosaic "))


def test_completion_offers_profiles_and_files():
    assert completed("hstmosaic run --profile lo") == ["file,lo", "plain,local"]


IN_BASH = """
source <(hstmosaic completion bash)
COMP_WORDS=(hstmosaic run --profile "")
COMP_CWORD=3
_hstmosaic_completion hstmosaic
echo "${COMPREPLY[@]}"
"""


def test_bash_offers_the_profiles():
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # compopt fails outside of a completion, which changes nothing here
    done = subprocess.run(["bash", "-c", IN_BASH], env=environment, capture_output=True, text=True, check=True)
    assert {"local", "slurm", "allocation"} <= set(done.stdout.split())


@pytest.mark.parametrize("words", ["plan li", "run a.fits li", "catalog li", "plan --json li", "doctor --profile li"])
def test_completion_offers_files_where_names_of_files_are_wanted(words):
    assert completed(f"hstmosaic {words}") == ["file,li"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "list.txt", "-l", "loud"],
        ["fly"],
        ["run", "list.txt", "--workers", "0"],
        ["simulate", "field", "--seed", "-1"],
        ["run", "list.txt", "-s", "--require-alignment"],
        ["run", "list.txt", "-s", "--catalog", "stars.ecsv"],
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(call, arguments):
    code, _, err = call(*arguments)
    assert code == ExitCode.USAGE
    assert "Error" in err


@pytest.mark.parametrize(
    "option", [["--at", 10, 20, 30], ["--dither", 1], ["--pointing-error", 0.2], ["--roll-error", 0.1]]
)
def test_options_of_cameras_need_a_camera(call, tmp_path, option):
    code, _, err = call("simulate", "field", *option)
    assert code == ExitCode.USAGE
    assert f"{option[0]} needs --camera" in err
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("absent.txt", ["absent.txt"]),
        ("*_drz.fits", ["*_drz.fits"]),
        ("empty.txt", ["empty.txt"]),
        ("mixed.txt", ["gone_flc.fits", "zero_flc.fits", "text_flc.fits"]),
    ],
)
def test_invalid_inputs_are_reported_together(call, tmp_path, verb, source, expected):
    here = tmp_path / "here"
    (here / "empty.txt").write_text("# nothing\n\n")
    (here / "zero_flc.fits").touch()
    (here / "text_flc.fits").write_text("<html>404 Not Found</html>" * 200)
    (here / "mixed.txt").write_text("zero_flc.fits\ngone_flc.fits\ntext_flc.fits\n")
    before = sorted(path.name for path in here.iterdir())
    code, _, err = call(verb, source, *(["-s"] if verb == "run" else []))
    assert code == ExitCode.BAD_INPUT
    for name in expected:
        (line,) = [line for line in err.splitlines() if line.strip().startswith(name)]
        assert line.count(";") >= 1, "cause and next step"
    assert sorted(path.name for path in here.iterdir()) == before


def test_strict_makes_an_exclusion_an_error(call, exposures, tmp_path):
    name = next(exposures.glob("*_flc.fits"))
    listed = tmp_path / "twice.txt"
    listed.write_text(f"{name}\n{name}\n")
    assert call("plan", listed)[0] == 0
    code, _, err = call("plan", listed, "--strict")
    assert code == ExitCode.BAD_INPUT
    assert "listed twice" in err


@pytest.mark.parametrize("option", ["-o", "--output_file_prefix", "--output-file-prefix"])
def test_an_invalid_prefix_is_a_usage_error(call, exposures, option):
    code, _, err = call("plan", exposures / "list.txt", option, "a/b")
    assert code == ExitCode.USAGE
    assert "a/b" in err


def test_short_help_of_verbs_fits_on_80_columns():
    shown = CliRunner().invoke(cli, ["--help"], env={"COLUMNS": "80"}).output
    lines = shown[shown.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(cli.commands)
    assert all(line.endswith(".") and not line.endswith("...") and len(line) <= 80 for line in lines)


def test_plan_shows_the_effects_of_a_run(call, exposures):
    code, out, _ = call("plan", exposures / "list.txt")
    assert code == 0
    for fact in ("p1889", "wfc3_uvis_f606w", "wfc3_ir_f160w_coarse-all_drz.fits", "parameter set n", "limits ["):
        assert fact in out


def test_output_below_a_file_is_refused_before_anything_is_written(call, exposures, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = call("run", exposures / "list.txt", "-s", "--output-dir", tmp_path / "file")
    assert code == ExitCode.OUTPUT
    assert "not a directory" in err


def test_an_unusable_output_directory_is_reported_with_inputs(call, exposures, tmp_path):
    (tmp_path / "file").touch()
    output = ("-s", "--output-dir", tmp_path / "file")
    (tmp_path / "list.txt").write_text("absent_flc.fits\n")
    code, _, err = call("run", tmp_path / "list.txt", *output)
    assert (code, "2 problems" in err) == (ExitCode.BAD_INPUT, True)
    assert "absent_flc.fits" in err
    assert "--output-dir: " in err
    code, _, err = call("run", exposures / "list.txt", *output)
    assert (code, "file is not a directory" in err) == (ExitCode.OUTPUT, True)


def test_an_unwritable_plan_is_reported(call, exposures, tmp_path):
    code, _, err = call("plan", exposures / "list.txt", "--json", "no/such/folder/plan.json")
    assert (code, "cannot write no/such/folder/plan.json" in err) == (ExitCode.OUTPUT, True)


def test_an_uncreatable_directory_is_reported(call, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = call("simulate", tmp_path / "file" / "demo")
    assert (code, "cannot be made" in err) == (ExitCode.OUTPUT, True)


def test_an_unusable_catalogue_is_reported_before_the_run(call, exposures, tmp_path):
    code, _, err = call("run", exposures / "list.txt", "--catalog", "absent.ecsv")
    assert code == ExitCode.ALIGNMENT
    assert "absent.ecsv" in err
    assert list((tmp_path / "here").iterdir()) == []


def test_readme_lists_every_exit_code():
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    listed = {int(row.split("|")[1]) for row in readme.splitlines() if re.match(r"\| \d+ \|", row)}
    assert listed == set(map(int, ExitCode))


def test_an_unknown_profile_is_reported_with_existing_ones(call, exposures):
    code, _, err = call("run", exposures / "list.txt", "-s", "--profile", "nosuch")
    assert code == ExitCode.USAGE
    assert "one of these profiles: allocation, " in err


def test_several_inputs_are_the_same_as_a_quoted_pattern(call, exposures):
    quoted = call("plan", f"{exposures}/*_flc.fits")
    expanded = call("plan", *sorted(exposures.glob("*_flc.fits")))
    assert quoted[0] == expanded[0] == 0
    # free memory and space change from one call to the next
    assert quoted[1].partition("disk: ")[0] == expanded[1].partition("disk: ")[0]


def test_an_error_is_json_for_programs(call, tmp_path):
    code, out, err = call("run", "absent.txt", "-s", "--json")
    (line,) = out.splitlines()
    found = json.loads(line)
    assert (found["kind"], found["exit_code"]) == ("error", code) == ("error", ExitCode.BAD_INPUT)
    assert [problem["name"] for problem in found["problems"]] == ["absent.txt"]
    assert "absent.txt" in err
    for verb in ("status", "verify", "clean"):
        code, out, _ = call(verb, "absent", "--json")
        assert json.loads(out)["exit_code"] == code != 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list.txt", "--wrokers", "3"], "No such option"),
        ([], "missing INPUT"),
        (["list.txt", "--quiet"], "exclude each other"),
        (["list.txt", "--config", "absent.toml"], "cannot read absent.toml"),
        (["list.txt", "--profile", "nosuch"], "nosuch"),
    ],
)
def test_an_error_of_the_command_line_is_json_for_programs(call, arguments, message):
    code, out, _ = call("run", "--json", *arguments)
    found = json.loads(out)
    assert (found["kind"], found["exit_code"], code) == ("error", ExitCode.USAGE, ExitCode.USAGE)
    assert message in found["message"]


def test_a_dry_run_is_json_for_programs(call, exposures):
    code, out, _ = call("run", exposures / "list.txt", "-s", "-o", "foo", "--dry-run", "--json")
    assert (code, json.loads(out)["prefix"]) == (0, "foo")


def test_doctor_reports_its_checks_as_json(call, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/x")
    code, out, _ = call("doctor", "--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (0, True)
    assert {"memory", "cores", "output directory", "catalogue service"} <= {check["what"] for check in found["checks"]}


def test_make_checks_the_system_before_it_downloads_anything(tmp_path):
    root, programs = Path(__file__).parents[1], tmp_path / "bin"
    programs.mkdir()
    (programs / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (programs / "uname").chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "container/lock.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    command = ["make", "mosaic", "INPUT=list.txt"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "hstmosaic needs Linux" in done.stdout) == (2, True), done.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_names_its_variables_after_an_error():
    command = ["make", "mosaic", "INPUT=absent.txt", "IMAGE=absent.sif"]
    # tests may have been started by make --silent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "for --output-dir OUT=, for --replace REPLACE=1" in done.stderr
    assert "run absent.txt --output-dir mosaics\n" in done.stdout


def test_make_passes_further_options_on():
    command = ["make", "--dry-run", "--silent", "mosaic", "INPUT=list.txt", "OPTIONS=--catalog gaia.ecsv"]
    root = Path(__file__).parents[1]
    for given, passed in ((command, True), (command[:-1], False)):
        environment = os.environ | {"OPTIONS": "--strict"}  # of another program
        done = subprocess.run(given, cwd=root, env=environment, capture_output=True, text=True, check=True)
        assert ("$OPTIONS" in done.stdout) == passed


@pytest.mark.parametrize(("given", "ends"), [("INPT=list.txt", 2), ("INPUT=list.txt", 0)])
def test_an_unknown_variable_of_make_is_an_error(given, ends):
    command = ["make", "--dry-run", "mosaic", given]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == ends
    assert ("unknown variable INPT" in done.stderr) == (ends == 2)


def test_make_takes_the_settings_of_the_image():
    root = Path(__file__).parents[1]
    scripts = [(root / "container" / name).read_text() for name in ("build.sh", "build-sif.sh")]
    settings = set(re.findall(r"^# {3}([A-Z_]+) ", "\n".join(scripts), re.MULTILINE))
    assert {"ENGINE", "APT_SOURCES", "SIF_OPTIONS"} <= settings
    command = ["make", "--dry-run", "image", "sif", *(f"{name}=x" for name in settings)]
    subprocess.run(command, cwd=root, capture_output=True, check=True)


def test_plan_takes_every_option_of_run():
    options = {verb: {name for item in cli.commands[verb].params for name in item.opts} for verb in ("plan", "run")}
    assert options["run"] == options["plan"]


def test_a_dry_run_prints_the_plan_and_writes_nothing(call, exposures, tmp_path):
    options = (exposures / "list.txt", "-s", "-o", "foo", "--output-dir", "new", "--no-learning")
    (_, planned, _), (code, dry, _) = call("plan", *options), call("run", *options, "--dry-run")
    assert code == 0
    # free space and memory may change meanwhile
    assert dry.partition("disk: ")[0] == planned.partition("disk: ")[0]
    assert f"MB needed in {tmp_path / 'here' / 'new'}, " in dry
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(("option", "alignment"), [("-s", "none; exposures"), ("--strict", "to the catalogue service")])
def test_only_an_aligned_run_counts_the_alignment(call, exposures, option, alignment):
    code, out, _ = call("plan", exposures / "list.txt", option)
    assert code == 0
    assert f"alignment: {alignment}" in out
    assert ("\naligning: 1 task of up to" in out) == (option != "-s")


def test_a_plan_does_not_replace_a_list(call, exposures, tmp_path):
    listed = tmp_path / "mine.txt"
    listed.write_text((exposures / "list.txt").read_text())
    code, _, err = call("plan", exposures / "list.txt", "--json", listed)
    assert (code, "exists and is not named .json" in err) == (ExitCode.OUTPUT, True)
    assert listed.read_text() == (exposures / "list.txt").read_text()


@pytest.fixture
def listed(exposures, tmp_path):
    """A list with a folder of its own."""
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{exposure}\n" for exposure in sorted(exposures.glob("*_flc.fits"))))
    return path


def test_options_come_from_the_file_next_to_the_list(call, listed, tmp_path):
    config = tmp_path / "hstmosaic.toml"
    config.write_text('output_file_prefix = "bar"\nskip-gaia-alignment = true\noutput-dir = "out"\nworkers = 1\n')
    code, out, err = call("plan", listed)
    assert code == 0
    assert "prefix bar\n" in out
    assert f"needed in {tmp_path / 'out'}, " in out
    assert err.startswith(f"options from {config}: ")
    assert set(err.strip().split(": ")[1].split(", ")) == {
        "output-file-prefix",
        "skip-gaia-alignment",
        "output-dir",
        "workers",
    }
    assert "prefix foo\n" in call("plan", listed, "-o", "foo")[1], "the command line takes precedence"


def test_options_come_from_the_environment(call, listed, tmp_path, monkeypatch):
    (tmp_path / "other.toml").write_text('output-file-prefix = "bar"\n')
    monkeypatch.setenv("HSTMOSAIC_OUTPUT_FILE_PREFIX", "baz")
    code, out, err = call("plan", listed, "--config", tmp_path / "other.toml")
    assert code == 0
    assert "prefix baz\n" in out
    assert "options from the environment: HSTMOSAIC_OUTPUT_FILE_PREFIX\n" in err


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HSTMOSAIC_OUTPT_DIR", "unknown variable HSTMOSAIC_OUTPT_DIR\n  -> did you mean HSTMOSAIC_OUTPUT_DIR?"),
        ("HSTMOSAIC_SKIP_ALIGNMENT", "did you mean HSTMOSAIC_SKIP_GAIA_ALIGNMENT?"),
        ("HSTMOSAIC_CONFIG", "HSTMOSAIC_CONFIG has no effect\n  -> --config is set on the command line only"),
    ],
)
def test_a_misspelt_variable_is_a_usage_error(call, listed, monkeypatch, name, expected):
    monkeypatch.setenv(name, "1")
    code, _, err = call("plan", listed)
    assert (code, expected in err) == (ExitCode.USAGE, True), err


def test_variables_of_others_are_named_and_ignored(call, listed, monkeypatch):
    monkeypatch.setenv("HSTMOSAIC_ROOT", "/opt/hstmosaic")  # as Spack sets it
    code, _, err = call("plan", listed)
    assert (code, err) == (0, "ignored, since there is no such option: HSTMOSAIC_ROOT\n")


def test_the_command_line_overrules_a_contrary_option_of_the_file(call, listed, tmp_path):
    (tmp_path / "hstmosaic.toml").write_text("require-alignment = true\n")
    code, out, _ = call("plan", listed, "-s")
    assert (code, "alignment: none" in out) == (0, True)
    (tmp_path / "hstmosaic.toml").write_text("skip-gaia-alignment = true\n")
    code, out, _ = call("plan", listed, "--require-alignment")
    assert (code, "alignment: to the catalogue" in out) == (0, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('outptu-dir = "x"', "unknown option 'outptu-dir'\n  -> did you mean output-dir?"),
        ("json = true", "unknown option 'json'"),
        ("keep = 'one'", "keep must be a list"),
        ("strict = 1", "strict must be true or false"),
        ("workers = 0", "--workers"),
        ("workers = ", "cannot read"),
    ],
)
def test_a_wrong_file_of_options_is_a_usage_error(call, listed, tmp_path, text, expected):
    (tmp_path / "hstmosaic.toml").write_text(text)
    code, _, err = call("plan", listed)
    assert (code, expected in err) == (ExitCode.USAGE, True), err


def test_measurements_can_be_switched_off_in_the_file(call, listed, tmp_path):
    (tmp_path / "hstmosaic.toml").write_text("no-learning = true\n")
    code, out, err = call("plan", listed)
    assert (code, "not corrected by measurements" in out, "no-learning" in err) == (0, True, True)
