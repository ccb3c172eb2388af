"""Connections: heads that never end, requests that end with the server, and bodies that are still coming."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from apiserver import listener
from apiserver import outlet as outlets
from apiserver.listener import Listener, Request
from apiserver.outlet import Outlet
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from missioncontrol.serving.tls import ServerTLS
from tests.waiting import until

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CA = new_ca("ca", now=NOW, lifetime=DAY)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    leaf = issue(
        CA, common_name="x", usages=[Usage.SERVER], ip_names=["127.0.0.1"], now=NOW, lifetime=DAY / 2
    )
    save(leaf, tmp_path / "tls.crt", tmp_path / "tls.key")
    return ServerTLS(tmp_path / "tls.crt", tmp_path / "tls.key").context


@asynccontextmanager
async def listening(
    context: ssl.SSLContext, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> AsyncIterator[Listener]:
    async with Listener(handle, context, host="127.0.0.1", port=0) as server:
        yield server


@asynccontextmanager
async def connected(
    server: Listener,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    trust = ssl.create_default_context(cadata=CA.cert_pem.decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.transport.abort()


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    assert isinstance(request, Request)
    request.audit_id = "id"
    return web.Response(text=f"hello{len(await request.read())}")


async def test_the_last_headers_are_put_on_every_answer(context: ssl.SSLContext) -> None:
    async with listening(context, hello) as server, connected(server) as (reader, writer):
        writer.write(GET)
        head = (await reader.readuntil(b"hello0")).lower()
        assert b"audit-id: id" in head
        assert b"cache-control: no-cache, private" in head
        assert b"server:" not in head


async def test_a_head_that_never_ends_is_cut_and_a_quiet_connection_is_not(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.8)
    async with listening(context, hello) as server, connected(server) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"hello0")
        async with connected(server) as (slow_reader, slow_writer), connected(server) as (mute_reader, _):
            slow_writer.write(GET[:10])
            assert await slow_reader.read() == b""
            assert await mute_reader.read() == b""
        writer.write(GET)
        await reader.readuntil(b"hello0")
        # a second head on a connection that was good before
        writer.write(GET[:10])
        assert await reader.read() == b""


async def test_a_slow_body_is_no_slow_head(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.5)
    async with listening(context, hello) as server, connected(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for letter in b"body":
            await asyncio.sleep(0.15)
            writer.write(bytes([letter]))
        await reader.readuntil(b"hello4")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n", 431),
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ],
)
async def test_what_is_no_request_gets_a_status(context: ssl.SSLContext, data: bytes, code: int) -> None:
    async with listening(context, hello) as server, connected(server) as (reader, writer):
        writer.write(data)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert b"server:" not in head.lower()
        status = json.loads(body)
        assert (status["kind"], status["code"], status["status"]) == ("Status", code, "Failure")


async def test_a_fault_beyond_the_handler_is_a_status_too(context: ssl.SSLContext) -> None:
    async def broken(_: web.BaseRequest) -> web.StreamResponse:
        raise RuntimeError("with words that nobody is to see")

    async with listening(context, broken) as server, connected(server) as (reader, writer):
        writer.write(GET)
        answer = await reader.read()
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == "InternalError"
        assert b"nobody" not in answer


async def test_draining_closes_what_is_idle_and_lets_the_rest_finish(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "ABOUT_TO_ASK_SECONDS", 0.2)
    go_on, begun = asyncio.Event(), 0

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        data = await request.read()
        await go_on.wait()
        response = web.Response(text=f"hello{len(data)}")
        response.force_close()
        return response

    async with (
        listening(context, slow) as server,
        connected(server) as (idle_reader, _),
        connected(server) as (reader, writer),
        connected(server) as (late_reader, late_writer),
    ):
        writer.write(GET)
        late_writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
        await until(lambda: begun == 2)
        port = server.port
        draining = asyncio.create_task(server.drain(5))
        assert await idle_reader.read() == b""
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        # a body that was on its way is still read
        late_writer.write(b"dy")
        go_on.set()
        assert (await reader.read()).endswith(b"hello0")
        assert (await late_reader.read()).endswith(b"hello4")
        await draining


@pytest.mark.parametrize(
    "sent", [pytest.param(b"", id="nothing yet"), pytest.param(GET[:10], id="part of it")]
)
async def test_who_came_in_the_last_moment_is_waited_for(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(listener, "ABOUT_TO_ASK_SECONDS", 30)
    async with listening(context, hello) as server, connected(server) as (reader, writer):
        writer.write(sent)
        draining = asyncio.create_task(server.drain(20))
        await asyncio.sleep(0.1)
        writer.write(GET.removeprefix(sent))
        assert b"hello0" in await reader.read()
        await draining


async def test_draining_has_an_end(context: ssl.SSLContext) -> None:
    begun = asyncio.Event()

    async def for_ever(_: web.BaseRequest) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        return web.Response()

    async with listening(context, for_ever) as server, connected(server) as (reader, writer):
        writer.write(GET)
        await begun.wait()
        await server.drain(0.1)
        assert await reader.read() == b""


LARGE = bytes(range(256)) * 4 * 1024 * 20


async def large(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=LARGE)


async def test_a_large_answer_waits_for_its_reader_in_one_copy(context: ssl.SSLContext) -> None:
    async with listening(context, large) as server, connected(server) as (reader, writer):
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        (connection,) = server._server.connections
        outlet = connection.transport
        assert isinstance(outlet, Outlet)
        given = outlet.get_write_buffer_size() - outlet.waiting
        assert given < len(LARGE) / 10  # the rest is encrypted when there is room for it
        assert await reader.readexactly(len(LARGE)) == LARGE
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(len(LARGE)) == LARGE


async def test_a_connection_that_ends_gives_the_rest_first(context: ssl.SSLContext) -> None:
    async with listening(context, large) as server, connected(server) as (reader, writer):
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == LARGE


async def test_who_reads_nothing_of_the_rest_is_cut_off(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "CLOSE_SECONDS", 0.1)
    async with listening(context, large) as server, connected(server) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = server._server.connections
        assert connection.transport is not None
        connection.transport.close()
        await until(lambda: not server._server.connections)
