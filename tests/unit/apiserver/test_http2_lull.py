"""HTTP/2: what is in no hurry is read together, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import ssl

import h2.events
import h2.settings
import pytest
from aiohttp import web

from apiserver.http2 import frames, lull
from tests.unit.apiserver.http2_client import Client, connected, hello, listening
from tests.waiting import until

LONG = 30.0
"""Longer than the patience of a test."""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many words in no hurry came in each read that had such."""
    numbers: list[int] = []
    genuine = lull.Lull.heard

    def remember(self: lull.Lull, number: int) -> None:
        numbers.append(number)
        genuine(self, number)

    monkeypatch.setattr(lull.Lull, "heard", remember)
    monkeypatch.setattr(lull, "WITHIN_SECONDS", LONG)
    return numbers


async def going_on(request: web.BaseRequest) -> web.StreamResponse:
    """A watch, which never ends; everything else is answered at once."""
    if request.path != "/watch":
        return await hello(request)
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"event")
    await asyncio.Event().wait()
    return response


async def watch(client: Client) -> int:
    number = client.get("/watch")
    await client.event(h2.events.DataReceived, number)
    return number


async def say(client: Client, number: int, times: int) -> None:
    """So many words, each in a write of its own."""
    for _ in range(times):
        client.raw(frames.window_update(number, 1))
        await asyncio.sleep(0)


async def test_many_windows_that_nobody_waits_for_are_read_together(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lull, "LULL_SECONDS", 0.2)
    async with listening(context, going_on) as server, connected(server) as client:
        number = await watch(client)
        await say(client, number, lull.MANY)
        await until(lambda: sum(heard) >= lull.MANY)
        before = len(heard)
        await say(client, number, 200)
        await until(lambda: sum(heard) >= lull.MANY + 200)
        # a machine that stands still for that long reads once more in between
        assert len(heard) - before < 20


async def test_what_is_asked_in_a_lull_is_answered_after_it(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lull, "LULL_SECONDS", 0.1)
    async with listening(context, going_on) as server, connected(server) as client:
        number = await watch(client)
        for _ in range(3):
            await say(client, number, lull.MANY)
            assert (await client.answer(client.get("/a")))[0] == 200
        assert heard


async def test_a_few_words_make_nobody_wait(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lull, "LULL_SECONDS", LONG)
    async with listening(context, going_on) as server, connected(server) as client:
        number = await watch(client)
        await say(client, number, lull.MANY - 1)
        assert (await client.answer(client.get("/a")))[0] == 200
        assert 0 < sum(heard) < lull.MANY


async def test_windows_that_somebody_waits_for_are_read_at_once(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lull, "LULL_SECONDS", LONG)
    body = b"x" * 4000

    async def large(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with listening(context, large) as server, connected(server) as client:
        client.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 40})
        client.flush()
        await until(lambda: len(client.of(h2.events.SettingsAcknowledged)) > 1)
        # the client opens the window with each part that comes: a hundred times
        assert (await client.answer(client.get()))[2] == body
        assert sum(heard) < lull.MANY


async def test_answers_that_were_read_make_nobody_wait(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has read one asks for the next."""
    monkeypatch.setattr(lull, "LULL_SECONDS", LONG)
    async with listening(context, going_on) as server, connected(server) as client:
        for _ in range(2 * lull.MANY):
            number = client.get("/a")
            await client.answer(number)
            client.raw(frames.window_update(number, 1))
        assert not heard


async def test_a_connection_may_end_in_a_lull(
    context: ssl.SSLContext, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lull, "LULL_SECONDS", 0.1)
    for by_client in (True, False):
        heard.clear()
        async with listening(context, going_on) as server, connected(server) as client:
            await say(client, await watch(client), lull.MANY)
            await until(lambda: sum(heard) >= lull.MANY)
            if by_client:
                await client.end()
            else:
                await server.drain(0)
                await client.closed.wait()
