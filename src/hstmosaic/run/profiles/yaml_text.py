"""YAML of a profile."""

from __future__ import annotations

from typing import Any

import yaml

from hstmosaic.errors import ProfileError


class _Loader(yaml.SafeLoader):
    """Reads ``12:00:00`` as text, where YAML 1.1 has a number to the base of sixty."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _number)


def read_yaml(text: str) -> dict[str, Any]:
    """Parse YAML, with hyphens in all keys and times as text.

    Raises
    ------
    ProfileError
        If the text is not YAML, or not a mapping.
    """
    try:
        raw = yaml.load(text, _Loader) or {}
    except yaml.YAMLError as error:
        raise ProfileError(f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ProfileError("not a mapping of keys to values")
    found: dict[str, Any] = with_hyphens(raw)
    return found


def with_hyphens(raw: Any) -> Any:
    """Return a mapping with hyphens in all keys, as in Dask."""
    if not isinstance(raw, dict):
        return raw
    return {str(key).replace("_", "-"): with_hyphens(value) for key, value in raw.items()}
