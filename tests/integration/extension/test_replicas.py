"""Several replicas, all active: none may have a state that clients could see, and any may go at any time.

`make soak MINUTES=10 SEED=1` runs the same traffic for longer, with replicas ended at random.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import orjson
import pytest

from missioncontrol.api import resources as r
from tests.integration.extension.conftest import LEAVING_SECONDS, Make, Site, restart
from tests.integration.extension.traffic import Traffic, Way, counted
from tests.servers import GV, Proxy, Server
from tests.waiting import until

READERS = WRITERS = 50
WATCHERS = 200
MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
MASTER = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}


@pytest.fixture
async def both(site: Site) -> AsyncIterator[list[Proxy]]:
    """Each replica by itself."""
    connector = aiohttp.TCPConnector(ssl=site.front_proxy())
    async with aiohttp.ClientSession(connector=connector) as session:
        yield [Proxy(session, f"https://127.0.0.1:{each.port}") for each in site.replicas]


async def test_every_replica_says_the_same(both: list[Proxy]) -> None:
    discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    for path, accept in (("/apis", discovery), (GV, ""), ("/openapi/v2", ""), ("/openapi/v3", ""),
                         (f"/openapi/v3{GV}", ""), ("/version", "")):  # fmt: skip
        answers = []
        for each in both:
            async with each.request("GET", path, headers={"Accept": accept} if accept else {}) as answer:
                assert answer.status == 200
                answers.append((await answer.read(), answer.headers.get("ETag")))
        assert answers[0] == answers[1], path


async def test_what_one_replica_began_another_goes_on_with(
    both: list[Proxy], namespace: str, cluster: Make
) -> None:
    one, two = both
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    for number in range(7):
        assert (await both[number % 2].json("POST", path, json=cluster(f"c{number}")))[0] == 201
    names, query, turn = [], "?limit=2", 0
    versions = set()
    while query:
        _, page = await both[turn % 2].json("GET", path + query)
        names += [each["metadata"]["name"] for each in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
        token, turn = page["metadata"].get("continue"), turn + 1
        query = f"?limit=2&continue={quote(token)}" if token else ""
    assert names == [f"c{number}" for number in range(7)]
    assert len(versions) == 1
    version = versions.pop()
    async with one.request("GET", f"{path}?watch=true&resourceVersion={version}") as stream:
        await two.json("DELETE", f"{path}/c0")
        event = json.loads(await stream.content.readline())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "c0")
    await one.json("DELETE", f"{path}/c1")
    resume = event["object"]["metadata"]["resourceVersion"]
    async with two.request("GET", f"{path}?watch=true&resourceVersion={resume}") as stream:
        event = json.loads(await stream.content.readline())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "c1")


async def truth(site: Site, path: str, since: int, events: list[tuple[str, str, int]]) -> None:
    """What really happened, from the store itself, which stays up. It, too, cuts off who reads slowly, and
    then the watch is taken up where it was.
    """
    context = ssl.create_default_context(cafile=str(site.plane.ca_file))
    context.load_cert_chain(site.plane.admin.cert, site.plane.admin.key)
    connector = aiohttp.TCPConnector(ssl=context)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=1 << 20) as session:
        while True:
            url = f"{site.plane.server}{path}?watch=true&resourceVersion={since}"
            with contextlib.suppress(aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
                async with session.get(url) as answer:
                    assert answer.status == 200, await answer.text()
                    async for line in answer.content:
                        event = orjson.loads(line)
                        assert event["type"] != "ERROR", event
                        metadata = event["object"]["metadata"]
                        since = int(metadata["resourceVersion"])
                        events.append(
                            (event["type"], metadata["name"].removeprefix("rollingrestart."), since)
                        )


async def again(server: Server, number: int) -> None:
    """End a replica in one way or the other, and start it again."""
    server.send_signal(number)
    await until(lambda: not server.is_running(), f"{server.log.name} has ended", timeout=40)
    server.start(wait=False)
    await asyncio.to_thread(server.wait_ready)
    await asyncio.sleep(0.5)


async def test_replicas_come_and_go_under_traffic(
    site: Site, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    assert (await proxy.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    made = [proxy.json("POST", f"{base}/rollingrestarts", json=restart(f"w{n}")) for n in range(WRITERS)]
    assert {status for status, _ in await asyncio.gather(*made)} == {201}
    _, listed = await proxy.json("GET", f"{base}/rollingrestarts")
    since = int(listed["metadata"]["resourceVersion"])
    straight = Way(site.url, site.front_proxy(), MASTER)
    admin = ssl.create_default_context(cafile=str(site.plane.ca_file))
    admin.load_cert_chain(site.plane.admin.cert, site.plane.admin.key)
    # one client in five goes the whole way
    ways = [straight, straight, Way(site.plane.server, admin), straight, straight]
    traffic = Traffic(f"{base}/rollingrestarts", ways, SEED)
    happened: list[tuple[str, str, int]] = []
    async with contextlib.AsyncExitStack() as stack:
        store = asyncio.create_task(truth(site, r.STORED_OPERATIONS.path(namespace), since, happened))
        watching = [asyncio.create_task(traffic.watch(number, since)) for number in range(WATCHERS)]
        for task in (store, *watching):
            stack.callback(task.cancel)
        working = [
            asyncio.create_task(work(number))
            for number in range(READERS)
            for work in (traffic.read, traffic.write)
        ]
        await asyncio.sleep(1)
        gentle, harsh = await disturb(site, traffic)
        traffic.stopped.set()
        await asyncio.gather(*working)
        newest = max(traffic.versions.values())
        await until(
            lambda: (store.done() and store.result()) or (bool(happened) and happened[-1][2] >= newest),
            "the store has told all",
        )
        await until(
            lambda: all(events and events[-1][2] >= newest for events in traffic.seen),
            "all have seen the last",
        )
    print(
        f"{traffic.requests} requests, {len(happened)} events to {WATCHERS} watchers; unclear writes: "
        f"{gentle} while replicas were restarted, {harsh} while they were killed"
    )
    assert not traffic.expired
    assert not traffic.failures, "\n".join(traffic.failures[:10])
    assert gentle == 0, "\n".join(f"{idle:.1f} s: {text}" for idle, text in traffic.unclear)
    for number, events in enumerate(traffic.seen):
        assert events == happened, difference(number, events, happened)
    _, listed = await proxy.json("GET", f"{base}/rollingrestarts")
    stored = {each["metadata"]["name"]: int(counted(each)) for each in listed["items"]}
    lost = {n: count for n, count in traffic.acknowledged.items() if stored[f"w{n}"] < count}
    assert not lost
    assert len(traffic.acknowledged) == WRITERS


async def disturb(site: Site, traffic: Traffic) -> tuple[int, int]:
    """Restart and kill; how many writes had an unclear end in each way."""
    unclear = {signal.SIGTERM: 0, signal.SIGKILL: 0}
    chance, began = random.Random(SEED), time.monotonic()
    steps = [(0, signal.SIGTERM), (1, signal.SIGTERM), (0, signal.SIGKILL), (1, signal.SIGKILL)]
    while steps or time.monotonic() - began < MINUTES * 60:
        if not steps:
            steps.append((chance.randrange(2), chance.choice((signal.SIGTERM, signal.SIGKILL))))
        which, number = steps.pop(0)
        before = len(traffic.unclear)
        if number == signal.SIGKILL:
            traffic.killed = time.monotonic()
        await again(site.replicas[which], number)
        # a replica that leaves tells each client with its next answer; who asks for nothing in all that time
        # can be told by nobody, and may meet a connection that is just being closed
        new = [text for idle, text in traffic.unclear[before:] if idle < LEAVING_SECONDS]
        unclear[number] += len(new)
    return unclear[signal.SIGTERM], unclear[signal.SIGKILL]


def difference(number: int, events: list[tuple[str, str, int]], happened: list[tuple[str, str, int]]) -> str:
    missing = [each for each in happened if each not in set(events)]
    extra = [each for each in events if each not in set(happened)]
    doubled = len(events) - len(set(events))
    return f"watcher {number}: missing {missing[:5]}, not in the store {extra[:5]}, {doubled} doubled"
