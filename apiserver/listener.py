"""The HTTPS socket: what a connection may cost, and how it ends.

Everything that goes wrong before there is a request (a line that is not HTTP, a head that is too long or
never ends) is answered in the same form as every other error, or cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from apiserver.status import Failure, bad_request, failure, internal_error

log = logging.getLogger(__name__)

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

LINE_LIMIT: Final = 64 * 1024
"""Bytes of the request line, and of each header: label selectors and extras may be long."""
HEADERS_LIMIT: Final = 2000
"""Each group of a user is a header line."""
HEAD_SECONDS: Final = 32.0
"""A head that is not complete by then never comes; a healthy client sends it in one packet."""
IDLE_SECONDS: Final = 300.0
"""Longer than the 90 s after which kube-apiserver closes connections it does not use: were it shorter, a
request could meet a connection that is just being closed, and fail for no reason."""
HANDSHAKE_SECONDS: Final = 10.0
BACKLOG: Final = 1024


class Express(Protocol):
    """A short way for some requests."""

    def take(
        self, data: bytes, certificate: bytes | None, peer: str, done: Callable[[bytes | None, bytes], None]
    ) -> bool:
        """Take a whole request, and call `done` with the head and body of its answer, or without a head when
        it has to go the long way after all. False: not taken, and `done` is never called.
        """


class Request(web.BaseRequest):
    """A request whose answer gets its last headers here, however and by whom it is begun."""

    audit_id = ""
    begun: Callable[[int], None] | None = None
    """To be told the code when the answer begins, where that is long before it ends."""

    @property
    def certificate(self) -> bytes | None:
        """What the client presented in the handshake (DER); whose word it is, is judged elsewhere."""
        return self._protocol._certificate if isinstance(self._protocol, _Connection) else None

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        headers = response.headers
        # aiohttp would tell its name and version, and Python's
        headers.pop(hdrs.SERVER, None)
        if self.audit_id:
            headers["Audit-Id"] = self.audit_id
        if "X-Forwarded-Uri" not in self.headers:  # kube-apiserver says so itself
            headers.setdefault("Cache-Control", "no-cache, private")
        if self.begun is not None:
            self.begun(response.status)


class _Connection(RequestHandler):
    """One connection. A head must be complete some seconds after it began; errors are a Status."""

    __slots__ = ("_between", "_certificate", "_expected", "_heads", "_patience", "_peer", "_postponed")

    _certificate: bytes | None
    _heads: int
    _peer: str
    _patience: asyncio.TimerHandle | None
    _expected: int
    """Bytes that are still to come of the body of the last request."""
    _between: bool
    """Whether it is known where requests begin: every byte so far belongs to one that was understood."""
    _postponed: list[bytes] | None
    """What came in while a read on the short way was not answered yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._heads = 0
        self._expected, self._between, self._postponed = 0, True, None
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        secured = transport.get_extra_info("ssl_object")
        self._certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        self._patience = self._loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patient()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._postponed is not None:
            self._postponed.append(data)
            if sum(map(len, self._postponed)) > LINE_LIMIT:
                self.force_close()  # no client of ours sends on and on without an answer
        elif not self._is_plain(data) or not self._take(data):
            self._receive(data)

    def _is_plain(self, data: bytes) -> bool:
        """Whether these bytes are one whole request without a body, and nothing else is going on."""
        return (
            data.startswith(b"GET /apis/")
            and data.endswith(b"\r\n\r\n")
            and data.find(b"\r\n\r\n") == len(data) - 4
            and self._between
            and not self._expected
            and self._waiter is not None
            and not self._waiter.done()
            and not self._messages
            and not self._paused
            and not self._close
            and not self._force_close
        )

    def _take(self, data: bytes) -> bool:
        """Let the short way have the request; False when it does not want it."""
        manager = self._manager
        if not isinstance(manager, _Server) or manager.express is None:
            return False
        self._postponed = []
        done = functools.partial(self._taken, data)
        if not manager.express.take(data, self._certificate, self._peer, done):
            self._postponed = None
            return False
        if self._patience is not None:
            self._patient()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _taken(self, data: bytes, head: bytes | None, body: bytes) -> None:
        """The answer of the short way; without a head the request goes the long way."""
        postponed, self._postponed = self._postponed, None
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if head is None:
            self._receive(data)
        else:
            transport.writelines((head, body))
        if self._close:
            transport.close()  # the server drains, and has waited for this
            return
        for each in postponed or ():
            self.data_received(each)

    def _receive(self, data: bytes) -> None:
        """The long way."""
        if self._between:
            expected = after(data) if not self._expected else self._expected - len(data)
            self._between = expected is not None and expected >= 0
            self._expected = expected or 0
        super().data_received(data)
        if self._request_count != self._heads:
            self._heads = self._request_count
            if self._patience is not None:
                self._patient()
        elif self._patience is None and self._waiter is not None and not self._waiter.done():
            # part of a head, and nothing is being answered
            self._patience = self._loop.call_later(HEAD_SECONDS, self._too_slow)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self._request_in_progress or bool(self._messages) or self._postponed is not None

    def _patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        self._patience = None
        log.debug("a connection sends no request")
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp itself found wrong, as a Status. The connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot become another one")
        problem = unreadable(exc) if status == 400 else internal_error("see the log of the server")
        if status != 400:
            log.error("a request failed outside of its handler", exc_info=exc)
        headers = {"Cache-Control": "no-cache, private", "Content-Type": "application/json"}
        response = web.Response(
            status=problem.code, body=orjson.dumps(problem.status) + b"\n", headers=headers | problem.headers
        )
        response.force_close()
        return response


