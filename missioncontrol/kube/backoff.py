"""Waiting longer after each failure, with jitter, as a small value that loops keep."""

from __future__ import annotations

import random


class Backoff:
    """Seconds to wait after the n-th failure in a row: doubling from `base` to `limit`, scattered by a
    quarter.
    """

    def __init__(self, *, base: float = 0.2, limit: float = 30.0) -> None:
        self._base, self._limit = base, limit
        self.failures = 0

    def next(self) -> float:
        """Note a failure, and how long to wait for it."""
        ceiling = min(self._limit, self._base * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return ceiling * (0.75 + random.random() * 0.25)

    def reset(self) -> None:
        """It works again."""
        self.failures = 0
