"""HTTP/2: requests and their answers, many at a time. The client is another's."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from aiohttp import web

from apiserver.asked import Asked
from apiserver.express import Answer
from apiserver.http2 import frames, requests
from apiserver.request import Request
from tests.unit.apiserver.http2_client import (
    PSEUDO,
    connected,
    hello,
    listening,
    opened,
)  # fmt: skip
from tests.waiting import until


async def test_requests_are_answered_with_the_last_headers(context: ssl.SSLContext) -> None:
    async with listening(context, hello) as server, connected(server) as client:
        for _ in range(2):
            # the second block is one that says nothing to be remembered
            status, headers, body = await client.answer(client.get("/a?b=c%2Fd", ("accept", "x")))
            assert (status, body) == (200, b"GET /a?b=c%2Fd x 0")
            assert headers["audit-id"] == "id"
            assert headers["cache-control"] == "no-cache, private"
            assert headers["content-length"] == str(len(body))
            assert not {"server", "connection", "transfer-encoding"} & set(headers)


async def test_who_does_not_speak_it_is_answered_in_http1(context: ssl.SSLContext) -> None:
    async with listening(context, hello) as server:
        for protocols in ((), ("http/1.1",), ("spdy/3",)):
            reader, writer = await opened(server, *protocols)
            writer.write(b"GET /a HTTP/1.1\r\nHost: y\r\n\r\n")
            assert (await reader.readuntil(b"GET /a y 0")).startswith(b"HTTP/1.1 200")
            writer.transport.abort()


async def test_many_at_a_time_are_answered_each_when_it_is_ready(context: ssl.SSLContext) -> None:
    last, running = asyncio.Event(), 0

    async def in_reverse(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal running
        running += 1
        await last.wait() if request.path != "/last" else last.set()
        return web.Response(text=request.path)

    async with listening(context, in_reverse) as server, connected(server) as client:
        numbers = [client.get(f"/{each}") for each in range(40)]
        await until(lambda: running == 40)
        assert not client.of(h2.events.ResponseReceived)
        await client.answer(client.get("/last"))
        assert [(await client.answer(each))[2] for each in numbers] == [b"/%d" % n for n in range(40)]


async def test_a_body_of_any_size_arrives_and_nobody_need_read_it(context: ssl.SSLContext) -> None:
    sizes: list[int] = []

    async def reading(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/ignored":
            sizes.append(len(await request.content.read()))
        return web.Response(text="done")

    async with listening(context, reading) as server, connected(server) as client:
        number = client.post()
        left = 1_500_000
        while left:
            window = client.http.local_flow_control_window(number)
            size = min(window, 16_384, left)
            if size:
                client.send(number, b"x" * size)
                left -= size
            else:
                await asyncio.sleep(0.01)
        client.send(number, b"", end=True)
        assert (await client.answer(number))[0] == 200
        assert sizes == [1_500_000]
        number = client.ask([(":method", "POST"), *PSEUDO[1:3], (":path", "/ignored")], end=False)
        client.send(number, b"x" * 1000)
        assert (await client.answer(number))[2] == b"done"
        reset = await client.event(h2.events.StreamReset, number)
        assert reset.error_code == 0


async def test_what_nobody_reads_is_not_granted_again(context: ssl.SSLContext) -> None:
    go_on = asyncio.Event()

    async def late(request: web.BaseRequest) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(text=str(len(await request.content.read())))

    async with listening(context, late) as server, connected(server) as client:
        number = client.post()
        sent = 0
        while client.http.local_flow_control_window(number):
            size = min(16_384, client.http.local_flow_control_window(number))
            client.send(number, b"x" * size)
            sent += size
            await asyncio.sleep(0.01)
        assert sent < 1 << 20
        # others are not in its way
        other = client.post()
        client.send(other, b"y", end=True)
        go_on.set()
        assert (await client.answer(other))[2] == b"1"
        await until(lambda: client.http.local_flow_control_window(number) > 0)
        client.send(number, b"", end=True)
        assert (await client.answer(number))[2] == str(sent).encode()


async def test_an_answer_that_is_not_read_holds_up_no_other(context: ssl.SSLContext) -> None:
    large = bytes(range(256)) * 4000

    async def any_size(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=large if request.path == "/large" else b"small")

    async with listening(context, any_size) as server, connected(server) as client:
        client.http.increment_flow_control_window(1 << 24)
        client.opens_windows = False
        number = client.get("/large")
        await until(lambda: len(client.body(number)) == frames.WINDOW)
        assert (await client.answer(client.get()))[2] == b"small"
        assert len(client.body(number)) == frames.WINDOW
        client.http.increment_flow_control_window(1 << 24, number)
        client.flush()
        assert (await client.answer(number))[2] == large


async def test_the_window_of_all_together_is_kept(context: ssl.SSLContext) -> None:
    async def large(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"x" * 40_000)

    async with listening(context, large) as server, connected(server) as client:
        client.opens_windows = False
        numbers = [client.get() for _ in range(3)]
        await until(lambda: sum(len(client.body(each)) for each in numbers) == frames.WINDOW)
        client.http.increment_flow_control_window(1 << 20)
        client.flush()
        for number in numbers:
            assert len((await client.answer(number))[2]) == 40_000


async def test_a_client_that_leaves_ends_its_request(context: ssl.SSLContext) -> None:
    ended: list[str] = []
    begun = 0

    async def for_ever(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        try:
            await request.read()
            await asyncio.Event().wait()
        except (asyncio.CancelledError, ConnectionError) as error:
            ended.append(type(error).__name__)
            raise
        return web.Response()

    async with listening(context, for_ever) as server:
        async with connected(server) as client:
            reset, half, lost = client.get(), client.post(), client.get()
            client.send(half, b"x")
            await until(lambda: begun == 3)
            client.http.reset_stream(reset)
            client.http.reset_stream(half)
            client.flush()
            await until(lambda: len(ended) == 2)
            assert not client.of(h2.events.StreamEnded, lost)
        await until(lambda: len(ended) == 3)


async def test_a_stream_of_events_is_written_as_it_comes(context: ssl.SSLContext) -> None:
    more, transports = asyncio.Event(), []

    async def watch(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, Request)
        assert not request.in_chunks
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"one")
        assert request.transport is not None
        transports.append(request.transport)
        request.transport.write(b"two")
        await more.wait()
        await response.write_eof(b"three")
        return response

    async with listening(context, watch) as server, connected(server) as client:
        number = client.get()
        await until(lambda: client.body(number) == b"onetwo")
        more.set()
        _, headers, body = await client.answer(number)
        assert body == b"onetwothree"
        assert "content-length" not in headers
        assert transports[0].is_closing()
        transports[0].write(b"to nobody")


async def test_who_is_cut_off_sees_that_the_answer_is_not_whole(context: ssl.SSLContext) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ConnectionResetError

    async with listening(context, cut) as server, connected(server) as client:
        number = client.get()
        reset = await client.event(h2.events.StreamReset, number)
        assert reset.error_code == frames.Code.INTERNAL_ERROR
        assert not client.of(h2.events.StreamEnded, number)


async def test_heads_and_questions_and_trailers(context: ssl.SSLContext) -> None:
    async def inviting(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, Request)
        if "Expect" in request.headers:
            await request.invite_body()
        return web.Response(text=str(len(await request.read())))

    async with listening(context, inviting) as server, connected(server) as client:
        status, headers, body = await client.answer(client.ask([(":method", "HEAD"), *PSEUDO[1:]]))
        assert (status, headers["content-length"], body) == (200, "1", b"")
        number = client.post(("expect", "100-continue"))
        invited = await client.event(h2.events.InformationalResponseReceived, number)
        assert dict(invited.headers)[":status"] == "100"
        client.send(number, b"abc")
        client.http.send_headers(number, [("checksum", "x")], end_stream=True)
        client.flush()
        assert (await client.answer(number))[2] == b"3"


async def test_headers_beyond_measure_get_a_status(context: ssl.SSLContext) -> None:
    async with listening(context, hello) as server, connected(server) as client:
        for more in ([("a", "x" * 70_000)], [("a", "b")] * 2100):
            status, _, body = await client.answer(client.get("/", *more))
            assert status == 431
            assert json.loads(body)["reason"] == "RequestHeaderFieldsTooLarge"
        assert (await client.answer(client.get()))[0] == 200


async def test_no_more_streams_than_allowed(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "STREAMS", 3)
    begun = 0

    async def for_ever(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()
        return web.Response()

    async with listening(context, for_ever) as server, connected(server) as client:
        assert client.http.remote_settings.max_concurrent_streams == 3
        client.http.remote_settings._settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS][0] = 10
        numbers = [client.get() for _ in range(4)]
        refused = await client.event(h2.events.StreamReset)
        assert (refused.stream_id, refused.error_code) == (numbers[3], frames.Code.REFUSED_STREAM)
        assert begun == 3


async def test_who_asks_and_leaves_again_and_again_is_sent_away(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "TASKS", 5)
    go_on = asyncio.Event()

    async def stubborn(_: web.BaseRequest) -> web.StreamResponse:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        return web.Response()

    async with listening(context, stubborn) as server, connected(server) as client:
        for _ in range(10):
            number = client.get()
            await asyncio.sleep(0.01)
            if client.closed.is_set() or client.of(h2.events.ConnectionTerminated):
                break
            client.http.reset_stream(number)
            client.flush()
        ended = await client.event(h2.events.ConnectionTerminated)
        assert ended.error_code == frames.Code.ENHANCE_YOUR_CALM
        await client.closed.wait()
        go_on.set()


class Quick:
    """Takes what it is told to."""

    def __init__(self, answer: bytes | None, *, later: bool) -> None:
        self._answer, self._later = answer, later
        self.took: list[Asked] = []

    def take(
        self, asked: Asked, certificate: bytes | None, peer: str, done: Callable[[Answer | None], None]
    ) -> bool:
        self.took.append(asked)
        answer = Answer(asked, self._answer) if self._answer is not None else None
        if self._later:
            asyncio.get_running_loop().call_later(0.01, done, answer)
        else:
            done(answer)
        return True


@pytest.mark.parametrize("later", [False, True])
async def test_the_short_way(context: ssl.SSLContext, later: bool) -> None:
    quick = Quick(b"{}" * 20_000, later=later)
    async with listening(context, hello, quick) as server, connected(server) as client:
        await client.answer(client.get())  # with it the client says that it keeps no table
        number = client.get("/apis/x", ("audit-id", "a-b"))
        status, headers, body = await client.answer(number)
        assert (status, body) == (200, b"{}" * 20_000)
        assert headers["audit-id"] == "a-b"
        assert headers["content-length"] == "40000"
        assert headers["cache-control"] == "no-cache, private"
        assert headers["content-type"] == "application/json"
        assert "date" in headers
        assert quick.took[0].dialect.target(quick.took[0].target) == b"/apis/x"
        assert (
            "cache-control"
            not in (await client.answer(client.get("/apis/x", ("audit-id", "a"), ("x-forwarded-uri", "/y"))))[
                1
            ]
        )
        assert len(quick.took) == 2


@pytest.mark.parametrize("later", [False, True])
async def test_the_short_way_may_turn_out_to_be_the_long_one(context: ssl.SSLContext, later: bool) -> None:
    quick = Quick(None, later=later)
    async with listening(context, hello, quick) as server, connected(server) as client:
        await client.answer(client.get())
        assert (await client.answer(client.get("/apis/x", ("audit-id", "a"))))[2] == b"GET /apis/x x 0"
        assert len(quick.took) == 1
