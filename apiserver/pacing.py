"""Answers that become ready together, let out no faster than kube-apiserver can use their connections.

It keeps at most 25 idle connections to us, and closes the others. When one read of the store answers a
hundred requests in the same moment, a hundred connections become idle, most are closed, and each new one
costs as much as ten requests. So only some answers go at once; the rest follows as new requests come in, or
after a moment in which none do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 16
"""Answers that may be out with no request having come since: less than what kube-apiserver keeps."""
PAUSE_SECONDS: Final = 0.008


class Pacer:
    """Lets answers out."""

    def __init__(self) -> None:
        self._ready: deque[Callable[[], None]] = deque()
        self._free = AT_ONCE
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        """When a request came in last."""

    def arrived(self) -> None:
        """A request came in, on a connection that is idle no more."""
        if self._free < AT_ONCE:
            self._free += 1
        if self._ready:
            self._last = asyncio.get_running_loop().time()
            self._let_out()

    def answer(self, send: Callable[[], None]) -> None:
        """Send an answer as soon as may be."""
        if self._free and not self._ready:
            self._free -= 1
            send()
            return
        self._ready.append(send)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._go_on)

    def _let_out(self) -> None:
        while self._ready and self._free:
            self._free -= 1
            self._ready.popleft()()

    def _go_on(self) -> None:
        self._timer = None
        if not self._ready:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._last >= PAUSE_SECONDS:
            # as long as requests come in, it is they that let answers out, however slow the machine is
            self._free = AT_ONCE
            self._let_out()
        if self._ready:
            self._timer = loop.call_later(PAUSE_SECONDS, self._go_on)
