"""Connections whose sockets belong to the event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from missioncontrol.kube import connector
from missioncontrol.kube.connector import Connector
from missioncontrol.kube.keepalive import KEEPALIVE
from missioncontrol.kube.keepalive import keep_alive as kept


def test_connections_that_are_reset_while_they_begin_cost_no_other_one_its_descriptor() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.kube.resets"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """Begins an answer, and ends it when the client has gone."""

    async def begin(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        return response

    application = web.Application()
    application.router.add_get("/", begin)
    async with TestServer(application) as running:
        yield running


async def test_a_peer_that_vanished_is_noticed_by_the_socket_itself(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.Transport] = []
    monkeypatch.setattr(connector, "keep_alive", lambda each: made.append(each) or kept(each))
    async with aiohttp.ClientSession(connector=Connector()) as session, session.get(server.make_url("/")):
        ours = made[0].get_extra_info("socket")
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE["TCP_KEEPIDLE"]


async def test_every_address_of_a_name_is_tried(server: TestServer) -> None:
    class Twice(aiohttp.abc.AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[aiohttp.abc.ResolveResult]:
            return [
                aiohttp.abc.ResolveResult(
                    hostname=host, host=address, port=port, family=socket.AF_INET, proto=6, flags=0
                )
                for address in ("127.0.0.2", "127.0.0.1")
            ]

        async def close(self) -> None:
            pass

    async with (
        aiohttp.ClientSession(connector=Connector(resolver=Twice())) as session,
        session.get(f"http://two.test:{server.port}/") as response,
    ):
        assert response.status == 200


async def test_what_does_not_connect_in_time_is_a_timeout() -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    with full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(address)
        limits = aiohttp.ClientTimeout(sock_connect=0.2)
        async with aiohttp.ClientSession(connector=Connector(), timeout=limits) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"http://127.0.0.1:{address[1]}/")
        for each in fillers:
            each.close()


async def test_what_is_no_tls_is_told_apart_from_what_is_not_there() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is no TLS, whatever it is\n")
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        aiohttp.ClientSession(connector=Connector(ssl=ssl.create_default_context())) as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorSSLError):
            await session.get(f"https://127.0.0.1:{port}/")
    async with aiohttp.ClientSession(connector=Connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://127.0.0.1:9/")
