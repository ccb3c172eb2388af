"""Requests that cost little: for servers that ask kube-apiserver for each request of their own.

A general HTTP client spends more on a small answer than kube-apiserver does. This one keeps connections of
its own and understands what kube-apiserver sends. Of a `get` it takes what comes when all is well; whatever
else happens (another status, a connection that breaks, an answer that is not plain) is left to the
Transport, which asks again and knows how to say it. An `exchange` is made once, and told as it went.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode, urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from missioncontrol.kube import errors
from missioncontrol.kube.stream import describe
from missioncontrol.kube.transport import CONNECT_TIMEOUT, RESPONSE_LIMIT, SAFE_METHODS, Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

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
        request = self._head("GET", path, {"Accept": accept})
        started = time.monotonic()
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(timeout):
                connection = self._kept() or await self._open()
                answer = await connection.ask(request)
                if not answer.is_plain:
                    raise _Odd
        except (OSError, _Odd):  # TimeoutError is an OSError
            if connection is not None:
                connection.abort()
            return None
        except asyncio.CancelledError:
            if connection is not None:
                connection.abort()
            raise
        self._note("GET", 200, started)
        self._keep(connection)
        return answer.body

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Response:
        """One request, sent once, and its answer, whatever that says. NotSent or another TransportError
        where there is none.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        if body is not None:
            headers = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        request = self._head(method, target, {"Accept": "application/json", **headers}) + (body or b"")
        started, status = time.monotonic(), 0
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(timeout):
                try:
                    connection = self._kept() or await self._open()
                except OSError as error:
                    raise errors.NotSent(f"{method} {path}: {describe(error)}") from error
                if self._transport.guard is not None and method not in SAFE_METHODS:
                    self._transport.guard()
                answer = await connection.ask(request)
                status = answer.status
        except TimeoutError as error:
            waited = time.monotonic() - started
            raise errors.TransportError(f"{method} {path}: no answer within {waited:.1f} s") from error
        except (OSError, _Odd) as error:
            raise errors.TransportError(f"{method} {path}: {describe(error)}") from error
        finally:
            self._note(method, status, started)
            if connection is not None:
                if status:
                    self._keep(connection)
                else:
                    connection.abort()
        if status == 401:
            self._transport.refused()
        return Response(status, answer.headers, answer.body)

    def _head(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        token = self._transport.bearer()
        lines = [
            f"{method} {self._prefix}{target} HTTP/1.1",
            f"Host: {self._address}",
            f"User-Agent: {self._transport.user_agent}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if any("\r" in line or "\n" in line or "\0" in line for line in lines) or " " in target:
            raise ValueError("a request with a line end or space where none may be")
        return "\r\n".join((*lines, "", "")).encode()

    def _note(self, method: str, status: int, started: float) -> None:
        if self._transport.observer is not None:
            self._transport.observer(method, status, time.monotonic() - started)

    def _keep(self, connection: _Connection) -> None:
        if connection.is_open and len(self._idle) < KEPT:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.abort()

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
    """Not the answer of a kube-apiserver."""


class _Answer:
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


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[_Answer] | None = None
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
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth

    def ask(self, request: bytes) -> asyncio.Future[_Answer]:
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
        self._head = bytes(self._received[:end])
        head = self._head.lower() + b"\r\n"
        if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
            raise _Odd
        self._status = int(head[9:12])
        self._last = b"\r\nconnection: close\r\n" in head
        if self._status < 200:
            raise _Odd
        if self._status in (204, 304):
            self._length = 0
        elif b"\r\ntransfer-encoding: chunked\r\n" not in head:
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
        if self._last and self._transport is not None:
            self._transport.close()
        if waiting is not None:
            waiting.set_result(_Answer(self._head, self._status, body))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error or ConnectionResetError("the connection was closed"))
