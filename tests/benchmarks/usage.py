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

    def peak(self) -> float:
        """MB that it had at most since this was asked for last."""
        status = (self._folder / "status").read_text()
        (self._folder / "clear_refs").write_text("5")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1e3

    @property
    def cpu(self) -> float:
        """Seconds."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
