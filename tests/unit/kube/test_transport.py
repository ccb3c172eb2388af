"""Budgets, retries, fences and errors of a call."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from missioncontrol.api.resources import CONFIG_MAPS, SECRETS
from missioncontrol.kube import errors
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from tests.unit.kube.scripted import abort, answer, config_map, reset, scripted, stall, status, watch

OK = answer(200, config_map("one", 1))


async def get(client: Client) -> dict[str, object]:
    return await client.get(CONFIG_MAPS, "one", namespace="n")


@pytest.mark.parametrize("code", [429, 503])
async def test_who_is_asked_to_come_back_later_does(code: int) -> None:
    busy = answer(code, status(code, "Busy"), Retry_After="0")
    async with scripted(busy, busy, OK) as (client, script):
        await get(client)
        assert len(script.requests) == 3


async def test_a_write_is_repeated_only_when_the_server_has_not_taken_it() -> None:
    busy = answer(429, status(429, "TooManyRequests"), Retry_After="0")
    async with scripted(busy, OK) as (client, script):
        await client.create(CONFIG_MAPS, config_map("one", 0))
        assert len(script.requests) == 2
    async with scripted(reset(), OK) as (client, script):
        with pytest.raises(errors.TransportError):
            await client.create(CONFIG_MAPS, config_map("one", 0))
        assert len(script.requests) == 1


async def test_a_refusal_without_retry_after_is_an_answer() -> None:
    evicted = answer(429, status(429, "TooManyRequests", "would violate the disruption budget"))
    async with scripted(evicted, OK) as (client, script):
        with pytest.raises(errors.TooManyRequests, match="disruption budget"):
            await get(client)
        assert len(script.requests) == 1


async def test_a_wait_beyond_the_budget_is_left_to_the_caller() -> None:
    async with scripted(answer(503, status(503, "Away"), Retry_After="60")) as (client, _):
        began = time.monotonic()
        with pytest.raises(errors.Unavailable) as refused:
            await get(client)
        assert refused.value.retry_after == 60
        assert time.monotonic() - began < 1


async def test_a_read_whose_connection_broke_is_tried_once_more() -> None:
    async with scripted(reset(), OK) as (client, _):
        await get(client)
    async with scripted(reset()) as (client, script):
        with pytest.raises(errors.TransportError):
            await get(client)
        assert len(script.requests) == 2


async def test_a_write_on_a_connection_that_died_idle_is_not_repeated() -> None:
    async with scripted(OK, reset(), OK) as (client, script):
        await client.replace(CONFIG_MAPS, config_map("one", 0))
        with pytest.raises(errors.TransportError):
            await client.delete(CONFIG_MAPS, "one", namespace="n")
        assert len(script.requests) == 2


async def test_a_server_that_says_nothing_costs_no_more_than_the_budget() -> None:
    async with scripted(watch(then=stall), timeout=0.3) as (client, _):
        began = time.monotonic()
        with pytest.raises(errors.TransportError, match="no answer"):
            await get(client)
        assert time.monotonic() - began < 5


async def test_nobody_listening_is_a_transport_error() -> None:
    async with Client(ClusterConfig(server="http://127.0.0.1:9"), user_agent="test") as client:
        with pytest.raises(errors.TransportError):
            await get(client)


async def test_a_body_that_is_cut_is_a_transport_error() -> None:
    async with scripted(watch(b'{"half', then=abort)) as (client, _):
        with pytest.raises(errors.TransportError):
            await get(client)


async def test_what_came_compressed_is_as_it_was() -> None:
    whole = {**config_map("one", 1), "data": {"v": "x" * 500_000}}
    packed = gzip.compress(json.dumps(whole).encode())
    async with scripted(answer(200, packed, Content_Encoding="gzip")) as (client, script):
        assert await get(client) == whole
        assert script.requests[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(gzip.compress(b"{}")[:-4], "gzip", id="cut"),
        pytest.param(b"{}", "gzip", id="not compressed at all"),
        pytest.param(b"{}", "br", id="compressed in a way that was not asked for"),
    ],
)
async def test_what_cannot_be_unpacked_is_a_transport_error(body: bytes, encoding: str) -> None:
    async with scripted(answer(200, body, Content_Encoding=encoding)) as (client, _):
        with pytest.raises(errors.TransportError):
            await get(client)


CASES = {
    "a Status is typed by its code": (404, status(404, "NotFound"), errors.NotFound),
    "a conflict is a conflict": (409, status(409, "Conflict"), errors.Conflict),
    "a taken name is its own type": (409, status(409, "AlreadyExists"), errors.AlreadyExists),
    "a page of a proxy is reduced to its code": (403, b"<html>token=abc</html>", errors.Forbidden),
    "an unknown code is an ApiError": (418, b"", errors.ApiError),
    "an expired version": (410, status(410, "Expired"), errors.Expired),
    "a broken rule": (422, status(422, "Invalid"), errors.Invalid),
}


@pytest.mark.parametrize(("code", "body", "kind"), CASES.values(), ids=CASES.keys())
async def test_errors_are_typed_and_say_nothing_they_should_not(
    code: int, body: object, kind: type[errors.ApiError]
) -> None:
    async with scripted(answer(code, body)) as (client, _):
        with pytest.raises(errors.ApiError) as refused:
            await client.get(SECRETS, "one", namespace="n")
    assert type(refused.value) is kind
    assert "token" not in str(refused.value)


def test_long_messages_are_cut() -> None:
    error = errors.from_status(status(400, "BadRequest", "x" * 100_000))
    assert len(error.message) == errors.MESSAGE_LIMIT


async def test_the_token_file_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    async with scripted(OK, answer(401, status(401, "Unauthorized")), OK) as (plain, script):
        config = ClusterConfig(server=plain.config.server, token_file=token)
        async with Client(config, user_agent="test") as client:
            await get(client)
            token.write_text("new\n")
            await get(client)
        sent = [request.headers["Authorization"] for request in script.requests]
    assert sent == ["Bearer old", "Bearer old", "Bearer new"]


async def test_the_guard_is_asked_before_each_write_also_a_repeated_one() -> None:
    asked = 0

    def guard() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise errors.LeaseLost("lost")

    busy = answer(503, status(503, "Busy"), Retry_After="0")
    async with scripted(busy, OK) as (client, script):
        client.guard = guard
        with pytest.raises(errors.LeaseLost):
            await client.create(CONFIG_MAPS, config_map("one", 0))
        assert len(script.requests) == 1
        assert asked == 2


async def test_names_are_encoded_and_raw_queries_pass_untouched() -> None:
    async with scripted(OK) as (client, script):
        await client.get(CONFIG_MAPS, "system:a%2Fb", namespace="n")
        await client.request("GET", "/api/v1/namespaces/n/configmaps", query="labelSelector=a%3Db&watch=0")
        assert script.requests[0].rel_url.raw_path.endswith("/configmaps/system%3Aa%252Fb")
        assert script.requests[1].rel_url.raw_query_string == "labelSelector=a%3Db&watch=0"


async def test_a_closed_client_stays_closed() -> None:
    async with scripted(OK) as (client, _):
        await client.close()
        with pytest.raises(errors.TransportError, match="closed"):
            await get(client)


async def test_a_stream_gives_long_lines_whole_and_can_be_aborted() -> None:
    long = b"x" * 3_000_000
    async with (
        scripted(watch(long + b"\nshort\n", then=stall)) as (client, _),
        client.stream("/watch") as stream,
    ):
        lines = stream.lines()
        assert await anext(lines) == long
        assert await anext(lines) == b"short"
        asyncio.get_running_loop().call_later(0.05, stream.abort)
        async with asyncio.timeout(10):
            with pytest.raises(errors.TransportError, match="closed"):
                await anext(lines)
