"""Reads that wait a moment, so that what is in no hurry comes in together.

Whoever passes events on to many watchers, as kube-apiserver does, tells for each of them how much was taken,
in a write of its own. Nobody waits for that, but each write wakes the loop, reads the socket and decrypts: a
fifth of what an event to 200 watchers cost us.
"""

from __future__ import annotations

import asyncio
from typing import Final

MANY: Final = 16
"""Words in no hurry within `WITHIN_SECONDS`, after which the next ones may wait. A few watchers never say so
many, and requests beside them are read at once."""
WITHIN_SECONDS: Final = 0.01
LULL_SECONDS: Final = 0.005
"""For how long nothing is read: what a request may wait that comes in the midst of so many words."""


class Lull:
    """Pauses the reading of a connection while many unimportant things come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._since = 0.0
        self._said = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """The connection is there."""
        self._transport = transport
        # TLS reads on into a buffer of its own while nobody reads from it, and would wake the loop as before
        limit = getattr(transport, "set_read_buffer_limits", None)
        if limit is not None:
            limit(high=1, low=0)

    def heard(self, number: int) -> None:
        """So many words in no hurry came in one read."""
        now = self._loop.time()
        if now - self._since > WITHIN_SECONDS:
            self._since, self._said = now, 0
        self._said += number
        if self._said >= MANY and self._timer is None and self._transport is not None:
            self._transport.pause_reading()
            self._timer = self._loop.call_later(LULL_SECONDS, self._over)

    def _over(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.resume_reading()

    def stop(self) -> None:
        """The connection is gone."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
