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
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.web_protocol import RequestHandler

from apiserver import asked
from apiserver.asked import Asked
from apiserver.express import Answer
from apiserver.http2.connection import Connection as Http2Connection
from apiserver.outlet import Outlet
from apiserver.pacing import Pacer
from apiserver.request import HEADERS_LIMIT, LINE_LIMIT, Handle, Request, refusal, unreadable
from apiserver.status import internal_error
from apiserver.watchcache.bodies import is_compressed

log = logging.getLogger(__name__)

HEAD_SECONDS: Final = 32.0
"""A head that is not complete by then never comes; a healthy client sends it in one packet."""
IDLE_SECONDS: Final = 300.0
"""Longer than the 90 s after which kube-apiserver closes connections it does not use: were it shorter, a
request could meet a connection that is just being closed, and fail for no reason."""
ABOUT_TO_ASK_SECONDS: Final = 2.0
"""Who has just come, or has sent part of a head, is given so long at the end: a client that was sent away
from one connection may have been led here again, a moment before this server was known to be leaving.
"""
HANDSHAKE_SECONDS: Final = 10.0
BACKLOG: Final = 1024


class Express(Protocol):
    """A short way for some requests."""

    def take(
        self, asked: Asked, certificate: bytes | None, peer: str, done: Callable[[Answer | None], None]
    ) -> bool:
        """Take a request, and call `done` with its answer, or without one when it has to go the long way
        after all. False: not taken, and `done` is never called.
        """


class _Connection(RequestHandler):
    """One connection. A head must be complete some seconds after it began; errors are a Status."""

    __slots__ = (
        "_awaited",
        "_between",
        "_expected",
        "_heads",
        "_outlet",
        "_patience",
        "_peer",
        "_postponed",
        "certificate",
    )

    certificate: bytes | None
    """What the client presented in the handshake."""
    _awaited: float
    """When the wait for the head began that is to come."""
    _heads: int
    _outlet: Outlet
    _peer: str
    _patience: asyncio.TimerHandle | None
    _expected: int
    """Bytes that are still to come of the body of the last request."""
    _between: bool
    """Whether it is known where requests begin: every byte so far belongs to one that was understood."""
    _postponed: list[bytes] | None
    """What came in while a read on the short way was not answered yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outlet = Outlet(cast(asyncio.Transport, transport))
        super().connection_made(self._outlet)
        self._heads = 0
        self._expected, self._between, self._postponed = 0, True, None
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        secured = transport.get_extra_info("ssl_object")
        self.certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        self._patience = None
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patient()
        self._outlet.drop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._outlet.pause()
        if not self._paused:
            super().pause_writing()

    def resume_writing(self) -> None:
        if self._outlet.resume() and self._paused:
            super().resume_writing()

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
        plain = asked.of_http1(data)
        if plain is None:
            return False
        self._postponed = []
        manager.pacer.arrived()
        done = functools.partial(self._taken, data)
        if not manager.express.take(plain, self.certificate, self._peer, done):
            self._postponed = None
            return False
        if self._patience is not None:
            self._patient()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _taken(self, data: bytes, answer: Answer | None) -> None:
        """The answer of the short way; without one the request goes the long way."""
        manager = self._manager
        if answer is not None and isinstance(manager, _Server):
            manager.pacer.answer(functools.partial(self._end, data, answer))
        else:
            self._end(data, answer)

    def _end(self, data: bytes, answer: Answer | None) -> None:
        postponed, self._postponed = self._postponed, None
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if answer is None:
            self._receive(data)
        else:
            transport.writelines((_head(answer), answer.body))
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
            self._await_head()

    @property
    def is_busy(self) -> bool:
        """Whether a request is about to come, or being answered."""
        answering = self._request_in_progress or self._postponed is not None or self._outlet.waiting
        return bool(answering or self._messages or self._is_about_to_ask)

    @property
    def _is_about_to_ask(self) -> bool:
        return self._patience is not None and self._loop.time() - self._awaited < ABOUT_TO_ASK_SECONDS

    def _await_head(self) -> None:
        self._awaited = self._loop.time()
        self._patience = self._loop.call_later(HEAD_SECONDS, self._too_slow)

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
        response = refusal(problem)
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


def _head(answer: Answer) -> bytes:
    """What is said before the body of an answer of the short way."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"%bAudit-Id: %b\r\n%bContent-Length: %d\r\nDate: %b\r\n\r\n"
    ) % (
        # kube-apiserver forbids caching itself, and would say it twice
        b"" if answer.asked.forwarded else b"Cache-Control: no-cache, private\r\n",
        answer.asked.audit_id,
        b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" if is_compressed(answer.body) else b"",
        len(answer.body),
        rfc822_formatted_time().encode(),
    )


class _Server(web.Server):
    """Makes connections of our kind."""

    express: Express | None = None

    def __init__(self, handle: Handle, **options: Any) -> None:
        super().__init__(handle, **options)
        self.handle = handle
        self.pacer = Pacer()
        self.http2: set[Http2Connection] = set()

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def choose(self) -> asyncio.Protocol:
        """Whoever speaks what client and server agree on in the handshake."""
        return _Choice(self)

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
        self.leave_http2()
        return busy or bool(self.http2)

    def leave_http2(self, *, in_turn: bool = False) -> bool:
        """Send clients of HTTP/2 to other connections with what they ask next; whether all have gone.

        In turn, where there is time: those who are sent away from one connection may come to the next.
        """
        for each in tuple(self.http2):
            each.leave()
            if in_turn and not each.told:
                break
        return not any(each.takes for each in self.http2)

    async def shutdown(self, timeout: float | None = None) -> None:
        """End what is left."""
        for each in tuple(self.http2):
            each.force_close()
        await super().shutdown(timeout)


class _Choice(asyncio.Protocol):
    """A connection before its first byte."""

    def __init__(self, server: _Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        secured = transport.get_extra_info("ssl_object")
        protocol: asyncio.BaseProtocol = self._server()
        if secured is not None and secured.selected_alpn_protocol() == "h2":
            protocol = Http2Connection(self._server)
        cast(asyncio.Transport, transport).set_protocol(protocol)
        protocol.connection_made(transport)


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
            self._server.choose,
            self._host,
            self._port,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=5,
            backlog=BACKLOG,
            reuse_address=True,
        )
        return self

    async def leave(self, seconds: float) -> None:
        """Go on serving while clients that can be told to use other connections do so, or these seconds.

        HTTP/1.1 has no such word but the one that comes with an answer.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._server.leave_http2(in_turn=True):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

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
