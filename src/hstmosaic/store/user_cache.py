"""Folder for files that outlive a run."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Return hstmosaic's folder in the user's cache; it need not exist."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "hstmosaic"
