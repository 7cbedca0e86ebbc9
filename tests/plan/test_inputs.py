"""INPUT: patterns, lists and single files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmosaic.errors import BadInputError, Problem
from hstmosaic.plan.inputs import parse_list, resolve_inputs

NAMES = ("icab01a0q_flc.fits", "icab01a1q_flc.fits", "jchb02acq_flt.fits")


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """Make a folder with three files, which is not the current directory."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in NAMES:
        (folder / name).touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


def write_list(folder: Path, text: str | bytes) -> Path:
    """Write a list exactly so, line ends included."""
    path = folder / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def found(source: str) -> list[Path]:
    """Paths that a source stands for."""
    return [item.path for item in resolve_inputs(source)]


def problems(source: str) -> tuple[Problem, ...]:
    """Problems that a source has."""
    with pytest.raises(BadInputError) as caught:
        resolve_inputs(source)
    assert caught.value.exit_code == 3
    return caught.value.problems


def test_pattern_is_sorted(data):
    assert found(f"{data}/*_flc.fits") == [data / NAMES[0], data / NAMES[1]]


def test_pattern_relative_to_the_current_directory(data, monkeypatch):
    monkeypatch.chdir(data)
    items = resolve_inputs("i*_fl?.fits")
    assert [item.written for item in items] == list(NAMES[:2])
    assert [item.path for item in items] == [data / name for name in NAMES[:2]]


def test_pattern_goes_into_folders_and_leaves_them_out(data):
    (data / "deep" / "er_flc.fits").mkdir(parents=True)
    (data / "deep" / "er_flc.fits" / "iaaa01a0q_flc.fits").touch()
    names = [path.name for path in found(f"{data}/**/*_flc.fits")]
    assert names == ["iaaa01a0q_flc.fits", *NAMES[:2]]


COPIES = ("foo_wfc3_uvis_f606w_all-icab01a0_flc.fits", "a_b_wfc3_ir_f160w_coarse-all-icab02a0_flt.fits")


def test_patterns_pass_over_aligned_copies_of_earlier_runs(data):
    for name in COPIES:
        (data / name).touch()
    assert found(f"{data}/*_fl?.fits") == [data / name for name in NAMES]
    (problem,) = problems(f"{data}/foo*_flc.fits")
    assert "only the copies of an earlier run" in problem.cause
    # named one by one they are found, and refused for what they are when they are read
    assert found(str(write_list(data, "\n".join(COPIES)))) == [data / name for name in COPIES]


def test_patterns_pass_over_working_copies_in_run_directories(data):
    work = data / "mosaics" / "foo_run" / "tasks" / "drizzle-wfc3_uvis_f606w" / "work"
    work.mkdir(parents=True)
    (work / NAMES[0]).touch()
    pattern = f"{data}/**/*_flc.fits"
    assert work / NAMES[0] in found(pattern), "a folder of that name is not yet one of ours"
    (data / "mosaics" / "foo_run" / "plan.json").touch()
    assert found(pattern) == [data / NAMES[0], data / NAMES[1]]


def test_home_and_variables(data, monkeypatch):
    monkeypatch.setenv("HOME", str(data))
    monkeypatch.setenv("MY_DATA", str(data))
    write_list(data, f"~/{NAMES[0]}\n$MY_DATA/{NAMES[1]}\n${{MY_DATA}}/j*.fits\n")
    expected = [data / name for name in NAMES]
    assert found("~/list.txt") == found("$MY_DATA/list.txt") == found("@~/list.txt") == expected
    assert found("~/i*.fits") == expected[:2]


@pytest.mark.parametrize("name", ["$MY_DATA", "~nobody", "~"])
def test_existing_name_wins_over_variable(data, monkeypatch, name):
    monkeypatch.setenv("MY_DATA", "/nowhere")
    folder = data / name
    folder.mkdir()
    (folder / NAMES[0]).touch()
    write_list(folder, NAMES[0])
    write_list(data, f"{name}/{NAMES[0]}")
    expected = [folder / NAMES[0]]
    assert found(f"{folder}/list.txt") == found(f"{folder}/{NAMES[0]}") == found(f"{data}/list.txt") == expected


