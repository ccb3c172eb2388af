"""A client of HTTP/2 that is another's, and raw frames where it is too polite."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
from aiohttp import web

from apiserver.http2 import frames
from apiserver.http2 import hpack as ours
from apiserver.listener import Express, Listener
from apiserver.request import Request
from missioncontrol.pki.ca import new_ca
from tests.waiting import until

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
CA = new_ca("ca", now=NOW, lifetime=DAY)
Fields = list[tuple[str, str]]
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
PSEUDO = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/")]
PATIENCE = 10


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
        await until(lambda: bool(self.of(kind, number)))
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


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return frames.head(len(payload), kind, flags, stream) + payload


GET_BLOCK = b"\x20" + ours.encode([(name.encode(), value.encode()) for name, value in PSEUDO])
OPEN = frames.headers(1, GET_BLOCK, end=False)


async def read_until(reader: asyncio.StreamReader, last: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while last not in seen:
            data = await reader.read(1 << 16)
            assert data, seen
            seen += data
    return seen
