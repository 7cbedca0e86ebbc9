"""What all tests share."""

import os

from hypothesis import settings

# the same examples every time, and none that is late on a busy machine
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")


def pytest_ignore_collect(collection_path, config):
    """Do not import drizzlepac, which takes seconds, where its tests are not wanted."""
    unwanted = "not upstream" in (config.option.markexpr or "")
    return True if unwanted and collection_path.name.startswith("test_upstream") else None


def pytest_configure(config):
    """Neither learn from the runs of whoever tests, nor teach theirs; tests of learning name a file of their own."""
    os.environ["HSTMOSAIC_LEARNING"] = "off"
