"""The writing side of a connection of HTTP/1.1: what is large goes out in parts, at the client's pace.

TLS encrypts at once whatever it is given, so that a list of 20 MB would be in memory four times over, for
each client that reads it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

PART: Final = 128 * 1024
"""Bytes that go on at once: so few that no memory has to be mapped anew for them."""
CLOSE_SECONDS: Final = 5.0
"""How long a client may read nothing of what it is still to get before its connection is closed."""

Data = bytes | bytearray | memoryview


class Outlet(asyncio.Transport):
    """A transport that takes large things whole and hands them on in parts."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._parts: deque[memoryview] = deque()
        self.waiting = 0
        """Bytes that were not handed on."""
        self._full = False
        """Whether the connection has enough."""
        self._closing = False
        self._patience: asyncio.TimerHandle | None = None

    def write(self, data: Data) -> None:
        if not self._parts and not self._closing and len(data) <= PART:
            self._transport.write(data)
        elif not self._closing:
            self._parts.append(memoryview(data))
            self.waiting += len(data)
            self._hand_on()

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        parts = list(list_of_data)
        if sum(map(len, parts)) <= PART:
            self.write(b"".join(parts))
            return
        for each in parts:
            self.write(each)

    def pause(self) -> None:
        """The connection has enough."""
        self._full = True

    def resume(self) -> bool:
        """The connection takes more. Whether it has got everything, and still does."""
        self._full = False
        self._hand_on()
        return not self._full

    def _hand_on(self) -> None:
        while self._parts and not self._full:
            first = self._parts.popleft()
            if len(first) > PART:
                self._parts.appendleft(first[PART:])
            self.waiting -= len(first[:PART])
            self._transport.write(first[:PART])
        if self._closing:
            self._close_soon()

    def close(self) -> None:
        """Close when everything has been written."""
        if not self._closing:
            self._closing = True
            self._close_soon()

    def _close_soon(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._parts:
            self._patience = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)
        else:
            self._transport.close()

    def abort(self) -> None:
        self.drop()
        self._transport.abort()

    def drop(self) -> None:
        """Nothing can be written any more."""
        self._parts.clear()
        self.waiting = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return self.waiting + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._transport.get_protocol()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._transport.get_write_buffer_limits()

    def can_write_eof(self) -> bool:
        return False
