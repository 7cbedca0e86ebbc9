"""Declaration of profile keys: each is a field of `Profile` with a kind of value, a default and a help text."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hstmosaic.run.profiles.values import Kind

_METADATA = "key"


@dataclass(frozen=True)
class Key:
    """A key under ``hstmosaic`` in a profile."""

    kind: Kind
    """Of its value."""
    help: str
    """One sentence, in Markdown."""
    name: str = ""
    """As written in YAML; that of the field, with hyphens, if it is not declared."""
    default: str = ""
    """As shown in the documentation; the default of the field, as written in YAML, if it is not declared."""
    field: str = ""
    """Name of the field."""


def key(default: Any, kind: Kind, text: str, *, name: str = "", shown: str = "") -> Any:
    """Declare a key as a field of a dataclass.

    Parameters
    ----------
    default : object
        Of the field.
    kind : Kind
        Of the value.
    text : str
        Help.
    name : str
        Of the key, if it is not that of the field.
    shown : str
        Default as shown in the documentation, if it is not a plain value.
    """
    return field(default=default, metadata={_METADATA: Key(kind, text, name, shown)})


def keys_of(profile: type) -> dict[str, Key]:
    """Return the keys that a dataclass declares, by name."""
    found = {}
    for item in fields(profile):
        declared: Key | None = item.metadata.get(_METADATA)
        if declared is not None:
            name = declared.name or item.name.replace("_", "-")
            default = declared.default or f"`{str(item.default).lower()}`"
            found[name] = Key(declared.kind, declared.help, name, default, item.name)
    return found


def read_keys(given: dict[str, Any], keys: dict[str, Key]) -> dict[str, Any]:
    """Parse the values of known keys.

    Parameters
    ----------
    given : dict
        Values from YAML by name of the key; None is ignored.
    keys : dict of str to Key
        From `keys_of`.

    Returns
    -------
    dict
        Values by name of the field.

    Raises
    ------
    ProfileError
        For the first value of the wrong kind.
    """
    return {
        keys[name].field: keys[name].kind.read(value, f"hstmosaic.{name}")
        for name, value in given.items()
        if value is not None
    }
