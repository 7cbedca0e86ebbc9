"""Where what is worth keeping across runs is kept."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Return the folder that belongs to hstmosaic in the user's cache; it need not exist."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "hstmosaic"
