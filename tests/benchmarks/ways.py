"""Several ways to do the same, one client: which takes how long, and which process works on it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.lean import Clients, Target

BLOCK = 10
"""Requests of one way, before the next has its turn: what else goes on meets all alike."""


@dataclass
class Way:
    """What one way took."""

    latencies: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    """Seconds by process."""

    def quantile(self, part: float) -> float:
        """Milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * part)] * 1000


def used(pid: int) -> float:
    """Seconds of processor time, to the microsecond: one block takes less than /proc/PID/stat can tell."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue  # a thread that has just ended
    return total / 1e9


async def in_turn(
    ways: Mapping[str, tuple[Target, Iterator[bytes]]],
    pids: Mapping[str, int],
    *,
    seconds: float,
    expected: int,
) -> dict[str, Way]:
    """A block of requests of each way in turn, until each had about so many seconds."""
    opened = {name: await Clients.open(target, 1) for name, (target, _) in ways.items()}
    measured = {name: Way() for name in ways}
    try:
        for name, (_, requests) in ways.items():
            await opened[name].ask(requests, BLOCK, expected)  # what is asked for only once is not measured
        end = time.perf_counter() + seconds * len(ways)
        while time.perf_counter() < end:
            for name, (_, requests) in ways.items():
                before = {each: used(pid) for each, pid in pids.items()}
                measured[name].latencies += await opened[name].ask(requests, BLOCK, expected)
                for each, pid in pids.items():
                    spent = measured[name].cpu
                    spent[each] = spent.get(each, 0.0) + used(pid) - before[each]
    finally:
        for each in opened.values():
            await each.close()
    return measured


def told(measured: Mapping[str, Way]) -> list[str]:
    """A table; the first way is what the others are compared with."""
    first = next(iter(measured.values()))
    lines = [f"{'':22}{'median':>8}{'more':>7}{'p90':>8}{'more':>7}   ms of CPU for each"]
    for name, way in measured.items():
        times = [
            f"{way.quantile(part):8.2f}{way.quantile(part) - first.quantile(part):7.2f}"
            for part in (0.5, 0.9)
        ]
        each = len(way.latencies)
        cpu = ", ".join(f"{process} {1000 * spent / each:.2f}" for process, spent in way.cpu.items())
        lines.append(f"{name:22}{''.join(times)}   {cpu}  ({each})")
    return lines
