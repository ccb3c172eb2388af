"""What one replica of the API server takes: time to start, memory with a large fleet, CPU at rest."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import uvloop

from missioncontrol.api.resources import (
    MISSION_CONTROL_CLUSTERS,
    OPERATIONS,
    ROLLING_RESTARTS,
    STORED_CLUSTERS,
    STORED_OPERATIONS,
    Resource,
)
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.benchmarks.lean import Target, Watcher, load
from tests.benchmarks.test_api import NAMESPACE, realistic
from tests.benchmarks.usage import Usage
from tests.servers import another_replica, serving

Obj = dict[str, Any]
CLUSTERS = 1_000
OPERATION_COUNT = 10_000
WATCHES = 1_000


def operation(number: int) -> Obj:
    """A restart that is done, with its plan: about 3 KiB with what the server adds."""
    steps = [
        {
            "datacenter": f"dc{number}",
            "rack": f"r{rack}",
            "pods": [f"c0001-dc{number}-r{rack}-sts-{ordinal}" for ordinal in range(3)],
            "action": "restart",
            "availability": "one node of the rack is away at a time",
        }
        for number in range(1, 3)
        for rack in range(1, 4)
    ]
    status = {
        "phase": "Complete",
        "message": "all nodes were restarted",
        "conditions": [
            {"type": kind, "status": "True", "reason": "AsExpected", "message": "",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}
            for kind in ("Planned", "Running", "Complete")
        ],
        "plan": {"steps": steps, "podsTouched": 18, "blocking": [], "message": "18 nodes, rack by rack"},
    }  # fmt: skip
    return {
        "apiVersion": STORED_OPERATIONS.api_version,
        "kind": STORED_OPERATIONS.kind,
        "metadata": {"name": f"rollingrestart.r{number:05}"},
        "spec": {"type": "RollingRestart", "clusterName": f"c{number % CLUSTERS:04}", "rollingrestart": {}},
        "status": status,
    }


def _creations(target: Target, kind: Resource, bodies: Iterator[Obj]) -> Iterator[bytes]:
    for body in bodies:
        document = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
        yield target.send("POST", kind.path(NAMESPACE), json.dumps(document).encode())


def _statuses(target: Target) -> Iterator[bytes]:
    for number in range(OPERATION_COUNT):
        body = operation(number)
        path = STORED_OPERATIONS.path(NAMESPACE, body["metadata"]["name"], "status")
        patch = json.dumps({"status": body["status"]}).encode()
        yield target.send("PATCH", path, patch, "application/merge-patch+json")


def test_a_replica_with_a_large_fleet(
    binaries: Programs, control_plane: ControlPlane, tmp_path_factory: Any
) -> None:
    plane, folder = control_plane, tmp_path_factory.mktemp("facade")
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    context.load_cert_chain(plane.admin.cert, plane.admin.key)
    store = Target("127.0.0.1", int(plane.server.rpartition(":")[2]), context)
    with (
        serving(plane, binaries, folder) as facade,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        with plane.admin_client() as admin:
            admin.create_namespace(NAMESPACE)
        runner.run(_fill(store))
        replica = another_replica(facade, tmp_path_factory.mktemp("replica"))
        began = time.monotonic()
        replica.start()
        print(f"\nstart to ready: {time.monotonic() - began:.2f} s (asked for every 0.05 s)")
        usage = Usage(replica.pid)
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        pair = plane.front_proxy_client
        context.load_cert_chain(pair.cert, pair.key)
        front = Target(
            "127.0.0.1", replica.port, context, "X-Remote-User: root\r\nX-Remote-Group: system:masters\r\n"
        )
        try:
            runner.run(_measure(front, usage))
        finally:
            replica.stop()


async def _fill(store: Target) -> None:
    clusters = _creations(store, STORED_CLUSTERS, (realistic(f"c{n:04}") for n in range(CLUSTERS)))
    await load(store, clusters, clients=16, seconds=300, expected=201)
    operations = _creations(store, STORED_OPERATIONS, (operation(n) for n in range(OPERATION_COUNT)))
    await load(store, operations, clients=32, seconds=300, expected=201)
    await load(store, _statuses(store), clients=32, seconds=300)


async def _measure(front: Target, usage: Usage) -> None:
    kinds = (MISSION_CONTROL_CLUSTERS, OPERATIONS, ROLLING_RESTARTS)
    lists = [front.get(kind.path(NAMESPACE) + "?resourceVersion=0") for kind in kinds]
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    lists += [front.get(kind.path(NAMESPACE) + "?resourceVersion=0", table) for kind in kinds]
    async with asyncio.timeout(120):
        # as long as the copy is not complete, lists are the store's own, and slow
        while (first := await load(front, itertools.repeat(lists[1]), clients=1, seconds=5)).rate < 1:
            usage.peak()
    print(
        f"operations listed: {first.received / first.answers / 1e6:.1f} MB, {first.rate:.1f} times a second"
    )
    print(f"memory, the copy complete and operations listed: {usage.rss:.0f} MB, at most {usage.peak():.0f}")
    for request in lists:
        await load(front, itertools.repeat(request), clients=2, seconds=0.5)
    print(
        f"memory, everything listed as objects and as tables: {usage.rss:.0f} MB, at most {usage.peak():.0f}"
    )
    watchers = await _watch(front)
    print(f"memory, with {WATCHES} watches: {usage.rss:.0f} MB, at most {usage.peak():.0f}")
    before = usage.cpu
    await asyncio.sleep(10)
    print(f"CPU with {WATCHES} watches and nothing to tell: {(usage.cpu - before) / 10:.1%}")
    for watcher in watchers:
        assert watcher.transport is not None
        assert not watcher.transport.is_closing()
        watcher.transport.abort()
    await asyncio.sleep(0.1)


async def _watch(front: Target) -> list[Watcher]:
    loop = asyncio.get_running_loop()
    path = OPERATIONS.path(NAMESPACE) + "?watch=true&fieldSelector=metadata.name%3Dnone"
    watchers = []
    for _ in range(WATCHES):
        _, watcher = await loop.create_connection(
            lambda: Watcher(front.get(path + "&resourceVersion=0"), lambda _: None),
            front.host, front.port, ssl=front.context, server_hostname="localhost",
        )  # fmt: skip
        await watcher.opened
        watchers.append(watcher)
    return watchers
