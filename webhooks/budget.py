"""The time that a request has: what kube-apiserver gives it, minus what the way back takes.

kube-apiserver turns a late answer into a failure without a reason; ours, in time, can say what was slow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

DEFAULT_SECONDS: Final = 5.0
MARGIN_SECONDS: Final = 0.5
LEAST_SECONDS: Final = 0.2
MOST_SECONDS: Final = 30.0
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Budget:
    """A deadline by the monotonic clock."""

    deadline: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, timeout: str | None, *, clock: Callable[[], float] = time.monotonic) -> Budget:
        """The budget for the `timeout` parameter of the request, such as 5s."""
        given = parse_duration(timeout or "") or DEFAULT_SECONDS
        margin = min(MARGIN_SECONDS, given / 2)
        return cls(clock() + max(min(given, MOST_SECONDS) - margin, LEAST_SECONDS), clock)

    @property
    def left(self) -> float:
        """Seconds until the deadline; never quite nothing, so that time-outs made from it are valid."""
        return max(self.deadline - self.clock(), 0.001)


def parse_duration(text: str) -> float | None:
    """A duration in Go's notation in seconds, None when it is not one."""
    parts = _PART.findall(text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
