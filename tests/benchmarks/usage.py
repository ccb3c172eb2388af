"""What a process takes of the machine."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


class Usage:
    """What a process takes."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    @property
    def rss(self) -> float:
        """MB."""
        return int((self._folder / "statm").read_text().split()[1]) * PAGE / 1e6

    @property
    def cpu(self) -> float:
        """Seconds."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
