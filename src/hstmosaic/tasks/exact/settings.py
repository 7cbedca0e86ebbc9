"""Settings of astropy, remembered."""

from __future__ import annotations

import functools
from typing import Any

from astropy.config.configuration import ConfigItem


def remember_settings() -> None:
    """Let astropy look up a setting once, until it is changed, instead of for each card of a header.

    Only settings whose values cannot be changed in place are remembered.
    """
    known: dict[Any, Any] = {}
    look_up, change, reload = ConfigItem.__call__, ConfigItem.set, ConfigItem.reload

    @functools.wraps(look_up)
    def value(self: Any) -> Any:
        if self in known:
            return known[self]
        found = look_up(self)
        if isinstance(found, bool | int | float | str):
            known[self] = found
        return found

    @functools.wraps(change)
    def set_and_forget(self: Any, value: Any) -> Any:
        known.pop(self, None)
        return change(self, value)

    @functools.wraps(reload)
    def reload_and_forget(self: Any) -> Any:
        try:
            return reload(self)
        finally:
            known.clear()  # the whole file is read again

    ConfigItem.__call__, ConfigItem.set, ConfigItem.reload = value, set_and_forget, reload_and_forget
