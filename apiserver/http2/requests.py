"""Requests of a connection: from frames of headers and bodies to the handlers that answer them."""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aiohttp import StreamReader, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict

from apiserver.http2 import frames, hpack, plain
from apiserver.http2.frames import Code, ConnectionFault, StreamFault
from apiserver.http2.outgoing import Outgoing
from apiserver.http2.stream import BODY_LOW, BODY_WINDOW, Malformed, Stream, Writer, message, request
from apiserver.request import HEADERS_LIMIT, LINE_LIMIT, Handle, refusal, too_large
from apiserver.watchcache.bodies import is_compressed

if TYPE_CHECKING:
    from apiserver.express import Answer
    from apiserver.listener import Express

log = logging.getLogger(__name__)

STREAMS: Final = 100
"""Requests at a time. kube-apiserver opens another connection, maybe to another replica, for more."""
TASKS: Final = 3 * STREAMS
"""Requests in progress, those included that their client has left: who makes and leaves more is sent away."""
HEADERS_BYTES: Final = 1 << 20
"""Of all headers of a request, decoded; what kube-apiserver takes, too."""
BLOCK_BYTES: Final = 1 << 20
BLOCK_FRAMES: Final = 128


class Handlers(Protocol):
    """Who answers requests."""

    handle: Handle
    express: Express | None


class Life(Protocol):
    """What the connection wants to know of its requests. All of these may be called at any time."""

    def in_head(self) -> None:
        """Headers have begun and not ended."""

    def out_of_head(self) -> None:
        """They have ended."""

    def busy(self) -> None:
        """There are requests."""

    def idle(self) -> None:
        """There are none any more."""

    def perhaps_over(self) -> None:
        """A request has ended."""


@dataclass(slots=True)
class Peer:
    """The other end."""

    certificate: bytes | None = None
    peername: Any = None
    sockname: Any = None
    ssl_context: Any = None

    @property
    def address(self) -> str:
        return str(self.peername[0]) if self.peername else ""


