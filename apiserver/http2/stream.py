"""One request of a connection: what is still to be sent of its answer, and the faces that handlers see of it.

To aiohttp's responses it is a writer, to the watches a transport, to the reader of a body the one that says
whether more may come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import StreamReader
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from apiserver.http2 import frames, hpack
from apiserver.http2.frames import Code
from apiserver.request import Request

if TYPE_CHECKING:
    from apiserver.http2.requests import Requests

BODY_WINDOW: Final = 256 * 1024
"""What may come of a body that nobody reads yet."""
BODY_LOW: Final = 64 * 1024
HIGH: Final = 64 * 1024
"""Bytes that are put aside before a writer has to wait."""
_OF_CONNECTIONS: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"}
)


class Stream:
    """One request. As a transport it takes what is to be sent, in the order it came."""

    __slots__ = (
        *("_requests", "body", "certificate", "closed", "ended", "granted", "held", "id", "left", "paused"),
        *("peername", "pending", "queued", "read", "size", "sockname", "ssl_context", "task", "waiter"),
        "window",
    )

    def __init__(self, requests: Requests, number: int, window: int) -> None:
        self._requests = requests
        self.id = number
        self.window = window
        """Bytes that the client takes."""
        self.pending: deque[memoryview] = deque()
        self.size = 0
        self.queued = False
        """Whether it waits for its turn to send."""
        self.ended = False
        """Whether what is pending is the end."""
        self.closed = False
        self.waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.body: StreamReader | None = None
        """What has come of the request's body, until its end."""
        self.left = -1
        """Bytes that are still to come, where that was said."""
        self.granted = BODY_WINDOW
        """Bytes that the client may still send."""
        self.held = 0
        """Bytes that came and were not granted again."""
        self.paused = False
        self.read = False
        """Whether the request is complete."""
        # what aiohttp's requests want to know of their connection
        self.certificate = requests.peer.certificate
        self.peername = requests.peer.peername
        self.sockname = requests.peer.sockname
        self.ssl_context = requests.peer.ssl_context

    # A transport ---------------------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.WriteTransport | None:
        """Itself, as long as there is somebody at the other end."""
        return None if self.closed else cast(asyncio.WriteTransport, self)

    def write(self, data: bytes) -> None:
        """Send this; it never waits."""
        if not self.closed and data:
            self._requests.out.send(self, data)

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.closed or self.ended

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken."""
        return self.size

    def abort(self) -> None:
        """End the answer where it is."""
        self._requests.reset(self, Code.CANCEL)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent."""
        while self.size > HIGH:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        if self.closed:
            raise ConnectionResetError("the client has left")

    def close(self) -> None:
        """Nothing more comes or goes."""
        self.closed = True
        self.pending.clear()
        self.size = 0
        self.wake()

    def wake(self) -> None:
        """Let a writer go on."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    @property
    def connected(self) -> bool:
        """Whether anything may still come."""
        return not self.closed

    # The body --------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """A part of the body."""
        assert self.body is not None
        self.body.feed_data(data)

    def pause_reading(self) -> None:
        """Nobody reads: nothing more is granted."""
        self.paused = True

    def resume_reading(self, resume_parser: bool = True) -> None:
        """It was read."""
        if self.paused:
            self.paused = False
            self._requests.grant(self)


class Writer(AbstractStreamWriter):
    """Sends an answer."""

    def __init__(self, requests: Requests, stream: Stream) -> None:
        self._requests, self._stream = requests, stream
        self.buffer_size = 0
        self.output_size = 0
        self.length: int | None = None
        self.head_only = False
        """Whether the answer has no body, whatever its headers say."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        self.output_size += 1  # the answer has begun
        self.send_head(int(status_line.split(" ", 2)[1]), headers)

    def send_head(self, status: int, headers: CIMultiDict[str]) -> None:
        """The status and headers."""
        fields = [(b":status", b"%d" % status)]
        for name, value in headers.items():
            lower = name.lower()
            if lower not in _OF_CONNECTIONS:
                if "\r" in value or "\n" in value or "\0" in value:
                    raise ValueError("a header with a line end")
                fields.append((lower.encode(), value.encode("utf-8", "surrogateescape")))
        if self._stream.closed:
            raise ConnectionResetError("the client has left")
        self._requests.out.put(frames.headers(self._stream.id, hpack.encode(fields), end=False))

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        if self._stream.closed:
            raise ConnectionResetError("the client has left")
        self.output_size += len(chunk)
        self._stream.write(bytes(chunk))
        if self._stream.size > HIGH:
            await self._stream.drain()

    async def write_eof(self, chunk: bytes = b"") -> None:
        if self._stream.closed:
            raise ConnectionResetError("the client has left")
        self.output_size += len(chunk)
        self._requests.out.send(self._stream, chunk, end=True)

    async def drain(self) -> None:
        await self._stream.drain()

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise NotImplementedError("bodies are compressed before they are sent")

    def enable_chunking(self) -> None:
        """Frames are chunks."""


