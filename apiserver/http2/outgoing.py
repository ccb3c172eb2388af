"""What goes out on a connection: frames of control at once, answers in turn.

A large answer must not hold up small ones, so streams send a part each; and what many streams send in one
turn of the loop is one write, so that it costs one encryption and one call of the system.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from apiserver.http2 import frames
from apiserver.http2.stream import Stream

PART: Final = 64 * 1024
"""Bytes that a stream sends in its turn."""
AHEAD: Final = 128 * 1024
"""Bytes that are given to the socket before others get their turn of the loop. With one part more it is less
than what memory is mapped for anew each time.
"""
UNREAD: Final = 8 << 20
"""Bytes that the peer does not read, after which it is no peer."""


class Outgoing:
    """The sending half of a connection."""

    def __init__(self, finished: Callable[[Stream], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self._finished = finished
        """Told of each stream whose last byte is out."""
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes | memoryview] = []
        self._size = 0
        """Bytes of bodies in them."""
        self._scheduled = False
        self._full = False
        """Whether the socket has enough."""
        self._held = False
        """Whether answers wait for a word."""
        self._window = frames.WINDOW
        """Bytes that the client takes on all streams together."""
        self._waiting: deque[Stream] = deque()

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def is_unread(self) -> bool:
        """Whether so much is waiting that there is nobody who reads."""
        return self.transport is not None and (
            self.transport.get_write_buffer_size() + frames.HEAD * len(self._frames) > UNREAD
        )

    def put(self, frame: bytes) -> None:
        """Send a frame that is no part of a body."""
        self._frames.append(frame)
        self._schedule()

    def urgent(self, frame: bytes) -> None:
        """Send one that belongs to no answer, also while answers are held."""
        if self._held and self.transport is not None:
            self.transport.write(frame)
        else:
            self.put(frame)

    def hold(self) -> None:
        """Send no answers for now."""
        self.flush()
        self._held = True

    def release(self) -> None:
        """Send them."""
        self._held = False
        self._schedule()

    def send(self, stream: Stream, data: bytes, *, end: bool = False) -> None:
        """Bytes of an answer, or its end."""
        size = len(data)
        stream.ended = end
        fits = size <= frames.LARGEST_FRAME and size <= stream.window and size <= self._window
        if fits and not stream.pending and not self._full:
            self._frame(stream, data, size, last=end)
            self._schedule()
            if self._size > AHEAD and not self._held:
                self._write()
            return
        stream.pending.append(memoryview(data))
        stream.size += size
        self.queue(stream)

    def queue(self, stream: Stream) -> None:
        """Let it have its turn, if it can send."""
        if stream.pending and not stream.queued and (stream.window > 0 or not stream.size):
            stream.queued = True
            self._waiting.append(stream)
            self._schedule()

    def widen(self, more: int) -> bool:
        """The client takes more. False: more than there can be."""
        self._window += more
        if self._waiting:
            self._schedule()
        return self._window <= frames.LARGEST_WINDOW

    def pause(self) -> None:
        """The socket has enough."""
        self._full = True

    def resume(self) -> None:
        """The socket takes more."""
        self._full = False
        if self._waiting:
            self._schedule()

    def flush(self) -> None:
        """Write what there is, now."""
        self._scheduled = False
        if self.transport is None:
            self._frames.clear()
            self._size = 0
            return
        if self._held:
            return
        if self._waiting and not self._full:
            self._let_send()
        self._write()

    def _write(self) -> None:
        if self._frames and self.transport is not None:
            out, self._frames = self._frames, []
            self._size = 0
            self.transport.write(b"".join(out))

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def _let_send(self) -> None:
        """A part of each stream in turn, until the socket or the client has enough."""
        sent = 0
        while self._waiting and sent < AHEAD:
            stream = self._waiting[0]
            if self._window <= 0 and stream.size:
                return
            self._waiting.popleft()
            stream.queued = False
            if not stream.closed:
                sent += self._send_part(stream)
                self.queue(stream)
        if self._waiting:
            self._schedule()

    def _send_part(self, stream: Stream) -> int:
        sent = 0
        while stream.pending and sent < PART:
            data = stream.pending[0]
            size = min(len(data), frames.LARGEST_FRAME, max(stream.window, 0), max(self._window, 0))
            if not size and len(data):
                break
            if size == len(data):
                stream.pending.popleft()
            else:
                stream.pending[0] = data[size:]
            stream.size -= size
            sent += size
            self._frame(stream, data[:size], size, last=stream.ended and not stream.pending)
        stream.wake()
        return sent

    def _frame(self, stream: Stream, data: bytes | memoryview, size: int, *, last: bool) -> None:
        stream.window -= size
        self._window -= size
        self._size += size
        self._frames.append(frames.head(size, frames.DATA, frames.END_STREAM if last else 0, stream.id))
        self._frames.append(data)
        if last:
            self._finished(stream)
