"""A small cache for answers that may be a few seconds old; equal questions at one moment share one call."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TimedCache(Generic[K, V]):
    """Values by key for some seconds each, the least recently used leaving first. Failures are not kept."""

    def __init__(self, *, seconds: float, limit: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._running: dict[K, asyncio.Task[V]] = {}

    def get(self, key: K) -> V | None:
        """The value, if it is known and young enough."""
        entry = self._values.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._values[key]
            return None
        self._values.move_to_end(key)
        return entry[1]

    def put(self, key: K, value: V) -> None:
        self._values[key] = (self._clock() + self._seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._limit:
            self._values.popitem(last=False)

    async def find(
        self, key: K, ask: Callable[[], Awaitable[V]], *, keep: Callable[[V], bool] = lambda _: True
    ) -> V:
        """The known value, or what `ask` gives; a client that leaves does not spoil it for the others."""
        known = self.get(key)
        if known is not None:
            return known
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask, keep))
            self._running[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]], keep: Callable[[V], bool]) -> V:
        value = await ask()
        if keep(value):
            self.put(key, value)
        return value

    def _done(self, key: K, task: asyncio.Task[V]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # everybody who waited has it; nobody waiting is no reason for a warning