class Requests:
    """The requests of one connection that are in progress."""

    def __init__(self, handlers: Handlers, out: Outgoing, peer: Peer, life: Life) -> None:
        self._handlers, self.out, self.peer, self._life = handlers, out, peer, life
        self._loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.last = 0
        """The last stream that was opened."""
        self.arrived = 0
        """How many were taken, without those that their client has left."""
        self.asked = 0.0
        """When the last one was."""
        self.served_to: int | None = None
        """The last stream that is served, when that has been said."""
        self.initial = frames.WINDOW
        """The window of a new stream."""
        self._unreturned = 0
        """Bytes of bodies for which the window is not open again."""
        self._decoder = _decoder()
        self.block: tuple[int, int, list[bytes]] | None = None
        """A block of headers that goes on in the next frame: its stream, flags and parts."""

    def no_table(self) -> None:
        """The client knows that it is to keep no table of headers."""
        self._decoder.allow(0)

    # Requests in ---------------------------------------------------------------------------------------

    def on_headers(self, stream: int, flags: int, payload: bytes) -> None:
        """The first frame of a block of headers, maybe the only one."""
        if not stream & 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a client opens streams of odd numbers")
        if flags & frames.PADDED:
            payload = _without_padding(payload)
        if flags & frames.PRIORITIZED:
            if len(payload) < 5:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "headers without their priority")
            payload = payload[5:]
        if flags & frames.END_HEADERS:
            self._on_block(stream, flags, payload)
        else:
            self.block = stream, flags, [payload]
            self._life.in_head()

    def on_continuation(self, stream: int, flags: int, payload: bytes) -> None:
        """A further one."""
        if self.block is None or self.block[0] != stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a block of headers goes on that did not begin")
        _, first, parts = self.block
        parts.append(payload)
        if len(parts) > BLOCK_FRAMES or sum(map(len, parts)) > BLOCK_BYTES:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a block of headers is too large")
        if flags & frames.END_HEADERS:
            self.block = None
            self._life.out_of_head()
            self._on_block(stream, first, b"".join(parts))

    def _on_block(self, number: int, flags: int, block: bytes) -> None:
        end = bool(flags & frames.END_STREAM)
        if number <= self.last:
            self._on_trailers(number, block, end=end)
            return
        self.last = number
        if len(self.streams) >= STREAMS or (self.served_to is not None and number > self.served_to):
            self._decode(block)
            raise StreamFault(Code.REFUSED_STREAM, "no more are taken")
        if len(self._tasks) >= TASKS:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "requests are made and left")
        if self.out.is_unread:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "answers are not read")
        if not self.streams:
            self._life.busy()
        self.arrived += 1
        self.asked = self._loop.time()
        stream = self.streams[number] = Stream(self, number, self.initial)
        if end:
            stream.read = True
            if self._decoder.forgets and self._take(stream, block):
                return
        self._receive(stream, self._decode(block))

    def _decode(self, block: bytes) -> list[hpack.Field] | None:
        """The fields, or None when they are too many."""
        try:
            return self._decoder.decode(block)
        except hpack.TooLarge:
            return None
        except hpack.HpackError as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from error

    def known(self, stream: int) -> None:
        """ConnectionFault for a stream that was never opened."""
        if not stream & 1 or stream > self.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame of a stream that was never opened")

    def _on_trailers(self, number: int, block: bytes, *, end: bool) -> None:
        self._decode(block)
        stream = self.streams.get(number)
        if stream is None:
            return  # it was ended here, while these were on their way
        if stream.read or not end:
            raise StreamFault(Code.STREAM_CLOSED if stream.read else Code.PROTOCOL_ERROR, "headers again")
        self._complete(stream)

    def _take(self, stream: Stream, block: bytes) -> bool:
        """Let the short way have the request; False when it does not want it."""
        express = self._handlers.express
        if express is None:
            return False
        asked = plain.of_block(block)
        if asked is None:
            return False
        done = functools.partial(self._taken, stream, block)
        return express.take(asked, self.peer.certificate, self.peer.address, done)

    def _taken(self, stream: Stream, block: bytes, answer: Answer | None) -> None:
        if stream.closed:
            return
        if answer is None:
            self._receive_after_all(stream, block)
            return
        head = _fast_head(answer)
        self.out.put(frames.head(len(head), frames.HEADERS, frames.END_HEADERS, stream.id) + head)
        self.out.send(stream, answer.body, end=True)

    def _receive_after_all(self, stream: Stream, block: bytes) -> None:
        """The long way of a block that needs no table, and whose turn to change one is over."""
        try:
            self._receive(stream, _decoder().decode(block))
        except (StreamFault, hpack.HpackError, hpack.TooLarge):
            self.reset(stream, Code.PROTOCOL_ERROR)

    def _receive(self, stream: Stream, fields: list[hpack.Field] | None) -> None:
        """The long way."""
        if fields is None or any(len(name) + len(value) > LINE_LIMIT for name, value in fields):
            self._start(stream, self._refuse(stream))
            return
        try:
            read = message(fields)
            stream.left = _length(read.headers.getall("content-length", ()))
        except (Malformed, ValueError) as error:
            raise StreamFault(Code.PROTOCOL_ERROR, "not a request") from error
        if stream.read:
            if stream.left > 0:
                raise StreamFault(Code.PROTOCOL_ERROR, "a body is shorter than was said")
            body: StreamReader = EMPTY_PAYLOAD
        else:
            body = stream.body = StreamReader(cast(Any, stream), BODY_LOW, loop=self._loop)
        self._start(stream, self._serve(stream, read, body))

    def _start(self, stream: Stream, work: Any) -> None:
        task = stream.task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refuse(self, stream: Stream) -> None:
        response = refusal(too_large())
        writer = Writer(self, stream)
        writer.send_head(response.status, CIMultiDict(response.headers))
        await writer.write_eof(cast(bytes, response.body))

    async def _serve(self, stream: Stream, read: Any, body: StreamReader) -> None:
        writer = Writer(self, stream)
        asked = request(stream, read, body, writer, stream.task)
        try:
            response: web.StreamResponse = await self._handlers.handle(asked)
            await response.prepare(asked)
            await response.write_eof()
        except ConnectionError:
            self.reset(stream, Code.INTERNAL_ERROR)
        except Exception:
            log.exception("a request failed outside of its handler")
            self.reset(stream, Code.INTERNAL_ERROR)
        finally:
            stream.task = None
            asked._task = cast(Any, None)

    # Bodies in -----------------------------------------------------------------------------------------

    def on_data(self, number: int, flags: int, payload: bytes) -> None:
        """A part of a body."""
        self.known(number)
        size = len(payload)
        self._count(size)
        stream = self.streams.get(number)
        if stream is None:
            return  # ended here, while this was on its way
        if stream.read:
            raise StreamFault(Code.STREAM_CLOSED, "a body after its end")
        stream.granted -= size
        if stream.granted < 0:
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "more than was granted")
        if flags & frames.PADDED:
            payload = _without_padding(payload)
        if stream.left >= 0:
            stream.left -= len(payload)
            if stream.left < 0:
                raise StreamFault(Code.PROTOCOL_ERROR, "a body is longer than was said")
        if payload and stream.body is not None:
            stream.feed(payload)
        stream.held += size
        if flags & frames.END_STREAM:
            self._complete(stream)
        elif stream.held >= BODY_LOW:
            self.grant(stream)

    def _count(self, size: int) -> None:
        self._unreturned += size
        if self._unreturned >= BODY_WINDOW:
            self.out.urgent(frames.window_update(0, self._unreturned))
            self._unreturned = 0

    def _complete(self, stream: Stream) -> None:
        if stream.left > 0:
            raise StreamFault(Code.PROTOCOL_ERROR, "a body is shorter than was said")
        stream.read = True
        if stream.body is not None:
            stream.body.feed_eof()

    def grant(self, stream: Stream) -> None:
        """Let the client send on, if somebody reads what it sent."""
        if not stream.paused and stream.held and not stream.read and not stream.closed:
            stream.granted += stream.held
            self.out.urgent(frames.window_update(stream.id, stream.held))
            stream.held = 0

    # Streams end ---------------------------------------------------------------------------------------

    def finished(self, stream: Stream) -> None:
        """The answer is out. What is still to come of the request is not wanted."""
        if not stream.read:
            self.out.put(frames.reset(stream.id, Code.NO_ERROR))
        self.forget(stream)
        self._life.perhaps_over()

    def reset(self, stream: Stream, code: Code) -> None:
        """End an answer where it is."""
        if not stream.closed:
            self.reset_number(stream.id, code)

    def reset_number(self, number: int, code: Code) -> None:
        """The same, of a stream that may be gone."""
        self.out.put(frames.reset(number, code))
        stream = self.streams.get(number)
        if stream is not None:
            self.forget(stream, cancel=True)
        self._life.perhaps_over()

    def forget(self, stream: Stream, *, cancel: bool = False) -> None:
        """Nothing more is to come of it, or go; with `cancel` its handler ends, too."""
        self.streams.pop(stream.id, None)
        stream.close()
        if cancel:
            if stream.body is not None and not stream.read:
                stream.body.set_exception(ConnectionResetError("the client has left"))
            if stream.task is not None and stream.task is not asyncio.current_task():
                stream.task.cancel()
        if not self.streams:
            self._life.idle()


