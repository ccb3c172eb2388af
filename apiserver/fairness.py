"""Who is served when: many requests of one user must not make another user wait.

A request has a weight: 1, or more where such requests were seen to have large answers, for this process has
one thread and a large list keeps it from everything else. Alone, a user may have as much in progress as the
server can hold. As soon as others are served too, each has a small share at a time, the rest of what it
wants waits in a queue of its own, and the next to start is always whoever has least in progress. Nobody's
first request waits behind the many of another.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from apiserver.call import Call
from apiserver.identity import User
from apiserver.requestinfo import RequestInfo
from apiserver.status import Failure, failure

READ_ONLY: Final = "readOnly"
MUTATING: Final = "mutating"
ALONE: Final = 256
"""Weight that a user who is alone may have in progress."""
SHARE: Final = 16
"""Weight that a user may have in progress while there are others."""
TOTAL: Final = 64
"""Weight of all together while there are several; beyond it everybody still has one request in progress."""
QUEUE: Final = 256
"""Requests of one user that wait; more are sent away."""
PATIENCE: Final = 15.0
"""Seconds that a request waits at most, and never more than a quarter of its own time."""
RECENT: Final = 3.0
"""Seconds for which somebody who was just served still counts as one of several."""
HEAVIEST: Final = SHARE
_BYTES_OF_ONE: Final = 128 * 1024


class _User:
    """What one user has in progress and in the queue."""

    __slots__ = ("queue", "running", "seen", "weight")

    def __init__(self) -> None:
        self.running = 0
        self.weight = 0
        self.queue: deque[Ticket] = deque()
        self.seen = 0.0


class Ticket:
    """A request's place. `started` says whether it may run; otherwise `wait` for it. Always `release`."""

    __slots__ = ("_lane", "_ready", "_user", "started", "weight")

    def __init__(self, lane: Lane, user: _User, weight: int) -> None:
        self._lane, self._user, self.weight = lane, user, weight
        self.started = False
        self._ready: asyncio.Future[None] | None = None

    async def wait(self, seconds: float) -> None:
        """Until it is this request's turn; 429 when it takes longer than the patience that is left."""
        self._ready = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(min(PATIENCE, seconds / 4)):
                await self._ready
        except TimeoutError:
            if not self.started:
                raise self._lane.refused("time-out") from None

    def release(self) -> None:
        """The request is over, or nobody waits for it any more."""
        if self.started:
            self._lane.ended(self._user, self.weight)
            self.started = False
        elif self in self._user.queue:
            self._user.queue.remove(self)
            self._lane.queued -= 1

    def start(self) -> None:
        self.started = True
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)


class Lane:
    """Requests of one kind (those that read, those that write), with a limit for all of them."""

    def __init__(self, seats: int, clock: Callable[[], float]) -> None:
        self.seats = seats
        self.running = 0
        self.queued = 0
        self.rejected: dict[str, int] = {}
        self._weight = 0
        self._clock = clock
        self._users: OrderedDict[str, _User] = OrderedDict()
        """Everybody with something here, or who had until lately; longest unseen first."""

    def ticket(self, name: str, weight: int) -> Ticket:
        """A place for a request of this user, in progress or in the queue; 429 when that is full."""
        now = self._clock()
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = _User()
        else:
            self._users.move_to_end(name)
        user.seen = now
        self._forget(now)
        ticket = Ticket(self, user, weight)
        if not user.queue and self._may_start(user, weight):
            self._start(user, ticket)
        elif len(user.queue) < QUEUE:
            user.queue.append(ticket)
            self.queued += 1
        else:
            raise self.refused("queue-full")
        return ticket

    def refused(self, why: str) -> Failure:
        """429, counted."""
        self.rejected[why] = self.rejected.get(why, 0) + 1
        return failure(429, "too many requests, please try again later", retry_after=1)

    def ended(self, user: _User, weight: int) -> None:
        """A request has ended: others may start."""
        self.running -= 1
        self._weight -= weight
        user.running -= 1
        user.weight -= weight
        while self.queued:
            waiting = [each for each in self._users.values() if each.queue]
            able = [each for each in waiting if self._may_start(each, each.queue[0].weight)]
            if not able:
                return
            next_user = min(able, key=_load)
            self.queued -= 1
            self._start(next_user, next_user.queue.popleft())

    def _may_start(self, user: _User, weight: int) -> bool:
        if self.running >= self.seats:
            return False
        if not user.running:
            return True
        if len(self._users) == 1:
            # an eighth of the seats stays free for whoever comes next
            return user.weight + weight <= ALONE and user.running < self.seats - self.seats // 8
        return user.weight + weight <= SHARE and self._weight + weight <= TOTAL

    def _start(self, user: _User, ticket: Ticket) -> None:
        self.running += 1
        self._weight += ticket.weight
        user.running += 1
        user.weight += ticket.weight
        ticket.start()

    def _forget(self, now: float) -> None:
        while True:
            name, user = next(iter(self._users.items()))
            if user.running or user.queue:
                # long at work: as good as seen now
                if user.seen > now - RECENT:
                    return
                user.seen = now
                self._users.move_to_end(name)
            elif user.seen > now - RECENT:
                return
            else:
                del self._users[name]


def _load(user: _User) -> tuple[int, float]:
    return user.weight, user.seen


class Weights:
    """How heavy requests of a sort are, learnt from the size of their answers."""

    LIMIT: Final = 1024

    def __init__(self) -> None:
        self._sizes: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def of(self, sort: tuple[str, ...]) -> int:
        """The weight of the next one."""
        return min(HEAVIEST, 1 + int(self._sizes.get(sort, 0.0) // _BYTES_OF_ONE))

    def learn(self, sort: tuple[str, ...], size: int) -> None:
        """An answer had this many bytes. A small one of a sort that is not known heavy says nothing."""
        known = self._sizes.get(sort)
        if known is None and size < _BYTES_OF_ONE:
            return
        self._sizes[sort] = size if known is None else known + (size - known) * 0.3
        self._sizes.move_to_end(sort)
        if len(self._sizes) > self.LIMIT:
            self._sizes.popitem(last=False)


class Turns:
    """The lanes of requests that read and of those that write, and who is not bound by them."""

    def __init__(
        self, *, read_only: int = 400, mutating: int = 200, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lanes = {READ_ONLY: Lane(read_only, clock), MUTATING: Lane(mutating, clock)}
        self._weights = Weights()

    def ticket(self, call: Call) -> Ticket | None:
        """A place for the request; None for those that never wait: watches, and administrators."""
        return self.place(call.info, call.user)

    def place(self, info: RequestInfo, user: User) -> Ticket | None:
        """The same, for who has no call in hand."""
        if info.verb == "watch" or user.is_master:
            return None
        lane = self.lanes[MUTATING if info.mutating else READ_ONLY]
        return lane.ticket(user.name, self._weights.of(_sort(info)))

    def learn(self, call: Call, size: int) -> None:
        """An answer had this many bytes."""
        if not call.info.mutating:
            self.learn_size(call.info, size)

    def learn_size(self, info: RequestInfo, size: int) -> None:
        """The same, of a request that reads."""
        self._weights.learn(_sort(info), size)


def _sort(info: RequestInfo) -> tuple[str, ...]:
    """Requests of one sort are about as heavy as each other."""
    if info.name:
        return (info.verb, info.resource)
    return (info.verb, info.resource, info.namespace)
