"""HTTP/2: what every client may do, what none may, and how connections end. The client is another's."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from aiohttp import web

from apiserver.asked import Asked
from apiserver.express import Answer
from apiserver.http2 import connection, frames, requests
from apiserver.http2 import hpack as ours
from apiserver.listener import Express, Listener
from apiserver.request import Request
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from missioncontrol.serving.tls import ServerTLS
from tests.waiting import eventually

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CA = new_ca("ca", now=NOW, lifetime=DAY)
Fields = list[tuple[str, str]]
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
PSEUDO = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/")]
PATIENCE = 10


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    leaf = issue(
        CA, common_name="x", usages=[Usage.SERVER], ip_names=["127.0.0.1"], now=NOW, lifetime=DAY / 2
    )
    save(leaf, folder / "tls.crt", folder / "tls.key")
    return ServerTLS(folder / "tls.crt", folder / "tls.key", protocols=("h2", "http/1.1")).context


@asynccontextmanager
async def listening(
    context: ssl.SSLContext, handle: Handle, express: Express | None = None
) -> AsyncIterator[Listener]:
    async with Listener(handle, context, host="127.0.0.1", port=0, express=express) as server:
        yield server


async def opened(server: Listener, *protocols: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    trust = ssl.create_default_context(cadata=CA.cert_pem.decode())
    if protocols:
        trust.set_alpn_protocols(list(protocols))
    return await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)


class Client:
    """One connection, and everything that came on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, strict: bool) -> None:
        self._reader, self._writer = reader, writer
        self.http = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding="utf-8",
                validate_outbound_headers=strict,
                normalize_outbound_headers=strict,
            )
        )
        self.opens_windows = True
        self.events: list[Any] = []
        self.closed = asyncio.Event()
        self.http.initiate_connection()
        self.flush()
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                for event in self.http.receive_data(data):
                    self.events.append(event)
                    if isinstance(event, h2.events.DataReceived) and self.opens_windows:
                        self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.flush()
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.events.append(error)
        finally:
            self.closed.set()

    def flush(self) -> None:
        data = self.http.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def ask(self, fields: Fields, *, end: bool = True) -> int:
        number = self.http.get_next_available_stream_id()
        self.http.send_headers(number, fields, end_stream=end)
        self.flush()
        return number

    def get(self, path: str = "/", *more: tuple[str, str]) -> int:
        return self.ask([*PSEUDO[:3], (":path", path), *more])

    def post(self, *more: tuple[str, str]) -> int:
        return self.ask([(":method", "POST"), *PSEUDO[1:], *more], end=False)

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        self.http.send_data(number, data, end_stream=end)
        self.flush()

    def of(self, kind: type, number: int | None = None) -> list[Any]:
        found = [each for each in self.events if isinstance(each, kind)]
        return found if number is None else [each for each in found if each.stream_id == number]

    async def event(self, kind: type, number: int | None = None) -> Any:
        await eventually(lambda: bool(self.of(kind, number)))
        return self.of(kind, number)[0]

    async def answer(self, number: int) -> tuple[int, dict[str, str], bytes]:
        await self.event(h2.events.StreamEnded, number)
        headers = dict(self.of(h2.events.ResponseReceived, number)[0].headers)
        return int(headers[":status"]), headers, self.body(number)

    def body(self, number: int) -> bytes:
        return b"".join(each.data for each in self.of(h2.events.DataReceived, number))

    async def end(self) -> None:
        self._task.cancel()
        self._writer.transport.abort()


