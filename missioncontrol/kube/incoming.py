"""A connection for one request whose answer is read while it arrives, and may take hours: a watch."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, cast

from missioncontrol.kube.head import IN_CHUNKS, UNTIL_CLOSED, Head, Odd, read_head
from missioncontrol.kube.inlet import Inlet
from missioncontrol.kube.keepalive import keep_alive

HIGH: Final = 1024 * 1024
"""Bytes that may wait for a reader before the server has to."""
LOW: Final = HIGH // 4
SIZE_LIMIT: Final = 16
"""Digits that say how long a part is."""


class Incoming(Inlet):
    """One answer. Its end is the end of the connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.Future[Head] = self._loop.create_future()
        self._rest = b""
        """What came and cannot be understood yet."""
        self._length = IN_CHUNKS
        self._left = 0
        """Bytes that are still to come of the body, or of a part of it."""
        self._in_part = False
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._over = False
        self._error: Exception | None = None
        self._heard = 0.0
        self._patience: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # What the reader does ------------------------------------------------------------------------------

    async def ask(self, request: bytes) -> Head:
        """Send the request; the head of its answer. Raises OSError or Odd."""
        if self._transport is not None:
            self._transport.write(request)
        return await self._head  # which knows if the connection is lost

    def be_patient(self, seconds: float | None) -> None:
        """How long the server may be silent from now on; None: for ever."""
        self._heard, self._patience = self._loop.time(), seconds
        if seconds is not None and not self._over:
            self._timer = self._loop.call_later(seconds, self._look)

    async def read(self) -> bytes:
        """What has come of the body, nothing at its end. TimeoutError after silence, other OSErrors, Odd."""
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._over:
                return b""
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._parts.popleft()
        self._size -= len(data)
        if self._paused and self._size < LOW and self._transport is not None:
            self._paused = False
            self._heard = self._loop.time()
            self._transport.resume_reading()
        return data

    def abort(self) -> None:
        """Close the connection now; a reader gets what has come and then an error."""
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth
        keep_alive(transport)

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._heard = self._loop.time()
        if self._rest:
            data = self._rest + data
        try:
            self._rest = data[self._take(data) :]
        except (Odd, ValueError) as error:
            self._end(error if isinstance(error, Odd) else Odd("an answer that is none"))
            return
        if self._size > HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._parts:
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._length == UNTIL_CLOSED and error is None:
            self._end()
        else:
            self._end(error or ConnectionResetError("the connection was closed"))

    def _look(self) -> None:
        assert self._patience is not None
        now = self._loop.time()
        if self._paused:
            self._heard = now
        if now < self._heard + self._patience:
            self._timer = self._loop.call_at(self._heard + self._patience, self._look)
        else:
            self._end(TimeoutError("the stream went silent"))

    def _end(self, error: Exception | None = None) -> None:
        if self._over:
            return
        if error is not None and not self._head.done():
            self._head.set_exception(error)
        self._over, self._error = True, error
        self._rest = b""
        if self._timer is not None:
            self._timer.cancel()
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # What has come -------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> int:
        """Take what can be understood; where the rest begins."""
        at = 0
        if not self._head.done():
            found = read_head(data)
            if found is None:
                return 0
            head, at = found
            self._length = head.length
            self._left = max(head.length, 0)
            self._head.set_result(head)
        if self._length == IN_CHUNKS:
            return self._take_parts(data, at)
        if self._length == UNTIL_CLOSED:
            self._put(data[at:])
            return len(data)
        if len(data) - at > self._left:
            raise Odd("an answer that is longer than it says")
        self._left -= len(data) - at
        self._put(data[at:])
        if not self._left:
            self._end()
        return len(data)

    def _take_parts(self, data: bytes, at: int) -> int:
        end = len(data)
        while at < end and not self._over:
            if self._in_part:
                more = min(self._left, end - at)
                self._put(data[at : at + more])
                self._left -= more
                at += more
                if self._left or end - at < 2:
                    break
                if data[at : at + 2] != b"\r\n":
                    raise Odd("an answer whose parts do not end")
                self._in_part = False
                at += 2
                continue
            line = data.find(b"\r\n", at)
            if line < 0:
                if end - at > SIZE_LIMIT:
                    raise Odd("an answer whose parts do not say how long they are")
                break
            self._left = int(data[at:line], 16)
            if self._left < 0:
                raise Odd("an answer with a part of no length")
            self._in_part = True
            at = line + 2
            if not self._left:
                self._end()
        return at

    def _put(self, data: bytes) -> None:
        if data:
            self._parts.append(data)
            self._size += len(data)