class Request2(Request):
    """A request that came as a stream."""

    in_chunks = False

    async def invite_body(self) -> None:
        writer = self.writer
        assert isinstance(writer, Writer)
        writer.send_head(100, CIMultiDict())


class Malformed(Exception):
    """Fields that are no request."""


def message(fields: list[hpack.Field]) -> RawRequestMessage:
    """The request that these fields are, as aiohttp's parser would have read it from lines."""
    pseudo: dict[bytes, bytes] = {}
    headers: CIMultiDict[str] = CIMultiDict()
    cookies: list[str] = []
    for name, value in fields:
        if name.startswith(b":"):
            if headers or cookies or name in pseudo or name not in _PSEUDO:
                raise Malformed
            pseudo[name] = value
            continue
        if not name or not _NAME.issuperset(name) or value.strip(b" \t") != value or _bad(value):
            raise Malformed
        text, said = name.decode("ascii"), value.decode("utf-8", "surrogateescape")
        if text in _OF_CONNECTIONS or (text == "te" and said.lower() != "trailers"):
            raise Malformed
        if text == "cookie":
            cookies.append(said)
        else:
            headers.add(text, said)
    if cookies:
        headers.add("cookie", "; ".join(cookies))
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not method or not _TOKEN.issuperset(method) or not pseudo.get(b":scheme"):
        raise Malformed
    if not path.startswith(b"/") and (path, method) != (b"*", b"OPTIONS"):
        raise Malformed
    if not _IN_PATHS.issuperset(path):
        raise Malformed
    authority = pseudo.get(b":authority")
    if authority is not None:
        if not _VISIBLE.issuperset(authority):
            raise Malformed
        headers.popall("host", None)
        headers.add("host", authority.decode("ascii"))
    elif "host" not in headers:
        raise Malformed
    target = path.decode("utf-8", "surrogateescape")
    route, _, query = target.partition("#")[0].partition("?")
    return RawRequestMessage(
        method.decode("ascii"),
        target,
        HttpVersion11,
        CIMultiDictProxy(headers),
        tuple(fields),
        False,
        None,
        False,
        False,
        URL.build(path=route, query_string=query, encoded=True),
    )


_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_NAME: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_TOKEN: Final = _NAME | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VISIBLE: Final = frozenset(range(0x21, 0x7F))
_IN_PATHS: Final = _VISIBLE | frozenset(range(0x80, 0x100))


def _bad(value: bytes) -> bool:
    return b"\0" in value or b"\r" in value or b"\n" in value


def request(
    stream: Stream, read: RawRequestMessage, body: StreamReader, writer: Writer, task: Any
) -> Request2:
    """The request as handlers see it."""
    return Request2(read, body, cast(Any, stream), writer, task, asyncio.get_running_loop())