@asynccontextmanager
async def connected(server: Listener, *, strict: bool = True) -> AsyncIterator[Client]:
    client = Client(*(await opened(server, "h2", "http/1.1")), strict=strict)
    try:
        async with asyncio.timeout(PATIENCE):
            await client.event(h2.events.SettingsAcknowledged)
            yield client
    finally:
        await client.end()


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    assert isinstance(request, Request)
    request.audit_id = "id"
    data = await request.read()
    words = f"{request.method} {request.rel_url} {request.headers['Host']} {len(data)}"
    return web.Response(text=words, headers={"Warning": 'a "b"'})


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
        await eventually(lambda: running == 40)
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
        await eventually(lambda: client.http.local_flow_control_window(number) > 0)
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
        await eventually(lambda: len(client.body(number)) == frames.WINDOW)
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
        await eventually(lambda: sum(len(client.body(each)) for each in numbers) == frames.WINDOW)
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
            await eventually(lambda: begun == 3)
            client.http.reset_stream(reset)
            client.http.reset_stream(half)
            client.flush()
            await eventually(lambda: len(ended) == 2)
            assert not client.of(h2.events.StreamEnded, lost)
        await eventually(lambda: len(ended) == 3)


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
        await eventually(lambda: client.body(number) == b"onetwo")
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


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return frames.head(len(payload), kind, flags, stream) + payload


GET_BLOCK = b"\x20" + ours.encode([(name.encode(), value.encode()) for name, value in PSEUDO])
OPEN = frames.headers(1, GET_BLOCK, end=False)


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
        seen = await _until(reader, frame(frames.PING, 0, b"the last", frames.ACK))
        writer.transport.abort()
        return seen


async def _until(reader: asyncio.StreamReader, last: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while last not in seen:
            data = await reader.read(1 << 16)
            assert data, seen
            seen += data
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
        assert b"GET / x 0" in await _until(reader, b"GET / x 0")
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


async def test_leaving_tells_first_and_means_it_later(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LAST_SECONDS", 0.5)
    go_on = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            await go_on.wait()
        return web.Response(text=request.path)

    async with listening(context, slow) as server:
        reader, writer = await opened(server, "h2")
        writer.write(frames.PREFACE + frames.settings({}))
        writer.write(frames.headers(1, ours.encode(_fields("/slow")), end=True))
        await _until(reader, frame(frames.SETTINGS, 0, b"", frames.ACK))
        draining = asyncio.create_task(server.drain(PATIENCE))
        await _until(reader, frames.goaway(frames.STREAM_MASK, frames.Code.NO_ERROR))
        # it was on its way, and is served
        writer.write(frames.headers(3, ours.encode(_fields("/late")), end=True))
        await _until(reader, b"/late")
        await _until(reader, frames.goaway(3, frames.Code.NO_ERROR))
        writer.write(frames.headers(5, ours.encode(_fields("/later")), end=True))
        await _until(reader, frames.reset(5, frames.Code.REFUSED_STREAM))
        assert not draining.done()
        go_on.set()
        await _until(reader, b"/slow")
        assert await reader.read() == b""
        await draining


def _fields(path: str) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in [*PSEUDO[:3], (":path", path)]]


async def test_an_answer_that_ends_its_connection_lets_others_finish(context: ssl.SSLContext) -> None:
    async def closing(_: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(text="bye")
        response.force_close()
        return response

    async with listening(context, closing) as server:
        reader, writer = await opened(server, "h2")
        first, second = (frames.headers(number, GET_BLOCK, end=True) for number in (1, 3))
        writer.write(frames.PREFACE + frames.settings({}) + first + second)
        async with asyncio.timeout(PATIENCE):
            seen = await reader.read()
        assert seen.count(b"bye") == 2
        assert frames.goaway(frames.STREAM_MASK, frames.Code.NO_ERROR) in seen
        assert frames.goaway(3, frames.Code.NO_ERROR) in seen


async def test_old_and_idle_connections_leave(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LAST_SECONDS", 0.05)
    async with listening(context, hello) as server:
        for name, value in (("AGE_SECONDS", (0.3, 0.4)), ("IDLE_SECONDS", 0.3)):
            with monkeypatch.context() as patched:
                patched.setattr(connection, name, value)
                async with connected(server) as client:
                    assert (await client.answer(client.get()))[0] == 200
                    assert (await client.event(h2.events.ConnectionTerminated)).error_code == 0
                    await client.closed.wait()


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
