"""A client that costs almost nothing, so that a benchmark measures the servers and not itself.

HTTP/1.1 over TLS with keep-alive: the requests are made beforehand, of the answers only the frame is read.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True)
class Target:
    """Where requests go, and as whom."""

    host: str
    port: int
    context: ssl.SSLContext
    headers: str = ""

    def get(self, path: str, accept: str = "application/json") -> bytes:
        return self._request("GET", path, accept)

    def send(self, method: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
        extra = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return self._request(method, path, "application/json", extra) + body

    def _request(self, method: str, path: str, accept: str, extra: str = "") -> bytes:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUser-Agent: benchmark\r\n"
            f"Accept: {accept}\r\nAudit-Id: benchmark\r\n{self.headers}{extra}\r\n"
        ).encode()


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = 0
        self.body = bytearray()
        self._waiting: asyncio.Future[int] | None = None
        self._status = 0
        self._left = -1
        self._head = b""
        self._keep = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth

    def ask(self, request: bytes, *, keep: bool = False) -> asyncio.Future[int]:
        """The status of the answer, when it is complete."""
        assert self.transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._status, self._left, self._head, self._keep = 0, -1, b"", keep
        self.body.clear()
        self.transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self._status:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = self._head[:end].lower(), self._head[end + 4 :]
            self._status = int(head[9:12])
            at = head.find(b"content-length: ")
            self._left = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else -1
        if self._keep or self._status >= 400:
            self.body += data
        if self._left >= 0:
            self._left -= len(data)
            if self._left <= 0:
                self._done()
        elif data.endswith(b"0\r\n\r\n"):
            self._done()

    def _done(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(self._status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the server has closed"))


@dataclass
class Result:
    """What a run has shown."""

    answers: int
    seconds: float
    latencies: list[float]
    received: int

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def median(self) -> float:
        return sorted(self.latencies)[len(self.latencies) // 2]


async def connect(target: Target) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        Connection, target.host, target.port, ssl=target.context, server_hostname="localhost"
    )
    return connection


class Clients:
    """Some connections to one target, used for one run after the other."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = connections

    @classmethod
    async def open(cls, target: Target, number: int) -> Clients:
        return cls(await asyncio.gather(*(connect(target) for _ in range(number))))

    async def run(self, requests: Iterator[bytes], *, seconds: float, expected: int = 200) -> Result:
        """As many requests as the server answers in that time."""
        for connection in self._connections:
            connection.received = 0
        latencies: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(
            *(
                _ask(connection, requests, latencies, began + seconds, expected)
                for connection in self._connections
            )
        )
        received = sum(connection.received for connection in self._connections)
        return Result(len(latencies), time.perf_counter() - began, latencies, received)

    async def ask(self, requests: Iterator[bytes], number: int, expected: int) -> list[float]:
        """So many requests one after the other; the seconds that each took."""
        latencies: list[float] = []
        for request in itertools.islice(requests, number):
            began = time.perf_counter()
            status = await self._connections[0].ask(request)
            latencies.append(time.perf_counter() - began)
            assert status == expected, (status, bytes(self._connections[0].body))
        return latencies

    async def close(self) -> None:
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0.02)


async def load(
    target: Target, requests: Iterator[bytes], *, clients: int, seconds: float, expected: int = 200
) -> Result:
    """One run."""
    opened = await Clients.open(target, clients)
    try:
        return await opened.run(requests, seconds=seconds, expected=expected)
    finally:
        await opened.close()


async def _ask(
    connection: Connection, requests: Iterator[bytes], latencies: list[float], until: float, expected: int
) -> None:
    while (began := time.perf_counter()) < until:
        request = next(requests, None)
        if request is None:
            return
        status = await connection.ask(request)
        assert status == expected, (status, bytes(connection.body))
        latencies.append(time.perf_counter() - began)


_EVENT = b'{"type":"'
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Watcher(asyncio.Protocol):
    """Counts the events of a watch, and tells when it ends."""

    def __init__(
        self, request: bytes, counted: Callable[[int], None], ended: Callable[[], None] = lambda: None
    ) -> None:
        self._request, self._counted, self._ended = request, counted, ended
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self.opened.set_result(None)
        # an event may begin in one part and go on in the next
        data = self._end + data
        events = data.count(_EVENT)
        self._end = data[1 - len(_EVENT) :]
        if events:
            self._counted(events)
        if data.endswith(_LAST_CHUNK):  # the connection may stay
            self._ended()

    def connection_lost(self, error: Exception | None) -> None:
        self._ended()
