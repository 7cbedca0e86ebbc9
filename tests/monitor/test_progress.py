"""Who hears of a run: a live view on a real terminal, plain lines, silence, JSON, and status from another shell."""

import fcntl
import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from helpers.events import event_of
from hstmosaic.cli.terminal import LiveView, live_view, terminal_listener
from hstmosaic.errors import ExitCode, OutputError
from hstmosaic.monitor.reducer import add_up
from hstmosaic.monitor.status import RunLog, read_status
from hstmosaic.monitor.view import view
from hstmosaic.plan.estimates import MODEL
from hstmosaic.run.history import Record, add_records, this_machine
from hstmosaic.store.events import event_from_line, event_line, is_milestone, log_to
from hstmosaic.store.run_directory import RunDirectory

LINES = Path(__file__).with_name("recorded_run.jsonl").read_text().splitlines()
RECORDED = [event_from_line(line) for line in LINES]
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


@pytest.fixture(scope="module")
def field(simulated):
    return simulated.demo(200).list


def command(field, output, *options):
    words = ["run", str(field), "-s", "--stub", "-o", "foo", "--output-dir", str(output), *options]
    return [sys.executable, "-m", "hstmosaic.cli", *words]


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, words):
        self.own, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        self.before = termios.tcgetattr(theirs)
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
        take = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", take, *words],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        )  # fmt: skip
        self.theirs = theirs
        self.seen = b""

    def until(self, what, seconds=120):
        """Read until something was printed."""
        deadline = time.monotonic() + seconds
        while what not in self.seen:
            assert time.monotonic() < deadline, self.seen.decode(errors="replace")
            self.seen += os.read(self.own, 65536)

    def end(self):
        """Read what is left and return the exit code; the terminal must be as it was."""
        deadline = time.monotonic() + 120
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen.decode(errors="replace")
            if select.select([self.own], [], [], 0.1)[0]:  # it could not go on writing if nobody read
                self.seen += os.read(self.own, 65536)
        code = self.process.returncode
        os.write(self.theirs, b"THE END")
        self.until(b"THE END")
        assert termios.tcgetattr(self.theirs) == self.before
        os.close(self.own)
        os.close(self.theirs)
        return code


def written(folder, lines):
    """A run directory with some lines of a log."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "logs" / "run.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def shown(events, width=100):
    """Return what a terminal of a width shows after events."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(view(add_up(events), events[-1].time, width))
    return console.file.getvalue()


@dataclass(frozen=True)
class TerminalRun:
    """A whole run on a terminal."""

    code: int
    seen: bytes
    output: Path
    meanwhile: str
    """What status printed during the run."""


@pytest.fixture(scope="module")
def on_terminal(field, tmp_path_factory):
    output = tmp_path_factory.mktemp("terminal")
    terminal = Terminal(command(field, output))
    terminal.until(b"1 running (")
    meanwhile = str(read_status(output / "stub-foo_run", time.time()))
    code = terminal.end()
    return TerminalRun(code, terminal.seen, output, meanwhile)


@pytest.mark.upstream
def test_a_terminal_shows_the_run_and_is_left_clean(on_terminal):
    code, seen, output = on_terminal.code, on_terminal.seen, on_terminal.output
    assert code == ExitCode.OK
    assert seen.count(HIDE) == seen.count(SHOW) == 1
    assert seen.rindex(SHOW) > seen.rindex(b"screening")
    for words in ("screening", "6 of 6 finished", "slots busy", "GB claimed", "% done", "left", "1 running ("):
        assert words.encode() in seen
    above = seen[seen.rindex(b"finished after") :]
    assert str(output).encode() in above.replace(b"\r\n", b"")


@pytest.mark.upstream
def test_status_from_another_shell_follows_the_run(on_terminal):
    output, meanwhile = on_terminal.output, on_terminal.meanwhile
    assert "driver         host" in meanwhile
    assert "screening      " in meanwhile
    assert "1 running (" in meanwhile
    command = [sys.executable, "-m", "hstmosaic.cli", "status", str(output / "stub-foo_run")]
    for options in ([], ["--watch"]):
        after = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=60).stdout
        assert "driver         none, the run is finished" in after
        assert "screening      6 of 6 finished, 0 running, 0 failed" in after
        assert "3 made (" in after
        assert "100 % done, took 0:00:" in after


