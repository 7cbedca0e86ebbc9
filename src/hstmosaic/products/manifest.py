"""The manifest: a list of all products of a mosaic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def manifest_text(names: Iterable[str]) -> str:
    """Return the text of a manifest as drizzlepac writes it: one file name a line, sorted."""
    return "".join(f"{name}\n" for name in sorted(set(names)))


def write_manifest(path: Path, names: Iterable[str]) -> None:
    """Write a manifest whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(manifest_text(names))
    draft.replace(path)
