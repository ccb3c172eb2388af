"""No read is older than its beginning: what one replica has acknowledged, every replica shows from then on.

For a longer look: FRESHNESS_SECONDS=60 FRESHNESS_SEED=7.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.integration.apiserver.conftest import Obj
from tests.servers import Facade, Proxy, another_replica, client_context

Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"
SECONDS = float(os.environ.get("FRESHNESS_SECONDS", "3"))
SEED = int(os.environ.get("FRESHNESS_SEED", "0")) or random.randrange(1 << 30)
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
GONE = -1


@pytest.fixture
async def ways(facade: Facade, tmp_path: Path) -> AsyncIterator[list[Proxy]]:
    """Two replicas, and kube-apiserver before one of them."""
    other = another_replica(facade, tmp_path)
    await asyncio.to_thread(other.start)
    connector = aiohttp.TCPConnector(ssl=client_context(facade, facade.plane.front_proxy_client), limit=0)
    whole_way = ssl.create_default_context(cafile=str(facade.plane.ca_file))
    whole_way.load_cert_chain(facade.plane.admin.cert, facade.plane.admin.key)
    through = aiohttp.TCPConnector(ssl=whole_way, limit=0)
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            aiohttp.ClientSession(connector=through) as asked,
        ):
            yield [
                Proxy(session, facade.url),
                Proxy(session, other.url),
                Proxy(asked, facade.plane.server),
            ]
    finally:
        await asyncio.to_thread(other.stop)


@dataclass
class History:
    """What has been acknowledged: the latest version of each object, or that it is gone, and since when."""

    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By name: the version of the last write, and the number of that write."""
    writing: set[str] = field(default_factory=set)
    reads: int = 0
    writes: int = 0


async def test_no_read_is_older_than_its_beginning(ways: list[Proxy], namespace: str, cluster: Make) -> None:
    print(f"seed {SEED}")
    history = History()
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    until = time.monotonic() + SECONDS
    chance = random.Random(SEED)
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            seeded = random.Random(chance.random())
            group.create_task(_write(ways, path, f"c{number}", cluster, history, seeded, until))
        for _ in range(12):
            group.create_task(_read(ways, path, history, random.Random(chance.random()), until))
    print(f"{history.writes} writes, {history.reads} reads")
    assert history.writes > 10
    assert history.reads > 30


async def _write(
    ways: list[Proxy],
    path: str,
    name: str,
    cluster: Make,
    history: History,
    chance: random.Random,
    until: float,
) -> None:
    exists = False
    while time.monotonic() < until:
        way = chance.choice(ways)
        history.writing.add(name)
        if not exists:
            status, written = await way.json("POST", path, json=cluster(name))
        elif chance.random() < 0.3:
            status, written = await way.json("DELETE", f"{path}/{name}")
        else:
            patch = {"metadata": {"labels": {"turn": chance.choice(["even", "odd"])}}}
            headers = {"Content-Type": "application/merge-patch+json"}
            status, written = await way.json(
                "PATCH", f"{path}/{name}", data=json.dumps(patch), headers=headers
            )
        assert status < 300, written
        exists = written["kind"] != "Status"
        history.writes += 1
        version = int(written["metadata"]["resourceVersion"]) if exists else GONE
        history.acknowledged[name] = (version, history.writes)
        history.writing.discard(name)
        await asyncio.sleep(chance.random() * 0.02)


async def _read(ways: list[Proxy], path: str, history: History, chance: random.Random, until: float) -> None:
    while time.monotonic() < until:
        way = chance.choice(ways)
        known = dict(history.acknowledged)
        busy = set(history.writing)
        if chance.random() < 0.5 and known:
            name = chance.choice(sorted(known))
            _, found = await way.json("GET", f"{path}/{name}")
            shown = {name: int(found["metadata"]["resourceVersion"])} if found["kind"] != "Status" else {}
            known = {name: known[name]}
        else:
            shown = await _list(way, path, chance)
        history.reads += 1
        for name, (version, write) in known.items():
            # whatever was written while the read was on its way may be shown or not
            if history.acknowledged[name][1] != write or name in busy or name in history.writing:
                if version != GONE and name in shown:
                    assert shown[name] >= version, f"{name} at {shown[name]}, acknowledged {version}"
                continue
            assert shown.get(name, GONE) == version, f"{name}: {shown.get(name)}, acknowledged {version}"


async def _list(way: Proxy, path: str, chance: random.Random) -> dict[str, int]:
    accept = chance.choice(["application/json", TABLE, METADATA])
    query = chance.choice(["", "?limit=500", "?labelSelector=nothing!%3Dx"])
    status, listed = await way.json("GET", path + query, headers={"Accept": accept})
    assert status == 200, listed
    metadata = [row["object"]["metadata"] for row in listed["rows"]] if "rows" in listed else None
    if metadata is None:
        metadata = [item["metadata"] for item in listed["items"] or ()]
    versions = {each["name"]: int(each["resourceVersion"]) for each in metadata}
    assert all(version <= int(listed["metadata"]["resourceVersion"]) for version in versions.values())
    return versions


async def test_how_many_follow_a_page_is_as_new_as_the_page(
    ways: list[Proxy], namespace: str, cluster: Make
) -> None:
    """The store does not say it of one kind among others, and what a replica knows comes a moment later."""
    base = f"{GV}/namespaces/{namespace}"
    one, other, _ = ways
    assert (await one.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    made = 0

    async def make_and_count(worker: int) -> None:
        nonlocal made
        for number in range(10):
            body = {
                "apiVersion": "missioncontrol.io/v1alpha1",
                "kind": "RollingRestart",
                "metadata": {"name": f"r{worker}-{number}"},
                "spec": {"clusterName": "demo"},
            }
            status, answer = await one.json("POST", f"{base}/rollingrestarts", json=body)
            assert status == 201, answer
            made += 1
            before = made
            page = (await other.json("GET", f"{base}/rollingrestarts?limit=1"))[1]
            assert len(page["items"]) + page["metadata"].get("remainingItemCount", 0) >= before

    async with asyncio.TaskGroup() as group:
        for worker in range(16):
            group.create_task(make_and_count(worker))
