"""The store (kube-apiserver) slow, gone and back, under the eyes of clients that come to us straight."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.integration.extension.conftest import Make, Site, is_available, restart
from tests.integration.extension.traffic import Traffic, Way
from tests.servers import GV, Proxy
from tests.waiting import eventually, until

CLIENTS = 5
MASTER = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}
FROM_MEMORY = (GV, "/apis", "/openapi/v2", "/openapi/v3", "/livez", "/readyz")


@pytest.fixture
async def traffic(site: Site, proxy: Proxy, namespace: str, cluster: Make) -> AsyncIterator[Traffic]:
    """A few clients that talk straight to the replicas."""
    base = f"{GV}/namespaces/{namespace}"
    assert (await proxy.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    for number in range(CLIENTS):
        assert (await proxy.json("POST", f"{base}/rollingrestarts", json=restart(f"w{number}")))[0] == 201
    _, listed = await proxy.json("GET", f"{base}/rollingrestarts")
    since = int(listed["metadata"]["resourceVersion"])
    made = Traffic(f"{base}/rollingrestarts", [Way(site.url, site.front_proxy(), MASTER)], 1, pause=0.2)
    watching = [asyncio.create_task(made.watch(number, since)) for number in range(CLIENTS)]
    try:
        yield made
    finally:
        for each in watching:
            each.cancel()


async def run_clients(traffic: Traffic, *, seconds: float) -> None:
    """Read and write for a while; then all watchers must have the same story, without holes."""
    traffic.stopped.clear()
    works = [asyncio.create_task(work(n)) for n in range(CLIENTS) for work in (traffic.read, traffic.write)]
    await asyncio.sleep(seconds)
    traffic.stopped.set()
    await asyncio.gather(*works)
    newest = max(traffic.versions.values())
    final = {f"w{number}": version for number, version in traffic.versions.items()}
    await until(
        lambda: all(e and e[-1][2] >= newest for e in traffic.seen),
        f"all have seen the last; some were told {traffic.refused}",
        timeout=30,
    )
    assert not traffic.failures, traffic.failures[:5]
    assert not traffic.unclear, traffic.unclear[:5]
    for events in traffic.seen:
        versions = [version for _, _, version in events]
        assert versions == sorted(set(versions))
        assert {name: version for _, name, version in events} == final


async def served_from_memory(proxy: Proxy) -> None:
    """What kube-apiserver probes and polls is there, and at once."""
    for path in FROM_MEMORY:
        began = time.monotonic()
        async with proxy.request("GET", path, user="system:kube-aggregator", groups="") as answer:
            assert answer.status == 200, path
        assert time.monotonic() - began < 5, path


async def test_a_store_that_hangs_costs_no_more_than_the_time_given(
    site: Site, proxy: Proxy, traffic: Traffic
) -> None:
    await run_clients(traffic, seconds=0.5)
    process = site.plane.processes["kube-apiserver"]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        write = {"metadata": {"annotations": {"example.com/hangs": "yes"}}}
        status, answer = await proxy.json(
            "PATCH",
            f"{traffic.collection}/w0?timeout=1s",
            json=write,
            headers={"Content-Type": "application/merge-patch+json"},
        )
        # whether it was done is not known; or it is: where a connection had to be made first, it was not sent
        assert (status, answer["reason"]) in ((504, "Timeout"), (503, "ServiceUnavailable"))
        async with proxy.request("GET", f"{traffic.collection}?timeout=1s") as answer:
            assert answer.status in (503, 504)
        assert time.monotonic() - began < 10
        await served_from_memory(proxy)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while (await proxy.json("GET", f"{traffic.collection}/w0"))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await run_clients(traffic, seconds=0.5)


async def test_a_store_that_is_gone_is_said_at_once_and_not_stormed(
    site: Site, proxy: Proxy, traffic: Traffic
) -> None:
    await run_clients(traffic, seconds=0.5)
    await asyncio.to_thread(site.plane.stop_component, "kube-apiserver", kill=True)
    knocks = await knocks_during(site, 3.0, proxy, traffic)
    site.plane.start_component("kube-apiserver")
    began = time.monotonic()
    async with asyncio.timeout(60):
        while (await proxy.json("GET", f"{traffic.collection}/w0"))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    print(f"{knocks} connections in three seconds; back after {time.monotonic() - began:.1f} s")
    # three requests of this test, and the watches of two replicas and the webhooks trying again
    assert knocks < 150
    await asyncio.to_thread(wait_for_kubernetes, site)
    await run_clients(traffic, seconds=0.5)


async def knocks_during(site: Site, seconds: float, proxy: Proxy, traffic: Traffic) -> int:
    """Stand in the place of kube-apiserver, hang up on everybody, and count."""
    knocks = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.transport.abort()

    # controllers of Kubernetes have their own ways
    manager = site.plane.processes["kube-controller-manager"]
    os.kill(manager.pid, signal.SIGSTOP)
    server = await asyncio.start_server(hang_up, "127.0.0.1", site.plane.ports.apiserver)
    try:
        began = time.monotonic()
        for method, options in (("GET", {}), ("POST", {"json": restart("new")}), ("DELETE", {})):
            async with proxy.request(method, traffic.collection, **options) as answer:
                body = await answer.json(content_type=None) if method != "DELETE" else {}
                assert answer.status == 503
                assert body.get("reason", "ServiceUnavailable") == "ServiceUnavailable"
                if method == "GET":
                    assert answer.headers["Retry-After"] == "1"
        assert time.monotonic() - began < 5
        await served_from_memory(proxy)
        await asyncio.sleep(seconds)
    finally:
        server.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(manager.pid, signal.SIGCONT)
    return knocks


def wait_for_kubernetes(site: Site) -> None:
    """Until others can go on: kube-apiserver, its view of us, and the controllers."""
    site.plane.wait_component("kube-apiserver")
    with site.admin as admin:
        eventually(lambda: is_available(admin), "our resources can be used")
    eventually(site.webhooks.is_ready, "the webhooks are ready")
