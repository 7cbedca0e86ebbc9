"""Only a start whose plan would be the same reuses the plan of an earlier one."""

import os
from dataclasses import replace

import pytest

from hstmosaic.plan.request import MosaicRequest
from hstmosaic.run.options import RunOptions
from hstmosaic.run.plan_key import plan_key

OTHERS = {
    "prefix": {"prefix": "bar"},
    "kept exposure": {"keep": ("a_flt.fits",)},
    "strict": {"strict": True},
    "scale": {"request": MosaicRequest(scale=0.05)},
    "boxes": {"workers": 7},
}


@pytest.fixture
def options(tmp_path):
    for name in ("a_flt.fits", "b_flt.fits"):
        (tmp_path / name).write_bytes(b"SIMPLE")
    return RunOptions(str(tmp_path), "foo", workers=2)


@pytest.mark.parametrize("name", OTHERS)
def test_options_that_change_the_plan_change_the_key(options, name):
    assert plan_key(options) == plan_key(replace(options, log_level="debug"))
    assert plan_key(options) != plan_key(replace(options, **OTHERS[name]))


def test_another_placeholder_prefix_changes_the_key(options):
    assert plan_key(options) != plan_key(replace(options, stub=True))


def test_changed_exposures_change_the_key(options, tmp_path):
    before = plan_key(options)
    path = tmp_path / "a_flt.fits"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    touched = plan_key(options)
    (tmp_path / "c_flt.fits").write_bytes(b"SIMPLE")
    assert len({before, touched, plan_key(options)}) == 3


def test_the_order_of_a_list_counts(options, tmp_path):
    names = [str(tmp_path / "a_flt.fits"), str(tmp_path / "b_flt.fits")]
    keys = {plan_key(replace(options, source=tuple(order))) for order in (names, names[::-1])}
    assert len(keys) == 2


@pytest.mark.parametrize("source", ["-", "missing.txt", ("a_flt.fits", "nothing*.fits")])
def test_inputs_that_must_be_read_or_reported_have_no_key(options, monkeypatch, tmp_path, source):
    monkeypatch.chdir(tmp_path)
    assert plan_key(replace(options, source=source)) is None


def test_a_pipe_is_not_read(options, tmp_path):
    pipe = tmp_path / "names"
    os.mkfifo(pipe)  # reading it would wait for ever
    assert plan_key(replace(options, source=str(pipe))) is None
    assert plan_key(replace(options, source=f"@{pipe}")) is None
