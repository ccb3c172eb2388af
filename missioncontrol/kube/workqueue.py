"""A queue of identities: each key at most once waiting and at most once in work, with delays and backoff.

The rules live in `QueueState`, which has no clock and no event loop (time is an argument), so that they can
be tested against a model; `WorkQueue` adds waiting. A key that is added while it is in work is handed out
again after `done`; with a `rest`, not before that has passed, so that what happens meanwhile is one piece of
work and not many.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BASE_DELAY = 0.005
MAX_DELAY = 60.0


class ShutDown(Exception):
    """The queue is closed and empty for this reader."""


class QueueState(Generic[K]):
    """What waits, what is in work, what comes later. Every key is in at most one place but `later`."""

    def __init__(self, *, rest: float = 0.0) -> None:
        self._rest = rest
        self._resting: dict[K, float] = {}
        """Until when keys that were worked on rest; those whose rest ends first come first."""
        self.waiting: OrderedDict[K, float] = OrderedDict()
        """Ready keys in order of arrival, with the time since when."""
        self.working: set[K] = set()
        self.again: OrderedDict[K, float] = OrderedDict()
        """In work, and wanted once more."""
        self.later: dict[K, float] = {}
        """When a delayed key becomes ready: the earliest time asked for."""
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0

    def add(self, key: K, *, now: float) -> bool:
        """Ask for a key; False when it was asked for already, or is to rest first."""
        until = self._resting.get(key, now)
        if until > now:
            self.add_at(key, until)
            return False
        place = self.again if key in self.working else self.waiting
        if key in place:
            return False
        place[key] = now
        return place is self.waiting or not self._rest

    def add_at(self, key: K, at: float) -> None:
        """Ask for a key at a time; of several times the earliest counts."""
        if key in self.later and self.later[key] <= at:
            return
        self.later[key] = at
        self._sequence += 1
        heapq.heappush(self._heap, (at, self._sequence, key))

    def promote(self, *, now: float) -> int:
        """Make the delayed keys whose time has come ready; how many were new."""
        added = 0
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self.later.get(key) != at:
                continue  # an earlier time was asked for, and has been served
            del self.later[key]
            added += self.add(key, now=now)
        return added

    def next_time(self) -> float | None:
        """When `promote` has work next."""
        while self._heap and self.later.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self) -> tuple[K, float] | None:
        """The oldest ready key, now in work, and since when it waited."""
        if not self.waiting:
            return None
        key, since = self.waiting.popitem(last=False)
        self.working.add(key)
        return key, since

    def done(self, key: K, *, now: float) -> bool:
        """The work on a key has ended; True when it is ready again."""
        self.working.discard(key)
        since = self.again.pop(key, None)
        if self._rest:
            self._begin_rest(key, now)
            if since is not None:
                self.add_at(key, now + self._rest)
            return False
        if since is not None:
            self.waiting[key] = since
        return since is not None

    def _begin_rest(self, key: K, now: float) -> None:
        self._resting.pop(key, None)
        self._resting[key] = now + self._rest
        while (first := next(iter(self._resting))) != key and self._resting[first] <= now:
            del self._resting[first]


class WorkQueue(Generic[K]):
    """The queue that workers await. Not for several threads."""

    def __init__(
        self, *, base_delay: float = BASE_DELAY, max_delay: float = MAX_DELAY, rest: float = 0.0
    ) -> None:
        self._state: QueueState[K] = QueueState(rest=rest)
        self._base, self._max = base_delay, max_delay
        self._failures: dict[K, int] = {}
        self._readers: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0
        """When the timer, if there is one, is due."""
        self._closed = False
        self.adds = 0
        """How many times a key became wanted (for metrics)."""
        self.retries = 0
        """How many times a key was asked for after a failure (for metrics)."""

    def __len__(self) -> int:
        return len(self._state.waiting)

    def add(self, key: K) -> None:
        """Ask for a key now, or when it has rested."""
        if self._closed:
            return
        if self._state.add(key, now=_now()):
            self.adds += 1
            self._wake()
        else:
            self._arm()

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for a key in some seconds; an earlier wish for it stands."""
        if seconds <= 0:
            self.add(key)
        elif not self._closed:
            self._state.add_at(key, _now() + seconds)
            self._arm()

    def add_rate_limited(self, key: K) -> float:
        """Ask for a key after a failure: later each time, up to a minute, scattered. The delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling = min(self._max, self._base * 2.0 ** min(failures, 40))
        delay = ceiling * (0.75 + random.random() * 0.25)
        self.retries += 1
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key works again: its next failure is a first one."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How many times in a row the key has failed."""
        return self._failures.get(key, 0)

    async def get(self) -> tuple[K, float]:
        """The next key, and how long it waited; to be given back with `done`. Raises ShutDown when closed."""
        while True:
            if self._closed:
                raise ShutDown
            now = _now()
            self.adds += self._state.promote(now=now)
            taken = self._state.take()
            self._arm()
            if taken is not None:
                if self._state.waiting:
                    self._wake()
                return taken[0], max(0.0, now - taken[1])
            reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.add(reader)
            try:
                await reader
            finally:
                self._readers.discard(reader)
                if reader.done() and not reader.cancelled() and self._state.waiting:
                    self._wake()  # woken and cancelled at once: pass the wake-up on

    def done(self, key: K) -> None:
        """The work on a key has ended, however."""
        if self._state.done(key, now=_now()):
            self._wake()
        else:
            self._arm()

    def shut_down(self) -> None:
        """Hand nothing out any more; all readers get ShutDown. What is in work may still call `done`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)
                return

    def _arm(self) -> None:
        at = None if self._closed else self._state.next_time()
        if self._timer is not None:
            if at == self._armed:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._armed = at
            self._timer = asyncio.get_running_loop().call_at(at, self._due)

    def _due(self) -> None:
        self._timer = None
        self.adds += self._state.promote(now=_now())
        if self._state.waiting:
            self._wake()
        self._arm()


def _now() -> float:
    return asyncio.get_running_loop().time()
