"""GETs that cost little: for servers that read from kube-apiserver for each request of their own.

A general HTTP client spends more on a small answer than kube-apiserver does. This one keeps connections of
its own and understands what kube-apiserver sends when all is well. Whatever else happens (another status, a
connection that breaks, an answer that is not plain) is left to the Transport, which asks again and knows how
to say it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from missioncontrol.kube.transport import CONNECT_TIMEOUT, RESPONSE_LIMIT

if TYPE_CHECKING:
    import ssl

    from missioncontrol.kube.transport import Transport

IDLE_SECONDS: Final = 30.0
"""After which a connection is not used any more: kube-apiserver closes idle ones, a little later."""
KEPT: Final = 64


class PlainReader:
    """Reads with the address and credentials of a Transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        parts = urlsplit(transport.config.server)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._address = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._idle: list[_Connection] = []
        self._context: ssl.SSLContext | None = None

    async def get(self, path: str, *, accept: str = "application/json", timeout: float) -> bytes | None:
        """The body of a 200, or None for everything else; the path may have a query."""
        token = self._transport.bearer()
        lines = [
            f"GET {self._prefix}{path} HTTP/1.1\r\nHost: {self._address}\r\nAccept: {accept}\r\n"
            f"User-Agent: {self._transport.user_agent}\r\n",
            f"Authorization: Bearer {token}\r\n" if token else "",
            "\r\n",
        ]
        request = "".join(lines).encode()
        started = time.monotonic()
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(timeout):
                connection = self._kept() or await self._open()
                body = await connection.ask(request)
        except (OSError, _Odd):  # TimeoutError is an OSError
            if connection is not None:
                connection.abort()
            return None
        except asyncio.CancelledError:
            if connection is not None:
                connection.abort()
            raise
        if self._transport.observer is not None:
            self._transport.observer("GET", 200, time.monotonic() - started)
        if len(self._idle) < KEPT:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.abort()
        return body

    def close(self) -> None:
        """Close what is kept."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _kept(self) -> _Connection | None:
        youngest = time.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > youngest:
                return connection
            connection.abort()
        return None

    async def _open(self) -> _Connection:
        if self._secure and self._context is None:
            self._context = self._transport.config.ssl_context()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection,
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=(self._transport.config.tls_server_name or self._host)
                if self._secure
                else None,
            )
        return connection


class _Odd(Exception):
    """Not the plain answer of a kube-apiserver that has what was asked for."""


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._received = bytearray()
        self._length = -1
        self._body = 0
        self._chunks: list[bytes] = []

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
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
        except (_Odd, ValueError) as error:
            self._waiting.set_exception(error if isinstance(error, _Odd) else _Odd())
            self.abort()

    def _read_head(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower() + b"\r\n"
        if not head.startswith(b"http/1.1 200 ") or b"\r\ncontent-encoding:" in head:
            raise _Odd
        if b"\r\nconnection: close\r\n" in head:
            raise _Odd
        if b"\r\ntransfer-encoding: chunked\r\n" not in head:
            at = head.index(b"\r\ncontent-length: ") + 18
            self._length = int(head[at : head.index(b"\r\n", at)])
            if self._length > RESPONSE_LIMIT:
                raise _Odd
        self._body = end + 4

    def _read_body(self) -> None:
        if self._length >= 0:
            missing = self._body + self._length - len(self._received)
            if missing < 0:
                raise _Odd
            if not missing:
                self._done(bytes(memoryview(self._received)[self._body :]))
            return
        while True:
            line = self._received.find(b"\r\n", self._body)
            if line < 0:
                return
            size = int(self._received[self._body : line], 16)
            end = line + 2 + size
            if end > RESPONSE_LIMIT:
                raise _Odd
            if len(self._received) < end + 2:
                return
            if self._received[end : end + 2] != b"\r\n":
                raise _Odd
            if not size:
                if len(self._received) != end + 2:
                    raise _Odd
                self._done(b"".join(self._chunks))
                return
            self._chunks.append(bytes(memoryview(self._received)[line + 2 : end]))
            self._body = end + 2

    def _done(self, body: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        self._received.clear()
        if waiting is not None:
            waiting.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error or ConnectionResetError("the connection was closed"))
