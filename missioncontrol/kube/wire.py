"""Connections to one kube-apiserver that carry one small request after the other.

A general HTTP client spends more on a small answer than kube-apiserver does. These connections understand
what kube-apiserver, and the balancers before it, send to a complete request; an answer that is read while it
arrives (a watch) is not for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar, cast
from urllib.parse import urlsplit

from missioncontrol.kube.head import IN_CHUNKS, RESPONSE_LIMIT, UNTIL_CLOSED, Head, Odd, read_head
from missioncontrol.kube.inlet import Inlet

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from multidict import CIMultiDictProxy

    from missioncontrol.kube.config import ClusterConfig

CONNECT_TIMEOUT: Final = 3.0
"""Seconds for TCP and TLS together: a machine that is gone must be noticed quickly."""
IDLE_SECONDS: Final = 30.0
"""After which a connection is not used any more: kube-apiserver closes idle ones, a little later."""
KEPT: Final = 64


P = TypeVar("P", bound=Inlet)


class NoConnection(OSError):
    """There was nobody to send the request to; why is its cause."""


class Pool:
    """The connections to a cluster that are free, and requests over them."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        parts = urlsplit(config.server)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._address = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._idle: list[Connection] = []
        self._context: ssl.SSLContext | None = None
        self._closed = False

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """A request as it is sent; the target is a path, perhaps with a query, encoded already."""
        lines = [
            f"{method} {self._prefix}{target} HTTP/1.1",
            f"Host: {self._address}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join((*lines, "", ""))
        ends = len(lines) + 1
        if head.count("\n") != ends or head.count("\r") != ends or "\0" in head or " " in target:
            raise ValueError("a request with a line end or space where none may be")
        return head.encode() + (body or b"")

    async def exchange(self, request: bytes, *, fence: Callable[[], None] | None = None) -> Answer:
        """Send a request once. `fence` is asked immediately before, behind the waiting for a connection: a
        process that was stopped in there must not write after. Raises NoConnection, another OSError or Odd.
        """
        try:
            connection = self._kept() or await self.open(Connection)
        except OSError as error:
            raise NoConnection(str(error) or type(error).__name__) from error
        try:
            if fence is not None:
                fence()
            answer = await connection.ask(request)
        except BaseException:
            connection.abort()
            raise
        self._keep(connection)
        return answer

    def close(self) -> None:
        """Close what is kept, and keep nothing any more."""
        self._closed = True
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _keep(self, connection: Connection) -> None:
        now = time.monotonic()
        while self._idle and self._idle[0].idle_since < now - IDLE_SECONDS:
            self._idle.pop(0).abort()
        if connection.is_open and len(self._idle) < KEPT and not self._closed:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.abort()

    def _kept(self) -> Connection | None:
        youngest = time.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > youngest:
                return connection
            connection.abort()
        return None

    async def open(self, protocol: Callable[[], P]) -> P:
        """A new connection, for whoever asks alone. Raises OSError."""
        if self._secure and self._context is None:
            try:
                self._context = self._config.ssl_context()
            except ValueError as error:
                raise OSError(f"the TLS material cannot be used: {error}") from error
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await asyncio.get_running_loop().create_connection(
                protocol,
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=(self._config.tls_server_name or self._host) if self._secure else None,
            )
        return connection


class Answer:
    """What came back."""

    __slots__ = ("_head", "body", "status")

    def __init__(self, head: Head, body: bytes) -> None:
        self._head, self.status, self.body = head, head.status, body

    @property
    def is_plain(self) -> bool:
        """Whether it is what was asked for and nothing else."""
        return self.status == 200 and not self._head.is_encoded

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them, in their order."""
        return self._head.headers


class Connection(Inlet):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._head: Head | None = None
        self._received = bytearray()
        self._body = 0
        self._chunks: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer is the result."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._body, self._head = 0, None
        self._chunks = []
        self._transport.write(request)
        return self._waiting

    def abort(self) -> None:
        """Close it now."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.abort()  # nobody has asked for this
            return
        self._received += data
        try:
            if self._head is None:
                found = read_head(self._received)
                if found is None:
                    return
                self._head, self._body = found
            self._read_body(self._head)
        except (Odd, ValueError) as error:
            self._waiting.set_exception(error if isinstance(error, Odd) else Odd("an answer that is none"))
            self.abort()

    def _read_body(self, head: Head) -> None:
        if head.length >= 0:
            missing = self._body + head.length - len(self._received)
            if missing < 0:
                raise Odd("an answer that is longer than it says")
            if not missing:
                self._done(head, bytes(memoryview(self._received)[self._body :]))
            return
        if len(self._received) > self._body + RESPONSE_LIMIT:
            raise Odd(f"an answer of more than {RESPONSE_LIMIT} bytes")
        if head.length == IN_CHUNKS:
            self._read_chunks(head)

    def _read_chunks(self, head: Head) -> None:
        while True:
            line = self._received.find(b"\r\n", self._body)
            if line < 0:
                return
            size = int(self._received[self._body : line], 16)
            end = line + 2 + size
            if end > RESPONSE_LIMIT:
                raise Odd(f"an answer of more than {RESPONSE_LIMIT} bytes")
            if len(self._received) < end + 2:
                return
            if self._received[end : end + 2] != b"\r\n":
                raise Odd("an answer whose parts do not end")
            if not size:
                if len(self._received) != end + 2:
                    raise Odd("an answer that goes on after its end")
                self._done(head, b"".join(self._chunks))
                return
            self._chunks.append(bytes(memoryview(self._received)[line + 2 : end]))
            self._body = end + 2

    def _done(self, head: Head, body: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        self._received.clear()
        self._chunks = []  # they may be megabytes, and the next request far away
        if head.is_last and self._transport is not None:
            self._transport.close()
        if waiting is not None:
            waiting.set_result(Answer(head, body))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        head = self._head
        if error is None and head is not None and head.length == UNTIL_CLOSED:
            self._done(head, bytes(memoryview(self._received)[self._body :]))
            return
        self._waiting = None
        waiting.set_exception(error or ConnectionResetError("the connection was closed"))
