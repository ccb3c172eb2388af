"""The plain reader takes plain answers, on connections that it keeps; others it leaves to the Transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from missioncontrol.kube import errors
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.plain import PlainReader
from missioncontrol.kube.transport import Response, Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """Answers every request with the same bytes, in pieces of a size."""

    def __init__(self, answer: bytes, piece: int) -> None:
        self.answer, self.piece = answer, piece
        self.heads: list[bytes] = []
        self.connections = 0
        self.closes = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if b"Content-Length: 2" in self.heads[-1]:
                    assert await reader.readexactly(2) == b"{}"
                for start in range(0, len(self.answer), self.piece):
                    writer.write(self.answer[start : start + self.piece])
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def reading(answer: bytes, *, piece: int = 1 << 20) -> AsyncIterator[tuple[PlainReader, Server]]:
    server = Server(answer, piece)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    config = ClusterConfig(server=f"http://127.0.0.1:{port}", token="t0ken")
    reader = PlainReader(Transport(config, user_agent="test"))
    try:
        yield reader, server
    finally:
        reader.close()
        listening.close()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b'%bContent-Length: 12\r\n\r\n{"a": "b\\r"}' % OK, id="of a length"),
        pytest.param(
            b'%bTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n8\r\n: "b\\r"}\r\n0\r\n\r\n' % OK,
            id="in parts",
        ),
    ],
)
async def test_plain_answers(answer: bytes, piece: int) -> None:
    async with reading(answer, piece=piece) as (reader, server):
        for _ in range(3):
            assert await reader.get("/x?y=1", timeout=5) == b'{"a": "b\\r"}'
        assert server.connections == 1
        assert server.heads[0].startswith(b"GET /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"\r\nAuthorization: Bearer t0ken\r\n" in server.heads[0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", id="not found"),
        pytest.param(b"%bContent-Length: 2\r\n\r\n{}{}" % OK, id="more than its length"),
        pytest.param(b"%bContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}" % OK, id="compressed"),
        pytest.param(b"%bContent-Length: x\r\n\r\n{}" % OK, id="a length that is none"),
        pytest.param(b"%b\r\n{}" % OK, id="no length"),
        pytest.param(b"%bTransfer-Encoding: chunked\r\n\r\nzz\r\n" % OK, id="a part without a size"),
        pytest.param(
            b"%bTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n" % OK, id="a part without an end"
        ),
        pytest.param(b"nonsense\r\n\r\n", id="nonsense"),
    ],
)
async def test_other_answers_are_left_to_others(answer: bytes) -> None:
    async with reading(answer) as (reader, _):
        assert await reader.get("/x", timeout=5) is None


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async with reading(b"%bContent-Length: 2\r\n\r\n{}" % OK) as (reader, server):
        server.closes = True
        assert await reader.get("/x", timeout=5) == b"{}"
        async with asyncio.timeout(5):
            while reader._pool._idle[0].is_open:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert await reader.get("/x", timeout=5) == b"{}"
        assert server.connections == 2


async def test_the_last_answer_of_a_connection_is_taken_and_the_connection_is_not_kept() -> None:
    async with reading(b"%bConnection: close\r\nContent-Length: 2\r\n\r\n{}" % OK) as (reader, server):
        assert await reader.get("/x", timeout=5) == b"{}"
        assert await reader.get("/x", timeout=5) == b"{}"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.0 503 Away\r\nContent-Type: text/html\r\n\r\nnobody", id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 503 Away\r\nConnection: close\r\n\r\nnobody", id="said in a header"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 20])
async def test_a_balancer_may_end_its_answer_by_closing_the_connection(answer: bytes, piece: int) -> None:
    async with reading(answer, piece=piece) as (reader, server):
        server.closes = True
        for _ in range(2):
            found = await post(reader)
            assert (found.status, found.body) == (503, b"nobody")
        assert server.connections == 2


async def test_headers_without_an_end_are_no_answer() -> None:
    async with reading(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200_000) as (reader, _):
        assert await reader.get("/x", timeout=5) is None


async def post(reader: PlainReader, *, seconds: float = 5, **headers: str) -> Response:
    return await reader.exchange(
        "POST", "/x", query=[("a", "b c"), ("d", "é")], headers=headers, body=b"{}", timeout=seconds
    )


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        pytest.param(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", 201, b"{}", id="made"),
        pytest.param(b"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nnot", 409, b"not", id="refused"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="nothing to say"),
        pytest.param(
            b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            500,
            b"x",
            id="in parts",
        ),
    ],
)
async def test_an_exchange_is_told_as_it_went(answer: bytes, status: int, body: bytes) -> None:
    warned = answer.replace(b"\r\n", b'\r\nWarning: 299 - "a"\r\nWarning: 299 - "b"\r\n', 1)
    async with reading(warned) as (reader, server):
        for _ in range(2):
            found = await post(reader, **{"Content-Type": "text/x"})
            assert (found.status, found.body) == (status, body)
            assert found.headers.getall("warning") == ['299 - "a"', '299 - "b"']
        assert server.connections == 1
        head = server.heads[0]
        assert head.startswith(b"POST /x?a=b+c&d=%C3%A9 HTTP/1.1\r\n")
        assert head.count(b"Content-Type") == 1
        assert b"\r\nContent-Type: text/x\r\n" in head
        assert b"\r\nContent-Length: 2\r\n" in head
        assert b"\r\nAuthorization: Bearer t0ken\r\n" in head


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n{}"]
)
async def test_an_exchange_that_breaks_is_not_repeated(answer: bytes) -> None:
    async with reading(answer) as (reader, server):
        with pytest.raises(errors.TransportError) as broken:
            await post(reader, seconds=0.1)
        assert not isinstance(broken.value, errors.NotSent)
        assert len(server.heads) == 1
        assert not reader._pool._idle


async def test_an_exchange_without_a_connection_was_not_sent() -> None:
    closed = PlainReader(Transport(ClusterConfig(server="http://127.0.0.1:1"), user_agent="test"))
    with pytest.raises(errors.NotSent):
        await post(closed)


async def test_an_exchange_is_fenced_and_cannot_be_made_two() -> None:
    async with reading(b"%bContent-Length: 2\r\n\r\n{}" % OK) as (reader, server):
        with pytest.raises(ValueError, match="line end"):
            await post(reader, name="a\r\nb: c")
        reader._transport.guard = _lost
        with pytest.raises(errors.LeaseLost):
            await post(reader)
        assert not server.heads


def _lost() -> None:
    raise errors.LeaseLost


async def test_silence_is_nothing() -> None:
    async with reading(b"") as (reader, _):
        assert await reader.get("/x", timeout=0.05) is None
    closed = PlainReader(Transport(ClusterConfig(server="http://127.0.0.1:1"), user_agent="test"))
    assert await closed.get("/x", timeout=5) is None


async def test_many_at_once_use_many_connections() -> None:
    async with reading(b"%bContent-Length: 2\r\n\r\n{}" % OK, piece=3) as (reader, server):
        assert set(await asyncio.gather(*(reader.get("/x", timeout=5) for _ in range(10)))) == {b"{}"}
        assert server.connections == 10
        assert await reader.get("/x", timeout=5) == b"{}"
        assert server.connections == 10
