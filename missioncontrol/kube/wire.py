"""Connections to one kube-apiserver that carry one small request after the other.

A general HTTP client spends more on a small answer than kube-apiserver does. These connections understand
what kube-apiserver, and the balancers before it, send to a complete request; an answer that is read while it
arrives (a watch) is not for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from missioncontrol.kube.inlet import Inlet

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from missioncontrol.kube.config import ClusterConfig

CONNECT_TIMEOUT: Final = 3.0
"""Seconds for TCP and TLS together: a machine that is gone must be noticed quickly."""
RESPONSE_LIMIT: Final = 256 * 1024 * 1024
HEAD_LIMIT: Final = 1024 * 1024
"""Each warning is a header, and an object may deserve very many."""
IDLE_SECONDS: Final = 30.0
"""After which a connection is not used any more: kube-apiserver closes idle ones, a little later."""
KEPT: Final = 64
_UNTIL_CLOSED: Final = -2


class NoConnection(OSError):
    """There was nobody to send the request to; why is its cause."""


class Odd(Exception):
    """Not the answer of a kube-apiserver."""


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
            connection = self._kept() or await self._open()
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

    async def _open(self) -> Connection:
        if self._secure and self._context is None:
            try:
                self._context = self._config.ssl_context()
            except ValueError as error:
                raise OSError(f"the TLS material cannot be used: {error}") from error
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=(self._config.tls_server_name or self._host) if self._secure else None,
            )
        return connection


class Answer:
    """What came back."""

    __slots__ = ("_head", "body", "status")

    def __init__(self, head: bytes, status: int, body: bytes) -> None:
        self._head, self.status, self.body = head, status, body

    @property
    def is_plain(self) -> bool:
        """Whether it is what was asked for and nothing else."""
        return self.status == 200 and b"\r\ncontent-encoding:" not in self._head.lower()

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them, in their order."""
        found: CIMultiDict[str] = CIMultiDict()
        for line in self._head.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon:
                found.add(name, value.strip(" \t"))
        return CIMultiDictProxy(found)


class Connection(Inlet):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._head = b""
        self._status = 0
        self._last = False
        """Whether the server ends the connection after this answer."""
        self._received = bytearray()
        self._length = -1
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
        self._body, self._length = 0, -1
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
            if not self._body:
                self._read_head()
            if self._body:
                self._read_body()
        except (Odd, ValueError) as error:
            self._waiting.set_exception(error if isinstance(error, Odd) else Odd("an answer that is none"))
            self.abort()

    def _read_head(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > HEAD_LIMIT:
                raise Odd(f"an answer with more than {HEAD_LIMIT} bytes of headers")
            return
        self._head = bytes(self._received[:end])
        head = self._head.lower() + b"\r\n"
        version, status = head[:9], head[9:12]
        if version not in (b"http/1.1 ", b"http/1.0 ") or not status.isdigit():
            raise Odd("an answer that is not HTTP/1.1")
        self._status = int(status)
        self._last = version == b"http/1.0 " or b"\r\nconnection: close\r\n" in head
        if self._status < 200:
            raise Odd(f"an answer with status {self._status}")
        if self._status in (204, 304):
            self._length = 0
        elif b"\r\ntransfer-encoding: chunked\r\n" not in head:
            self._length = self._told_length(head)
        self._body = end + 4

    def _told_length(self, head: bytes) -> int:
        at = head.find(b"\r\ncontent-length:")
        if at < 0 and self._last:
            return _UNTIL_CLOSED  # as a balancer says that nobody is behind it
        length = int(head[at + 17 : head.index(b"\r\n", at + 17)]) if at >= 0 else -1
        if not 0 <= length <= RESPONSE_LIMIT:
            raise Odd("an answer that does not say how long it is, or is too long")
        return length

    def _read_body(self) -> None:
        if self._length >= 0:
            missing = self._body + self._length - len(self._received)
            if missing < 0:
                raise Odd("an answer that is longer than it says")
            if not missing:
                self._done(bytes(memoryview(self._received)[self._body :]))
            return
        if len(self._received) > self._body + RESPONSE_LIMIT:
            raise Odd(f"an answer of more than {RESPONSE_LIMIT} bytes")
        if self._length == _UNTIL_CLOSED:
            return
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
                self._done(b"".join(self._chunks))
                return
            self._chunks.append(bytes(memoryview(self._received)[line + 2 : end]))
            self._body = end + 2

    def _done(self, body: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        self._received.clear()
        self._chunks = []  # they may be megabytes, and the next request far away
        if self._last and self._transport is not None:
            self._transport.close()
        if waiting is not None:
            waiting.set_result(Answer(self._head, self._status, body))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if error is None and self._body and self._length == _UNTIL_CLOSED:
            self._done(bytes(memoryview(self._received)[self._body :]))
            return
        self._waiting = None
        waiting.set_exception(error or ConnectionResetError("the connection was closed"))
