"""The life of the server: its store away or slow, new certificates, the end. Each test starts its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from missioncontrol.api.resources import STORED_CLUSTERS
from missioncontrol.local import processes
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.apiserver.conftest import Facade, Obj, Proxy, another_replica, client_context, until

Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"


class Relay:
    """A wire to kube-apiserver that can be cut, or filled with mud."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._cut = True
        for task in self._tasks:
            task.cancel()

    def stall(self) -> None:
        self._flowing.clear()

    def mend(self) -> None:
        self._cut = False
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    await self._flowing.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.transport.abort()


@pytest.fixture
async def relay(facade: Facade) -> AsyncIterator[Relay]:
    async with Relay(facade.plane.ports.apiserver) as wire:
        yield wire


@pytest.fixture
async def server(facade: Facade, relay: Relay, tmp_path: Path) -> AsyncIterator[Facade]:
    """A second replica, whose wire to the store is the relay."""
    replica = another_replica(facade, tmp_path, store=f"https://127.0.0.1:{relay.port}")
    await asyncio.to_thread(replica.start)
    try:
        yield replica
    finally:
        await asyncio.to_thread(replica.stop)


@pytest.fixture
async def front(server: Facade) -> AsyncIterator[Proxy]:
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Proxy(session, server.url)


async def test_the_store_away_is_said_at_once_and_recovers(
    front: Proxy, relay: Relay, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    assert (await front.json("POST", path, json=cluster()))[0] == 201
    relay.cut()
    began = time.monotonic()
    for method, options in (("GET", {}), ("POST", {"json": cluster("other")})):
        async with front.request(method, path, **options) as answer:
            document = await answer.json()
            assert (answer.status, document["reason"]) == (503, "ServiceUnavailable")
    async with front.request("GET", path) as answer:
        assert answer.headers["Retry-After"] == "1"
    assert time.monotonic() - began < 5
    for fixed in (GV, "/apis", "/openapi/v2", "/openapi/v3", "/livez", "/readyz"):
        async with front.request("GET", fixed, user="system:kube-aggregator", groups="") as answer:
            assert answer.status == 200, fixed
    async with front.request("GET", path, user="eve", groups="system:authenticated") as answer:
        assert answer.status == 503
    relay.mend()
    async with asyncio.timeout(10):
        while (await front.json("GET", path))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_slow_store_costs_no_more_than_the_clients_time(
    front: Proxy, relay: Relay, namespace: str
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    assert (await front.json("GET", path))[0] == 200
    relay.stall()
    began = time.monotonic()
    status, document = await front.json("GET", f"{path}?timeout=1s")
    assert (status, document["reason"]) == (504, "Timeout")
    assert 0.9 < time.monotonic() - began < 3
    began = time.monotonic()
    assert (await front.json("GET", GV))[0] == 200
    assert time.monotonic() - began < 0.5
    relay.mend()
    assert (await front.json("GET", path))[0] == 200


async def test_a_watch_survives_a_break_behind_the_server(
    front: Proxy, relay: Relay, facade: Facade, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    _, made = await front.json("POST", path, json=cluster())
    async with front.request("GET", f"{path}?watch=true&resourceVersion=0") as answer:
        event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["metadata"]["uid"]) == ("ADDED", made["metadata"]["uid"])
        relay.cut()
        with facade.admin as admin:
            admin.request("DELETE", STORED_CLUSTERS.path(namespace, "demo"))
        relay.mend()
        async with asyncio.timeout(30):
            event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "demo")
    version = made["metadata"]["resourceVersion"]
    async with front.request("GET", f"{path}?watch=true&resourceVersion={version}") as answer:
        assert json.loads(await answer.content.readline())["type"] == "DELETED"


async def test_a_new_certificate_is_served_without_a_restart(server: Facade, front: Proxy) -> None:
    assert (await front.json("GET", GV))[0] == 200
    now = datetime.datetime.now(datetime.UTC)
    ca = new_ca("another", now=now, lifetime=datetime.timedelta(days=1))
    leaf = issue(
        ca,
        common_name="new",
        usages=[Usage.SERVER],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=datetime.timedelta(1),
    )
    folder = server.folder
    save(leaf, folder / "new.crt", folder / "new.key")
    os.replace(folder / "new.key", folder / "tls.key")
    os.replace(folder / "new.crt", folder / "tls.crt")
    context = ssl.create_default_context(cadata=ca.cert_pem.decode())
    async with asyncio.timeout(15), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{server.url}/livez", ssl=context) as answer:
                    assert answer.status == 200
                    break
            await asyncio.sleep(0.2)
    assert (await front.json("GET", GV))[0] == 200


async def test_the_end_lets_watches_finish(server: Facade, front: Proxy, namespace: str) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    async with front.request("GET", f"{path}?watch=true") as answer:
        assert server.process is not None
        os.kill(server.process.pid, 15)
        async with asyncio.timeout(10):
            assert await answer.content.read() == b""
    identity = server.process
    await asyncio.to_thread(
        until, lambda: not processes.is_running(identity), "the server has ended", seconds=10
    )
    log = server.log.read_text()
    assert "draining" in log
    assert "Traceback" not in log


async def test_too_many_at_once_are_sent_away(
    facade: Facade, server: Facade, relay: Relay, namespace: str
) -> None:
    await asyncio.to_thread(server.stop)
    server.argv += ["--max-requests-inflight", "2"]
    await asyncio.to_thread(server.start)
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    who = {"user": "eve", "groups": "system:authenticated"}
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters?timeout=2s"
    async with aiohttp.ClientSession(connector=connector) as session:
        front = Proxy(session, server.url)
        relay.stall()
        held = [asyncio.create_task(front.json("GET", path, **who)) for _ in range(2)]
        await asyncio.sleep(0.3)
        async with front.request("GET", path, **who) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            assert (await answer.json())["reason"] == "TooManyRequests"
        async with front.request("GET", GV, **who) as answer:
            assert answer.status == 200
        assert {status for status, _ in await asyncio.gather(*held)} == {504}
        relay.mend()