def test_single_file(data):
    assert found(str(data / NAMES[0])) == [data / NAMES[0]]


def test_existing_name_wins_over_pattern(data):
    (data / "a[01]_flc.fits").touch()
    (data / "a0_flc.fits").touch()
    assert found(f"{data}/a[01]_flc.fits") == [data / "a[01]_flc.fits"]


def test_list_keeps_its_order_and_takes_patterns(data):
    path = write_list(data, f"{NAMES[2]}\ni*_flc.fits\n")
    assert found(str(path)) == [data / NAMES[2], data / NAMES[0], data / NAMES[1]]


def test_at_means_list_whatever_the_name(data):
    write_list(data, f"{NAMES[2]}\n").rename(data / "odd.fits")
    assert found(f"@{data}/odd.fits") == [data / NAMES[2]]


def test_list_folder_wins_over_current_directory(data):
    path = write_list(data, f"{NAMES[0]}\nhere_flc.fits\nh*_flc.fits\n")
    Path(NAMES[0]).touch()
    Path("here_flc.fits").touch()
    here = Path.cwd() / "here_flc.fits"
    assert found(str(path)) == [data / NAMES[0], here, here]


def test_links_keep_their_name(data):
    (data / "iaaa01a0q_flc.fits").symlink_to(data / NAMES[0])
    assert found(f"{data}/iaaa*") == [data / "iaaa01a0q_flc.fits"]


name_text = st.text(alphabet="abcxyz0189_-+.[]*?# /\\'\"é", min_size=1, max_size=20).map(str.strip)
plain_names = name_text.filter(lambda name: name and name[0] not in "#'\"" and " #" not in name)
blank = st.text(alphabet=" \t", max_size=3)
noise = st.one_of(blank, st.builds("{}#{}".format, blank, st.text(alphabet="abc# '\"", max_size=10)))


@st.composite
def lists(draw) -> tuple[list[str], str]:
    """Names, and a text that says them with noise around."""
    names = draw(st.lists(plain_names, max_size=6))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = draw(st.lists(noise, max_size=2))
    for name in names:
        quote = draw(st.sampled_from(["", "'", '"']))
        quote = "" if quote in name else quote
        comment = draw(st.sampled_from(["", " # why", "\t#why 'not'"]))
        lines.append(draw(blank) + quote + name + quote + comment + draw(blank))
        lines += draw(st.lists(noise, max_size=2))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return names, draw(st.sampled_from(["", "\ufeff"])) + text


@given(lists())
def test_noise_does_not_change_the_names(case):
    names, text = case
    assert [name for _, name in parse_list(text)] == names


def test_line_numbers_and_quotes():
    text = '\ufeff# head\r\n\r\n "a b #1_flc.fits"  # one\r\nx#y.fits\r\n'
    assert parse_list(text) == [(3, "a b #1_flc.fits"), (4, "x#y.fits")]


@pytest.mark.parametrize(
    ("text", "cause", "next_step"),
    [
        ("", "empty", "one file name per line"),
        ("\n \n", "empty", "one file name per line"),
        ("# a\n  # b\n", "names no file", "one file name per line"),
        (b"\x7fELF\0\0\1", "binary", "one file name per line"),
        (b"SIMPLE  =                    T", "is a FITS file", "'@'"),
        ("a.fits\n".encode("utf-16"), "UTF-16", "UTF-8"),
        (b"a.fits\n\xe9.fits\n", "line 2 of the list is not UTF-8", "UTF-8"),
    ],
)
def test_lists_that_are_none(data, text, cause, next_step):
    path = write_list(data, text)
    (problem,) = problems(str(path))
    assert problem.name == str(path)
    assert cause in problem.cause
    assert next_step in problem.next_step


