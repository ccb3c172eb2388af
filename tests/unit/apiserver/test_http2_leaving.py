"""HTTP/2: how a connection is left so that nothing that is asked on it is lost."""

from __future__ import annotations

import asyncio
import ssl

import h2.events
import pytest
from aiohttp import web

from apiserver.http2 import connection, farewell, frames
from apiserver.http2 import hpack as ours
from tests.unit.apiserver.http2_client import (
    GET_BLOCK,
    PATIENCE,
    PSEUDO,
    connected,
    frame,
    hello,
    listening,
    opened,
    read_until,
)  # fmt: skip
from tests.waiting import until

LEAVE = frames.goaway(frames.STREAM_MASK, frames.Code.NO_ERROR)
HEARD = frame(frames.PING, 0, b"farewell", frames.ACK)
ALLOWED = frame(frames.SETTINGS, 0, b"", frames.ACK)


def get(stream: int, path: str = "/") -> bytes:
    fields = [(name.encode(), value.encode()) for name, value in [*PSEUDO[:3], (":path", path)]]
    return frames.headers(stream, b"\x20" + ours.encode(fields), end=True)


async def test_leaving_tells_first_and_means_it_when_it_was_heard(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "LAST_SECONDS", 0.1)
    go_on = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            await go_on.wait()
        return web.Response(text=request.path)

    async with listening(context, slow) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}) + get(1, "/slow"))
        await read_until(reader, ALLOWED)
        draining = asyncio.create_task(server.drain(PATIENCE))
        await read_until(reader, LEAVE)
        # it was on its way, and is served
        writer.write(get(3, "/late"))
        await read_until(reader, b"/late")
        writer.write(HEARD)
        await read_until(reader, frames.goaway(3, frames.Code.NO_ERROR))
        writer.write(get(5, "/later"))
        await read_until(reader, frames.reset(5, frames.Code.REFUSED_STREAM))
        assert not draining.done()
        go_on.set()
        await read_until(reader, b"/slow")
        assert await reader.read() == b""
        await draining


async def test_nothing_is_answered_before_the_word_and_everything_after(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "LAST_SECONDS", 0.1)
    monkeypatch.setattr(farewell, "SETTLING_SECONDS", 0.1)
    monkeypatch.setattr(farewell, "FILLING_SECONDS", PATIENCE)
    answered: list[str] = []
    go_on = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/0":
            await go_on.wait()
        answered.append(request.path)
        return web.Response(text=f"answer {request.path}.")

    async with listening(context, slow) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}) + get(1, "/0"))
        await read_until(reader, ALLOWED)
        leaving = asyncio.create_task(server.leave(PATIENCE))
        # one is under way, so that room is left for so many
        room = frames.settings({frames.MAX_CONCURRENT_STREAMS: 1 + farewell.ROOM})
        seen = await read_until(reader, room)
        assert LEAVE not in seen
        go_on.set()
        for number in range(1, farewell.ROOM):
            writer.write(get(2 * number + 1, f"/{number}"))
        writer.write(ALLOWED + frame(frames.PING, 0, b"the last"))
        await until(lambda: len(answered) == farewell.ROOM)
        seen = await read_until(reader, frame(frames.PING, 0, b"the last", frames.ACK))
        assert b"answer" not in seen
        assert LEAVE not in seen
        writer.write(get(2 * farewell.ROOM + 1, f"/{farewell.ROOM}"))
        seen = await read_until(reader, f"answer /{farewell.ROOM}.".encode())
        assert seen.index(LEAVE) < seen.index(b"answer")
        assert seen.count(b"answer") == 1 + farewell.ROOM
        assert not leaving.done()
        writer.write(HEARD)
        await leaving
        assert await reader.read() == frames.goaway(2 * farewell.ROOM + 1, frames.Code.NO_ERROR)


async def test_who_does_not_listen_is_left_all_the_same(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "DEAF_SECONDS", 0.2)
    async with listening(context, hello) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}) + get(1))
        await read_until(reader, b"GET / x 0")
        await server.leave(PATIENCE)
        seen = await read_until(reader, frames.goaway(1, frames.Code.NO_ERROR))
        assert LEAVE in seen
        assert await reader.read() == b""


async def test_an_answer_of_a_server_that_ends_leaves_its_connection_alone(context: ssl.SSLContext) -> None:
    async def closing(_: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(text="bye")
        response.force_close()
        return response

    async with listening(context, closing) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}) + frames.headers(1, GET_BLOCK, end=True))
        seen = await read_until(reader, b"bye")
        writer.write(frames.headers(3, GET_BLOCK, end=True))
        seen += await read_until(reader, b"bye")
        assert LEAVE not in seen
        writer.transport.abort()


async def test_old_and_idle_connections_leave(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "LAST_SECONDS", 0.05)
    monkeypatch.setattr(farewell, "QUIET_SECONDS", 0.1)
    async with listening(context, hello) as server:
        for name, value in (("AGE_SECONDS", (0.3, 0.4)), ("IDLE_SECONDS", 0.3)):
            with monkeypatch.context() as patched:
                patched.setattr(connection, name, value)
                async with connected(server) as client:
                    assert (await client.answer(client.get()))[0] == 200
                    assert (await client.event(h2.events.ConnectionTerminated)).error_code == 0
                    await client.closed.wait()
