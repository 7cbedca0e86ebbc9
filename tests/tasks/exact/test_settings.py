"""Settings of astropy that are remembered follow each change."""

import pytest
from astropy.config import configuration
from astropy.config.configuration import ConfigItem
from astropy.io.fits import conf

from hstmosaic.tasks.exact.settings import remember_settings


@pytest.fixture
def looked_up(monkeypatch):
    """Names of the settings that were looked up since they are remembered."""
    names = []
    for name in ("__call__", "set", "reload"):
        monkeypatch.setattr(ConfigItem, name, getattr(ConfigItem, name))
    original = ConfigItem.__call__
    monkeypatch.setattr(ConfigItem, "__call__", lambda self: names.append(self.name) or original(self))
    remember_settings()
    yield names
    conf.reload("strip_header_whitespace")


def test_a_setting_is_looked_up_once(looked_up):
    assert [conf.strip_header_whitespace for _ in range(3)] == [True] * 3
    assert looked_up == ["strip_header_whitespace"]


def test_changes_are_seen(looked_up):
    assert conf.strip_header_whitespace is True
    conf.strip_header_whitespace = False
    assert conf.strip_header_whitespace is False
    with conf.set_temp("strip_header_whitespace", True):
        assert conf.strip_header_whitespace is True
    assert conf.strip_header_whitespace is False
    conf.reload("strip_header_whitespace")
    assert conf.strip_header_whitespace is True


def test_reloading_a_setting_reloads_those_of_its_package(looked_up):
    conf.strip_header_whitespace = False
    assert conf.strip_header_whitespace is False
    conf.reload("use_memmap")
    expected = configuration.get_config("io.fits", rootname="astropy").get("strip_header_whitespace", True)
    assert conf.strip_header_whitespace == expected