@pytest.mark.parametrize(
    ("source", "cause", "next_step"),
    [
        ("@gone.txt", "the list does not exist", "check the name"),
        ("gone.txt", "there is no such file", "check the name"),
        ("/no/where_flc.fits", "there is no such file", "check the name"),
        ("*_flc.fits", "no file matches this pattern", "check the pattern"),
        ("~nobody-of-that-name/*.fits", "no file matches this pattern", "check the pattern"),
        (".", "the folder has no _flc.fits or _flt.fits file", "the folder of the exposures"),
        ("@.", "is a folder, not a list", "one file name per line"),
        ("/dev/null", "the list is empty", "one file name per line"),
        ("x" * 5000, "there is no such file", "check the name"),
    ],
)
def test_sources_that_are_none(data, source, cause, next_step):
    (problem,) = problems(source)
    assert problem.name == source
    assert cause in problem.cause
    assert next_step in problem.next_step


def test_a_list_may_come_out_of_a_pipe(data):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(f"{data / NAMES[0]}\n")
    assert found(f"/dev/fd/{reading}") == [data / NAMES[0]]
    os.close(reading)


def test_a_pipe_is_not_an_exposure(data):
    os.mkfifo(data / "pipe_flc.fits")
    (problem,) = problems(str(data / "pipe_flc.fits"))
    assert (problem.cause, problem.next_step) == ("is not a regular file", "name a FITS file")


@pytest.mark.parametrize("source", ["", "  "])
def test_empty_source(data, source):
    (problem,) = problems(source)
    assert "empty" in problem.cause


def test_all_problems_of_a_list_at_once(data):
    (data / "folder").mkdir()
    path = write_list(data, f"gone_flc.fits\n{NAMES[0]}\n# fine\nfolder\nz*.fits\n")
    caught = problems(str(path))
    assert [problem.name for problem in caught] == ["gone_flc.fits", "folder", "z*.fits"]
    assert [problem.cause.split(":")[0] for problem in caught] == [f"line {n} of list.txt" for n in (1, 4, 5)]
    assert str(data) in caught[0].cause
    assert str(Path.cwd()) in caught[0].cause


def test_list_without_permission(data, monkeypatch):
    path = write_list(data, NAMES[0])

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    (problem,) = problems(str(path))
    assert "Permission denied" in problem.cause
    assert "permissions" in problem.next_step


def test_a_folder_stands_for_the_exposures_in_it_and_below(data):
    deep = data / "HST" / "iaaa01a0q"
    deep.mkdir(parents=True)
    (deep / "iaaa01a0q_flc.fits").touch()
    (data / COPIES[0]).touch()
    assert set(found(str(data))) == {deep / "iaaa01a0q_flc.fits", *(data / name for name in NAMES)}


def test_several_sources_are_searched_together(data):
    listed = write_list(data, NAMES[1])
    (data / COPIES[0]).touch()
    sources = (str(data / NAMES[0]), str(listed), str(data / COPIES[0]), f"{data}/*_flt.fits")
    assert [item.path for item in resolve_inputs(sources)] == [data / name for name in NAMES]
    with pytest.raises(BadInputError) as caught:
        resolve_inputs(("gone_flc.fits", str(data / NAMES[0]), "gone.txt"))
    assert [problem.name for problem in caught.value.problems] == ["gone_flc.fits", "gone.txt"]


def test_standard_input_is_a_list_of_the_current_directory(data):
    code = "from hstmosaic.plan.inputs import resolve_inputs; print(*(item.path for item in resolve_inputs('-')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=data, input=NAMES[0], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{data / NAMES[0]}\n"


@pytest.mark.parametrize("written", ["{}", "@{}"])
def test_a_compressed_exposure_is_refused_with_the_command_to_type(data, written):
    packed = data / "with space_flc.fits.gz"
    packed.touch()
    source = str(packed) if written == "{}" else f"@{write_list(data, packed.name)}"
    (problem,) = problems(source)
    assert "is compressed" in problem.cause
    assert problem.next_step == f"type: gunzip -k '{packed}'"
