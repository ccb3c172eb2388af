"""Answers that are read while they arrive, in whatever pieces they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.kube import incoming
from missioncontrol.kube.head import Odd
from missioncontrol.kube.incoming import HIGH, Incoming

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OF_TEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n"


class Wire:
    """Stands for the transport."""

    def __init__(self) -> None:
        self.answer = Incoming()
        self.paused = False
        self.transport = Mock()
        self.transport.get_extra_info.return_value = None
        self.transport.is_closing.return_value = False
        self.transport.pause_reading.side_effect = lambda: self._pause(True)
        self.transport.resume_reading.side_effect = lambda: self._pause(False)
        self.answer.connection_made(cast(asyncio.BaseTransport, self.transport))

    def _pause(self, paused: bool) -> None:
        self.paused = paused

    @property
    def aborted(self) -> bool:
        return bool(self.transport.abort.called)

    async def asked(self) -> bytes:
        """The whole answer to a request."""
        await self.answer.ask(b"GET")
        return await self.rest()

    async def rest(self) -> bytes:
        """All that can be read until the end."""
        whole = b""
        async with asyncio.timeout(5):
            while data := await self.answer.read():
                whole += data
        return whole


class Clock:
    """The time of an answer's loop, moved by hand; one timer at a time."""

    def __init__(self, wire: Wire) -> None:
        self.now, self._due = 0.0, 0.0
        self._call: Callable[[], None] | None = None
        wire.answer._loop = cast(asyncio.AbstractEventLoop, self)

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def call_at(self, due: float, call: Callable[[], None]) -> Mock:
        self._due, self._call = due, call
        return Mock()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Mock:
        return self.call_at(self.now + seconds, call)

    def advance(self, seconds: float) -> None:
        """Let time pass, and what is due then happen."""
        end = self.now + seconds
        while self._call is not None and self._due <= end:
            self.now, call, self._call = self._due, self._call, None
            call()
        self.now = end


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(data) for place in places), len(data)]
    return [data[first:last] for first, last in pairwise(edges)]


@given(
    parts=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    places=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(parts: list[bytes], places: list[int]) -> None:
    async def read() -> None:
        wire = Wire()
        for piece in cut(CHUNKED + b"".join(map(chunk, parts)) + b"0\r\n\r\n", places):
            wire.answer.data_received(piece)
        assert (await wire.answer.ask(b"GET")).status == 200
        assert await wire.rest() == b"".join(parts)
        assert wire.aborted

    asyncio.run(read())


async def test_an_answer_of_a_length_ends_there() -> None:
    wire = Wire()
    wire.answer.data_received(OF_TEN + b"01234")
    wire.answer.data_received(b"56789")
    assert (await wire.answer.ask(b"GET")).status == 403
    assert await wire.rest() == b"0123456789"


async def test_an_answer_of_no_length_ends_with_its_connection() -> None:
    wire = Wire()
    wire.answer.data_received(UNTIL_CLOSED + b"nobody is")
    wire.answer.data_received(b" there")
    wire.answer.connection_lost(None)
    assert await wire.rest() == b"nobody is there"


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("longer than it says", OF_TEN + b"0123456789x"),
        ("parts do not end", CHUNKED + b"2\r\nabcd"),
        ("do not say how long", CHUNKED + b"0" * 40),
        ("none", CHUNKED + b"zz\r\n"),
        ("no length", CHUNKED + b"-5\r\n"),
        ("not HTTP/1.1", b"SSH-2.0 and so on\r\n\r\n"),
        ("does not say how long it is", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
async def test_what_is_no_answer_ends_the_connection(what: str, data: bytes) -> None:
    wire = Wire()
    wire.answer.data_received(data)
    with pytest.raises(Odd, match=what):
        await wire.asked()
    assert wire.aborted


async def test_what_came_before_a_connection_was_lost_is_still_read() -> None:
    wire = Wire()
    wire.answer.data_received(CHUNKED + chunk(b"first") + b"9\r\nhalf")
    wire.answer.connection_lost(ConnectionResetError("reset"))
    assert await wire.answer.read() == b"first"
    assert await wire.answer.read() == b"half"
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match="reset"):
            await wire.answer.read()


async def test_a_connection_that_is_lost_at_once_is_told_to_who_asks() -> None:
    wire = Wire()
    wire.answer.connection_lost(None)
    with pytest.raises(ConnectionResetError, match="closed"):
        await wire.answer.ask(b"GET")
    wire.transport.write.assert_not_called()


async def test_a_server_waits_for_a_reader_who_is_slow() -> None:
    wire = Wire()
    wire.answer.data_received(CHUNKED)
    clock = Clock(wire)
    wire.answer.be_patient(10)
    for _ in range(HIGH // 1000 + 2):
        wire.answer.data_received(chunk(b"x" * 1000))
    assert wire.paused
    clock.advance(25)  # it is not the server that is silent now
    while wire.paused:
        assert await wire.answer.read()
    clock.advance(9)
    assert not wire.aborted


async def test_silence_is_an_error_and_what_is_said_is_none() -> None:
    wire = Wire()
    wire.answer.data_received(CHUNKED)
    clock = Clock(wire)
    wire.answer.be_patient(10)
    for _ in range(4):
        clock.advance(6)
        wire.answer.data_received(chunk(b"x"))
        assert await wire.answer.read() == b"x"
    clock.advance(9)
    assert not wire.aborted
    clock.advance(2)
    with pytest.raises(TimeoutError):
        await wire.answer.read()
    assert wire.aborted


async def test_lasting_connections_ask_for_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(incoming, "keep_alive", asked.append)
    wire = Wire()
    assert asked == [wire.transport]