_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]{1,18})(?=\r\n)")


def after(data: bytes) -> int | None:
    """How many bytes of the first request in `data` are still to come; None where that is not plain to see,
    or where more than one request is in it.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    lengths = _LENGTH.findall(head)
    if b"transfer-encoding" in head or b"upgrade" in head or len(lengths) != head.count(b"content-length"):
        return None
    if len(lengths) > 1:
        return None
    left = (int(lengths[0]) if lengths else 0) - (len(data) - end - 4)
    return left if left >= 0 else None


_UNKNOWN_METHOD: Final = re.compile(r"Invalid method.*\bHTTP/1\.[01]", re.DOTALL)


def unreadable(error: BaseException | None) -> Failure:
    """What is wrong with bytes that are no request, without repeating them."""
    if isinstance(error, LineTooLong) or "Too many headers" in str(error):
        return failure(
            431,
            f"the request line or a header is longer than {LINE_LIMIT} bytes, or there are more than "
            f"{HEADERS_LIMIT} headers",
            reason="RequestHeaderFieldsTooLarge",
        )
    if _UNKNOWN_METHOD.search(str(error)):
        return failure(405, "the server does not allow this method on the requested resource")
    return bad_request("the request is not readable as HTTP/1.1")


class _Server(web.Server):
    """Makes connections of our kind."""

    express: Express | None = None

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def _make_request(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        return Request(message, payload, protocol, writer, task, self._loop)

    def close_idle(self) -> bool:
        """Close the connections on which nothing is being answered; whether there are others."""
        busy = False
        for connection in self.connections:
            if isinstance(connection, _Connection) and connection.is_busy:
                busy = True
            else:
                connection.force_close()
        return busy


class Listener:
    """The socket, from `async with` on; `drain` ends it in order."""

    def __init__(
        self,
        handle: Handle,
        context: ssl.SSLContext,
        *,
        host: str,
        port: int,
        express: Express | None = None,
    ) -> None:
        self._context, self._host, self._port = context, host, port
        self._server = _Server(
            handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=LINE_LIMIT,
            max_field_size=LINE_LIMIT,
            max_headers=HEADERS_LIMIT,
        )
        self._server.express = express
        self._sockets: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The real port, also when 0 was asked for."""
        assert self._sockets is not None
        port: int = self._sockets.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Listener:
        self._sockets = await asyncio.get_running_loop().create_server(
            self._server,
            self._host,
            self._port,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=5,
            backlog=BACKLOG,
            reuse_address=True,
        )
        return self

    async def drain(self, seconds: float) -> None:
        """Take no more connections, close the idle ones, and give requests in progress these seconds."""
        if self._sockets is None:
            return
        self._sockets.close()
        self._sockets = None
        # what was accepted in this very moment becomes a request first
        await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # aiohttp's own way stops reading bodies that are still coming in
                while self._server.close_idle():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        await self._server.shutdown(0.5)

    async def __aexit__(self, *_: object) -> None:
        await self.drain(0)
