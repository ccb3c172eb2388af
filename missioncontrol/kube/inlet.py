"""What comes in on all connections of a loop comes through one buffer.

A protocol that is handed its bytes gets them, from TLS, in a new object of 256 KiB each time, which is cut to
what came, and one more to see that there is no more. Objects of that size are mapped by themselves, so that
each read of some hundred bytes costs six calls of the system and as many faults of pages. A protocol that has
a buffer is asked for it and told what is in it in one go: nothing else of its thread can come in between, and
one buffer is enough for all.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

SIZE: Final = 256 * 1024


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(SIZE))


_of_thread: Final = _OfThread()


class Inlet(asyncio.BufferedProtocol):
    """A protocol that is called with `data_received`, as others are."""

    def get_buffer(self, sizehint: int) -> memoryview:
        return _of_thread.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_of_thread.buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Called with what came."""
        raise NotImplementedError
