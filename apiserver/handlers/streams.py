"""What the events of a watch travel in: one long body, or the messages of a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aiohttp import web

from apiserver import respond, websocket
from apiserver.call import Call
from apiserver.request import Request
from apiserver.watchcache.watcher import CHUNKS, LINES, Framing

MESSAGES: Final = Framing("message", websocket.frame)


class Events(Protocol):
    """The answer of a watch."""

    framing: Framing
    """How whoever writes to the connection itself has to wrap each event."""

    @property
    def response(self) -> web.StreamResponse:
        """The answer, for whoever has to know how it went."""

    async def begin(self) -> None:
        """Send its head; ConnectionError when nobody is there any more."""

    def on_leave(self, call: Callable[[], None]) -> None:
        """Have this called when the client says that it leaves. Who just goes cancels the request."""

    async def tell(self, lines: Sequence[bytes]) -> None:
        """Write events, at the client's pace."""

    async def end(self) -> None:
        """Nothing more comes."""


def head(call: Call) -> web.Response | None:
    """The whole answer to HEAD, which is the head of a stream and nothing else."""
    if call.request.method != "HEAD":
        return None
    return web.Response(headers={"Content-Type": "application/json", **respond.caching(call)})


def framing_of(call: Call) -> Framing:
    """How events will travel."""
    if websocket.is_request(call.headers):
        return MESSAGES
    in_chunks = not isinstance(call.request, Request) or call.request.in_chunks
    return CHUNKS if in_chunks else LINES


def opened(call: Call) -> Events:
    """The answer that the client asked for, not begun yet; a Failure for a handshake that is wrong."""
    return _Messages(call) if websocket.is_request(call.headers) else _Body(call)


class _Body:
    def __init__(self, call: Call) -> None:
        self.framing = framing_of(call)
        headers = {"Content-Type": "application/json", **respond.caching(call)}
        self._request = call.request
        self.response = web.StreamResponse(headers=headers)
        self.response.enable_chunked_encoding()
        respond.add_warnings(call, self.response)

    async def begin(self) -> None:
        await self.response.prepare(self._request)

    def on_leave(self, call: Callable[[], None]) -> None:
        pass  # such a client has no way to say so

    async def tell(self, lines: Sequence[bytes]) -> None:
        data = b"".join(lines)
        if data:
            await self.response.write(data)

    async def end(self) -> None:
        await self.response.write_eof()


class _Messages:
    framing = MESSAGES

    def __init__(self, call: Call) -> None:
        refusal = websocket.refusal(call.headers)
        if refusal is not None:
            raise refusal
        self._request = call.request
        self.response = websocket.Socket()
        self._listener: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        await self.response.prepare(self._request)

    def on_leave(self, call: Callable[[], None]) -> None:
        self._listener = asyncio.create_task(self._listen())
        self._listener.add_done_callback(lambda _: call())

    async def _listen(self) -> None:
        """Nothing that the client says matters, but pings are answered, and its leave is noticed."""
        async for _ in self.response:
            pass

    async def tell(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if line:
                await self.response.send_frame(line, web.WSMsgType.TEXT)

    async def end(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        await self.response.close()
