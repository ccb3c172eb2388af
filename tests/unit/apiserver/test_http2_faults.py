"""HTTP/2: what no client may do, and what it ends."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from aiohttp import web

from apiserver.http2 import connection, frames
from apiserver.http2 import hpack as ours
from tests.unit.apiserver.http2_client import (
    GET_BLOCK,
    OPEN,
    PATIENCE,
    PSEUDO,
    Fields,
    connected,
    frame,
    hello,
    listening,
    opened,
    read_until,
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x00\x40\x01" + b"\0" * 6, frames.Code.FRAME_SIZE_ERROR, id="a frame too large"),
        pytest.param(frame(frames.PING, 0, b"1234"), frames.Code.FRAME_SIZE_ERROR, id="a short ping"),
        pytest.param(frame(frames.PING, 1, b"12345678"), frames.Code.PROTOCOL_ERROR, id="a stream's ping"),
        pytest.param(frame(frames.SETTINGS, 0, b"12345"), frames.Code.FRAME_SIZE_ERROR, id="half a setting"),
        pytest.param(frame(frames.SETTINGS, 1), frames.Code.PROTOCOL_ERROR, id="a stream's settings"),
        pytest.param(
            frame(frames.SETTINGS, 0, b"\0\4\xff\xff\xff\xff"),
            frames.Code.FLOW_CONTROL_ERROR,
            id="a window beyond all",
        ),
        pytest.param(
            frame(frames.SETTINGS, 0, b"\0\2\0\0\0\2"), frames.Code.PROTOCOL_ERROR, id="half a push"
        ),
        pytest.param(
            frame(frames.SETTINGS, 0, b"\0\5\0\0\0\1"), frames.Code.PROTOCOL_ERROR, id="frames of a byte"
        ),
        pytest.param(
            frames.window_update(0, 0x7FFFFFFF),
            frames.Code.FLOW_CONTROL_ERROR,
            id="more window than there is",
        ),
        pytest.param(frames.window_update(0, 0), frames.Code.FLOW_CONTROL_ERROR, id="no more window"),
        pytest.param(frames.window_update(7, 1), frames.Code.PROTOCOL_ERROR, id="a window of no stream"),
        pytest.param(frame(frames.DATA, 7, b"x"), frames.Code.PROTOCOL_ERROR, id="a body of no stream"),
        pytest.param(frame(frames.DATA, 0, b"x"), frames.Code.PROTOCOL_ERROR, id="a body of the connection"),
        pytest.param(
            frames.reset(7, frames.Code.CANCEL), frames.Code.PROTOCOL_ERROR, id="the end of no stream"
        ),
        pytest.param(frames.headers(2, GET_BLOCK, end=True), frames.Code.PROTOCOL_ERROR, id="an even stream"),
        pytest.param(
            frame(frames.HEADERS, 0, GET_BLOCK, 5), frames.Code.PROTOCOL_ERROR, id="no stream at all"
        ),
        pytest.param(
            frame(frames.HEADERS, 1, b"\xff\xff\xff\xff\xff\xff", 5),
            frames.Code.COMPRESSION_ERROR,
            id="headers that nobody can read",
        ),
        pytest.param(
            frame(frames.HEADERS, 1, b"\xc0", 5), frames.Code.COMPRESSION_ERROR, id="a field nobody remembers"
        ),
        pytest.param(
            frame(frames.HEADERS, 1, b"\x40\x01a\x01b", 5),
            frames.Code.COMPRESSION_ERROR,
            id="a table that was not allowed any more",
        ),
        pytest.param(
            frame(frames.HEADERS, 1, GET_BLOCK, 1) + frame(frames.PING, 0, b"12345678"),
            frames.Code.PROTOCOL_ERROR,
            id="headers that are interrupted",
        ),
        pytest.param(
            frame(frames.CONTINUATION, 1, b"", 4),
            frames.Code.PROTOCOL_ERROR,
            id="what goes on without beginning",
        ),
        pytest.param(
            frame(frames.HEADERS, 1, b"", 1) + frame(frames.CONTINUATION, 1) * 200,
            frames.Code.ENHANCE_YOUR_CALM,
            id="headers without end",
        ),
        pytest.param(
            frame(frames.HEADERS, 1, b"\x09" + GET_BLOCK[:5], 0xD),
            frames.Code.PROTOCOL_ERROR,
            id="all padding",
        ),
        pytest.param(
            OPEN + frame(frames.DATA, 1, b"\5abc", 8), frames.Code.PROTOCOL_ERROR, id="more padding"
        ),
        pytest.param(frame(frames.PUSH_PROMISE, 1, b"1234"), frames.Code.PROTOCOL_ERROR, id="a promise"),
    ],
)
async def test_what_ends_a_connection(context: ssl.SSLContext, data: bytes, code: int) -> None:
    async with listening(context, hello) as server, connected(server) as client:
        client.raw(data)
        ended = await client.event(h2.events.ConnectionTerminated)
        assert ended.error_code == code
        await client.closed.wait()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(OPEN + frames.window_update(1, 0), frames.Code.PROTOCOL_ERROR, id="no more window"),
        pytest.param(
            OPEN + frames.window_update(1, 0x7FFFFFFF),
            frames.Code.FLOW_CONTROL_ERROR,
            id="too large a window",
        ),
        pytest.param(OPEN + OPEN, frames.Code.PROTOCOL_ERROR, id="headers again"),
        pytest.param(OPEN + frame(frames.PRIORITY, 1, b"123"), frames.Code.FRAME_SIZE_ERROR, id="a priority"),
        pytest.param(
            OPEN + frame(frames.DATA, 1, b"x" * 16_384) * 30,
            frames.Code.FLOW_CONTROL_ERROR,
            id="more than was granted",
        ),
    ],
)
async def test_what_ends_a_stream(context: ssl.SSLContext, data: bytes, code: int) -> None:
    assert frames.reset(1, frames.Code(code)) in await _told(context, data)


async def _told(context: ssl.SSLContext, data: bytes) -> bytes:
    """What a server says to these frames, and goes on."""

    async def late(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with listening(context, late) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}) + data + frame(frames.PING, 0, b"the last"))
        seen = await read_until(reader, frame(frames.PING, 0, b"the last", frames.ACK))
        writer.transport.abort()
        return seen


async def test_frames_that_mean_nothing_are_passed_over(context: ssl.SSLContext) -> None:
    async with listening(context, hello) as server:
        reader, writer = await opened(server, "h2")
        padded = b"\x03\0\0\0\0\x10" + GET_BLOCK + b"\0\0\0"
        data = (
            frames.PREFACE
            + frames.settings({0x99: 7, frames.ENABLE_PUSH: 0})
            + frame(0x77, 5, b"unknown")
            + frame(frames.PRIORITY, 9, b"\0\0\0\0\x10")
            + frame(frames.HEADERS, 1, padded, 0x2D)
        )
        for at in range(0, len(data), 7):  # in any parts
            writer.write(data[at : at + 7])
            await asyncio.sleep(0)
        assert b"GET / x 0" in await read_until(reader, b"GET / x 0")
        writer.transport.abort()


async def test_who_sends_no_preface_is_not_listened_to(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    async with listening(context, hello) as server:
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2, b"", frames.PREFACE[:10]):
            reader, writer = await opened(server, "h2")
            writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await reader.read(-1)
            writer.transport.abort()


async def test_pings_that_are_not_read_end_it(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiserver.http2.outgoing.UNREAD", 50_000)
    async with listening(context, hello) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}))
        transport = cast(asyncio.Transport, writer.transport)
        transport.pause_reading()
        async with asyncio.timeout(PATIENCE):
            while not writer.is_closing():
                writer.write(frame(frames.PING, 0, b"12345678") * 5000)
                await asyncio.sleep(0.01)
        assert not reader.at_eof()
        writer.transport.abort()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*PSEUDO, ("Upper", "x")], id="a name with capitals"),
        pytest.param([*PSEUDO, ("bad name", "x")], id="a name with a space"),
        pytest.param([*PSEUDO, ("connection", "close")], id="a header of connections"),
        pytest.param([*PSEUDO, ("transfer-encoding", "chunked")], id="chunks"),
        pytest.param([*PSEUDO, ("te", "gzip")], id="another transfer"),
        pytest.param([*PSEUDO, ("x", "a\r\nb: c")], id="a line end in a value"),
        pytest.param([*PSEUDO, ("x", "a\0")], id="a zero in a value"),
        pytest.param([*PSEUDO, ("x", " a")], id="a space before a value"),
        pytest.param([*PSEUDO, (":path", "/b")], id="two paths"),
        pytest.param([*PSEUDO, (":status", "200")], id="what only answers have"),
        pytest.param([("x", "y"), *PSEUDO], id="the path after a header"),
        pytest.param(PSEUDO[1:], id="no method"),
        pytest.param(PSEUDO[:3], id="no path"),
        pytest.param([*PSEUDO[:3], (":path", "")], id="an empty path"),
        pytest.param([*PSEUDO[:3], (":path", "a")], id="a path of no kind"),
        pytest.param([*PSEUDO[:3], (":path", "/a b")], id="a path with a space"),
        pytest.param([PSEUDO[0], *PSEUDO[2:]], id="no scheme"),
        pytest.param([*PSEUDO[:2], PSEUDO[3]], id="no host"),
        pytest.param([*PSEUDO, ("content-length", "5")], id="a body that does not come"),
        pytest.param([*PSEUDO, ("content-length", "+0")], id="a length with a sign"),
        pytest.param([*PSEUDO, ("content-length", "0"), ("content-length", "1")], id="two lengths"),
    ],
)
async def test_what_is_no_request_ends_its_stream_alone(context: ssl.SSLContext, fields: Fields) -> None:
    block = ours.encode([(name.encode(), value.encode()) for name, value in fields])
    seen = await _told(context, frames.headers(1, block, end=True))
    assert frames.reset(1, frames.Code.PROTOCOL_ERROR) in seen
