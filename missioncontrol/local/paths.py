"""Where the local environment keeps its files, by the XDG rules; nothing is written anywhere else."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Programs that were fetched or built, and Go's own caches: everything here can be made again."""
    return _base("XDG_CACHE_HOME", ".cache") / "missioncontrol"


def default_environment() -> Path:
    return _base("XDG_STATE_HOME", ".local/state") / "missioncontrol" / "local"


def _base(variable: str, fallback: str) -> Path:
    # The specification has relative values ignored.
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / fallback