@pytest.mark.upstream
def test_json_is_one_event_a_line(on_terminal, field, tmp_path):
    output = on_terminal.output
    lesson = [Record("r", this_machine(), f"screen wfc3_{name}", 3.0, 5.0, 2.0, MODEL) for name in ("ir", "uvis")]
    add_records(tmp_path / "measured.jsonl", lesson * 20)
    RunDirectory(output / "stub-foo_run").plan_key_file.unlink()  # so that the plan is made anew, with the lesson
    environment = os.environ | {"HSTMOSAIC_LEARNING": str(tmp_path / "measured.jsonl")}
    done = subprocess.run(
        command(field, output, "--json"), env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    assert all(event.keys() >= {"time", "kind", "level", "message"} for event in events)
    kinds = [event["kind"] for event in events]
    assert (kinds.count("skipped"), kinds.count("reused"), kinds.count("running")) == (6, 3, 0)
    assert "finished" in kinds
    assert events[kinds.index("planned")]["pace"] > 1.5


@pytest.mark.upstream
def test_quiet_prints_nothing_without_problems(on_terminal, field):
    output = on_terminal.output
    done = subprocess.run(command(field, output, "--quiet"), capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.upstream
def test_without_a_terminal_there_are_few_plain_lines(on_terminal, field):
    output = on_terminal.output
    done = subprocess.run(command(field, output), capture_output=True, text=True, check=True, timeout=120)
    assert "\x1b" not in done.stdout
    assert 2 <= len(done.stdout.splitlines()) <= 8


@pytest.mark.upstream
def test_ctrl_c_leaves_the_terminal_clean(field, tmp_path):
    terminal = Terminal(command(field, tmp_path, "--no-learning"))
    terminal.until(b"2 running, 0 failed")
    os.write(terminal.own, b"\x03")
    assert terminal.end() == ExitCode.INTERRUPTED
    assert terminal.seen.rindex(SHOW) > terminal.seen.rindex(HIDE)
    assert b"rerun the same command to resume" in terminal.seen[terminal.seen.rindex(SHOW) :]
    after = str(read_status(tmp_path / "stub-foo_run", time.time()))
    assert "none; rerun the same command to resume" in after
    assert "0 running, 0 failed" in after


def test_warnings_scroll_above_the_view():
    console = Console(file=io.StringIO(), width=100, height=24, force_terminal=True)
    with live_view(console, "info") as listener:
        for event in [*RECORDED[:20], event_of("left out", "x_flc.fits is [left out]: guiding", "warning")]:
            listener(event)
    text = console.file.getvalue()
    assert "x_flc.fits is [left out]: guiding" in text
    assert "runs on" not in text


def test_the_view_of_the_recorded_run():
    middle = next(i for i, event in enumerate(RECORDED) if event.kind == "gathered")
    text = shown(RECORDED[: middle + 1])
    assert "finding stars" in text
    assert "6 of 6 finished, 0 running, 0 failed" in text
    assert "1 made (wfc3_uvis_f606w), 2 running (wfc3_ir_f160w, acs_wfc_f814w)" in text.replace("\n", " ")
    assert re.search(r"workers  1, 2 of 2 slots busy, 0\.\d of \d+\.\d GB claimed", text)
    assert "100 % done, took 0:00:07" in shown(RECORDED)
    assert "reading headers" in shown([event_of("reading", "10 of 100")])


@pytest.mark.parametrize("width", [30, 60, 200])
def test_the_view_fits_any_width(width):
    assert max(map(len, shown(RECORDED, width).splitlines())) <= width


def test_status_of_a_run_that_was_killed(tmp_path):
    middle = next(i for i, event in enumerate(RECORDED) if event.kind == "running" and event.data["task"] == "align")
    status = read_status(written(tmp_path, LINES[: middle + 1]), RECORDED[middle].time)
    assert [(stage.name, stage.planned, stage.finished, stage.running, stage.failed) for stage in status.stages] == [
        ("screening", 6, 6, 0, 0), ("finding stars", 6, 6, 0, 0), ("aligning", 1, 0, 0, 0), ("drizzling", 3, 0, 0, 0)
    ]  # fmt: skip
    assert "none; rerun the same command to resume" in str(status)
    assert "time left unknown" in str(status)


def test_status_of_a_run_with_a_failed_layer(tmp_path):
    failed = event_of("failed", "wfc3_ir_f160w failed: no stars (log: log.txt)", "error", {"layer": "wfc3_ir_f160w"})
    ended = event_of("finished", "1 layer failed after 7 s", data={"exit_code": 7})
    start = next(i for i, event in enumerate(RECORDED) if event.kind == "aligned")
    text = str(read_status(written(tmp_path, [*LINES[:start], event_line(failed), event_line(ended)]), time.time()))
    assert "none; the run ended and 1 layer failed; rerun the same command" in text
    assert "warning        wfc3_ir_f160w failed: no stars" in text


def test_the_log_is_read_as_it_grows(tmp_path):
    log = RunLog(written(tmp_path, LINES[:30]))
    first = log.status(RECORDED[29].time)
    whole = "".join(f"{line}\n" for line in LINES)
    with (tmp_path / "logs" / "run.jsonl").open("a") as file:
        for piece in (whole[sum(len(line) + 1 for line in LINES[:30]) :][:100], ""):
            file.write(piece)
            file.flush()
            assert log.status(RECORDED[29].time).progress.tasks.keys() == first.progress.tasks.keys()
        file.write(whole[sum(len(line) + 1 for line in LINES[:30]) + 100 :])
    assert log.status(RECORDED[-1].time) == read_status(tmp_path, RECORDED[-1].time)
    assert log.status(RECORDED[-1].time).finished


def test_an_incomplete_line_does_not_affect_the_others(tmp_path):
    middle = len(LINES) // 2
    with (written(tmp_path, LINES[:middle]) / "logs" / "run.jsonl").open("a") as log:
        log.write(LINES[middle][:40])
    again = log_to(tmp_path / "logs" / "run.jsonl")
    for event in RECORDED:
        again(event)
    status = read_status(tmp_path, RECORDED[-1].time)
    assert status.finished
    assert status.progress.tasks == add_up(RECORDED).tasks
    # as a start of an earlier version left it, on the same line
    (tmp_path / "logs" / "run.jsonl").write_text(f"{LINES[0][:40]}{LINES[0]}\n\0\0\n" + "\n".join(LINES) + "\n")
    assert read_status(tmp_path, RECORDED[-1].time).finished


def test_other_directories_are_errors(tmp_path):
    (tmp_path / "some.fits").touch()
    for path in (tmp_path, tmp_path / "some.fits", tmp_path / "nothing"):
        with pytest.raises(OutputError, match="is not a run directory"):
            read_status(path, time.time())


def test_a_run_whose_log_is_empty_has_not_begun_in_1970(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "run.jsonl").touch()
    assert str(read_status(tmp_path)).splitlines()[-2] == "time           time left unknown"


@pytest.mark.parametrize("total", [1, 9, 10, 12, 19, 100, 1009])
def test_progress_is_worth_eleven_lines_at_most_and_the_last_one(total):
    milestones = [done for done in range(1, total + 1) if is_milestone(done, total)]
    assert milestones[-1] == total
    assert len(milestones) <= 11


def test_two_who_ask_are_not_taken_for_drivers(tmp_path):
    (written(tmp_path, LINES) / "lock").write_text("host old, process 1")
    with (tmp_path / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert read_status(tmp_path, time.time()).driver == ""
        fcntl.flock(other, fcntl.LOCK_EX)
        assert read_status(tmp_path, time.time()).driver == "host old, process 1"


def test_quiet_and_json_exclude_each_other(tmp_path):
    done = subprocess.run(command("list.txt", tmp_path, "-q", "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "exclude each other" in done.stderr


def test_listeners_by_requested_output(capsys):
    events = [
        event_of("note", "something"),
        event_of("left out", "careful", "warning"),
        event_of("workers", "two", "debug"),
    ]
    for options in ({}, {"quiet": True}, {"as_json": True}):
        with terminal_listener("info", **options) as listener:
            assert not isinstance(listener, LiveView), "standard output is no terminal"
            for event in events:
                listener(event)
        printed = capsys.readouterr()
        if "as_json" in options:
            assert [event_from_line(line) for line in printed.out.splitlines()] == [
                event_from_line(event_line(event)) for event in events
            ]
        else:
            assert (printed.out, printed.err) == ("" if options else "something\n", "careful\n")
