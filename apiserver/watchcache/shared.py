"""One read for all who ask at the same moment, that is never older than their asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 0.25
"""A read that takes longer than this (a connection that hangs, a slow peer) holds up nobody else's."""


class SharedRead(Generic[T]):
    """Whoever joins gets the result of a read that began after they joined.

    While one read is on its way, those who come share the next one. So under load every reader costs a
    fraction of a read, and none sees a state older than its own request.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._next: asyncio.Future[T] | None = None
        self._running: asyncio.Task[T] | None = None
        self._impatience: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody waits."""
        return self._next is None and self._running is None

    def join(self) -> asyncio.Future[T]:
        """The future result. It is shared: to be shielded from the cancellation of one who waits."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            if self._running is None:
                # at the end of this turn of the loop: those whose requests arrived together share it
                loop.call_soon(self._begin)
            else:
                self._impatience = loop.call_later(PATIENCE_SECONDS, self._begin)
        return self._next

    def _begin(self) -> None:
        waiting, self._next = self._next, None
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None
        if waiting is None:
            return
        task = asyncio.ensure_future(self._read())
        self._running = task
        task.add_done_callback(lambda done: self._done(done, waiting))

    def _done(self, task: asyncio.Future[T], waiting: asyncio.Future[T]) -> None:
        if self._running is task:
            self._running = None
            self._begin()
        if waiting.cancelled():
            task.cancelled() or task.exception()
        elif task.cancelled():
            waiting.cancel()
        elif (error := task.exception()) is not None:
            waiting.set_exception(error)
            waiting.exception()  # whoever waits has it; nobody waiting is no reason for a warning
        else:
            waiting.set_result(task.result())
