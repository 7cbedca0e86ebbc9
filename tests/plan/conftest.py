"""Exposures to make a plan of."""

import pytest

from helpers.exposure_files import write_exposure
from hstmosaic.plan.exposures import read_exposure


@pytest.fixture
def make(tmp_path):
    """Give the function that writes and reads exposures, each in a folder if it is asked for."""

    def write(name, folder="", **keywords):
        (tmp_path / folder).mkdir(exist_ok=True)
        return read_exposure(write_exposure(tmp_path / folder, name, **keywords))

    return write