def _decoder() -> hpack.Decoder:
    return hpack.Decoder(most_bytes=HEADERS_BYTES, most_fields=HEADERS_LIMIT + len(hpack.STATIC))


def _without_padding(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "more padding than there is")
    return payload[1 : len(payload) - payload[0]]


def _length(values: Any) -> int:
    if not values:
        return -1
    if len(set(values)) != 1 or not values[0].isascii() or not values[0].isdigit() or len(values[0]) > 18:
        raise Malformed
    return int(values[0])


_JSON: Final = hpack.encode([(b":status", b"200"), (b"content-type", b"application/json")])
_NO_CACHE: Final = hpack.encode_field(b"cache-control", b"no-cache, private")
_GZIP: Final = hpack.encode([(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")])
_AUDIT_ID: Final = hpack.named(b"audit-id")


def _fast_head(answer: Answer) -> bytes:
    """The headers of the short way. The id goes back in the very bytes it came in."""
    asked = answer.asked
    return b"".join(
        (
            _JSON,
            b"" if asked.forwarded else _NO_CACHE,
            _GZIP if is_compressed(answer.body) else b"",
            _AUDIT_ID,
            asked.audit_id,
            hpack.encode_field(b"content-length", b"%d" % len(answer.body)),
            hpack.encode_field(b"date", rfc822_formatted_time().encode()),
        )
    )
