"""An operator's whole life against real kube-apiservers: order of start, members that come, go and hang, the
end.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from controllers.runtime import Cluster, Controller, Done, Key, Manager, Outcome
from missioncontrol.api.resources import CONFIG_MAPS, EVENTS, LEASES
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.views import ConfigMap
from tests.waiting import until

MakeClient = Callable[[], Client]


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def operator(client: Client, namespace: str, *, elect: bool = True, lease: int = 3) -> Manager:
    return Manager(
        "test-operator", client, system_namespace=namespace, leader_elect=elect,
        lease_duration=lease, renew_deadline=2, lease_retry=0.2,
    )  # fmt: skip


async def get(manager: Manager, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(manager.probes.url + path) as answer:
        return answer.status, await answer.text()


def config_map(namespace: str, name: str) -> dict[str, object]:
    return {"metadata": {"namespace": namespace, "name": name}}


async def test_it_reconciles_what_is_there_and_what_comes_and_tells_about_itself(
    make_client: MakeClient, client: Client, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await client.create(CONFIG_MAPS, config_map(namespace, "before"))
    manager = operator(make_client(), namespace)
    maps = manager.home.informer(CONFIG_MAPS, ConfigMap, namespace=namespace)
    seen: list[str] = []

    async def reconcile(key: Key) -> Outcome:
        seen.append(key.name)
        found = maps.get(key.namespace, key.name)
        if found is not None:
            manager.recorder.event(CONFIG_MAPS, found.metadata, reason="Seen", note=f"{key} was seen")
        return Done(f"saw {key}")

    manager.controller("maps", reconcile).watch(maps)
    async with running(manager):
        await until(lambda: "before" in seen)
        assert (await get(manager, "/readyz"))[0] == 200
        await client.create(CONFIG_MAPS, config_map(namespace, "after"))
        await until(lambda: "after" in seen)
        _, metrics = await get(manager, "/metrics")
        spec = (await client.get(LEASES, "test-operator", namespace=namespace))["spec"]
        assert spec["holderIdentity"] == manager.identity
    assert 'controller_runtime_reconcile_total{controller="maps",result="error"} 0.0' in metrics
    assert 'workqueue_depth{cluster="",name="maps"} 0.0' in metrics
    assert 'leader_election_master_status{name="test-operator"} 1.0' in metrics
    spec = (await client.get(LEASES, "test-operator", namespace=namespace))["spec"]
    assert spec["holderIdentity"] == ""
    said = [record.message for record in caplog.records if record.name == "controllers.runtime.controller"]
    assert f"saw {namespace}/before" in said
    events = await client.list(EVENTS, namespace=namespace)
    assert {event["note"] for event in events} >= {f"{namespace}/before was seen"}
    assert events[0]["regarding"]["kind"] == "ConfigMap"


async def test_the_next_one_takes_over_at_once_when_the_leader_stops(
    make_client: MakeClient, namespace: str
) -> None:
    first, second = (operator(make_client(), namespace, lease=60) for _ in range(2))
    async with AsyncExitStack() as longer:
        async with running(first):
            await until(lambda: first.leading)
            await longer.enter_async_context(running(second))
            await until(lambda: second.probes.port)
            assert not second.leading
        await until(lambda: second.leading, timeout=20)


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Takes connections and never says a word, as a stopped kube-apiserver does."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_member_that_hangs_delays_no_other_and_is_known_to_be_away(
    make_client: MakeClient, client: Client, namespace: str
) -> None:
    manager = operator(make_client(), namespace, elect=False)
    seen: list[Key] = []
    health: list[tuple[str, bool | None]] = []

    async def reconcile(key: Key) -> Outcome:
        seen.append(key)
        return Done()

    controller = manager.controller("maps", reconcile)
    manager.on_member(lambda cluster: watch_maps(controller, cluster, namespace))
    manager.on_health(lambda cluster: health.append((cluster.name, cluster.health.available)))
    async with running(manager), silent_server() as dark:
        manager.add_cluster("dark", Client(ClusterConfig(server=dark), user_agent="test"))
        manager.add_cluster("bright", make_client())
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        await until(lambda: Key("bright", namespace, "one") in seen)
        await until(lambda: ("dark", False) in health, timeout=12)
        assert ("bright", True) in health
        member = manager.cluster("dark")
        assert member is not None
        assert member.health.message
        assert not member.synced
        await asyncio.wait_for(manager.remove_cluster("dark"), 2)
        await asyncio.wait_for(manager.remove_cluster("bright"), 2)
        _, metrics = await get(manager, "/metrics")
        assert 'cluster="bright"' not in metrics
        # The same name may come again, as another cluster.
        manager.add_cluster("dark", make_client())
        await until(lambda: Key("dark", namespace, "one") in seen)


def watch_maps(controller: Controller, cluster: Cluster, namespace: str) -> None:
    informer = cluster.informer(CONFIG_MAPS, ConfigMap, namespace=namespace)
    controller.watch(informer, cluster=cluster.name)


async def test_a_fault_of_a_reconciler_is_counted_and_tried_again_with_backoff(
    make_client: MakeClient, client: Client, namespace: str
) -> None:
    manager = operator(make_client(), namespace, elect=False)
    maps = manager.home.informer(CONFIG_MAPS, ConfigMap, namespace=namespace)
    tries = 0

    async def reconcile(key: Key) -> Outcome:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise KeyError(json.dumps({"a": "fault"}))
        return Done()

    manager.controller("maps", reconcile).watch(maps)
    await client.create(CONFIG_MAPS, config_map(namespace, "one"))
    async with running(manager):
        await until(lambda: tries == 4)
        await asyncio.sleep(0.1)
        _, metrics = await get(manager, "/metrics")
    assert 'controller_runtime_reconcile_panics_total{controller="maps"} 3.0' in metrics
    assert 'controller_runtime_reconcile_total{controller="maps",result="success"} 1.0' in metrics


async def test_a_cluster_that_never_answered_keeps_the_operator_waiting_not_dead() -> None:
    client = Client(ClusterConfig(server="http://127.0.0.1:9"), user_agent="test")
    manager = Manager("test-operator", client, leader_elect=False)
    manager.home.informer(CONFIG_MAPS, ConfigMap)
    async with running(manager):
        await until(lambda: manager.probes.port)
        await asyncio.sleep(0.2)
        status, text = await get(manager, "/readyz")
        assert status == 500
        assert "configmaps" in text
        assert (await get(manager, "/healthz"))[0] == 200
