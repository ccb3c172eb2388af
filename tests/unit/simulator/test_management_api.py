"""The management API over HTTP, without a cluster: pods are made by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientTimeout
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from missioncontrol.local.simulator.calls import CallLog
from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.management_api import ManagementApi
from missioncontrol.local.simulator.ring import Seeds
from missioncontrol.local.simulator.settings import Settings
from missioncontrol.local.simulator.store import Store
from missioncontrol.local.simulator.tenants import Tenants
from missioncontrol.local.simulator.views import ContainerSpec, Pod, PodMeta, PodSpec
from tests.unit.simulator.conftest import Plane


@dataclass
class FixedSeeds:
    """Seeds as the cache has them, and as the server would."""

    old: Seeds
    new: Seeds

    def cached(self, pod: Pod) -> Seeds:
        return self.old

    async def fresh(self, pod: Pod) -> Seeds:
        return self.new


@dataclass
class Api:
    """One plane with the pods a and b."""

    client: Any
    context: Context
    seeds: FixedSeeds
    woken: list[str]
    calls: CallLog
    registry: CollectorRegistry

    async def call(self, method: str, path: str, *, pod: str = "a", **arguments: Any) -> tuple[int, Any]:
        response = await self.client.request(method, f"/pods/ns/{pod}/api/{path}", **arguments)
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text())

    async def get(self, path: str, **arguments: Any) -> tuple[int, Any]:
        return await self.call("GET", path, **arguments)

    async def post(self, path: str, **arguments: Any) -> tuple[int, Any]:
        return await self.call("POST", path, **arguments)

    async def started(self, pod: str) -> None:
        assert (await self.post("v0/lifecycle/start", pod=pod))[0] == 201
        await asyncio.sleep(self.context.settings.start_seconds)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    settings = Settings(
        plane="p1",
        state_dir=tmp_path,
        advertise="http://x",
        pod_cidr="10.1.0.0/16",
        start_seconds=0.05,
        job_seconds=0.1,
        decommission_seconds=0.1,
    )
    store = Store(settings.database, plane="p1", pod_cidr=settings.pod_cidr)
    hands = Plane(store, now=time.time())
    pods = {}
    addresses = set()
    for name in "ab":
        process = hands.pod(name)
        addresses.add(process.ip)
        spec = PodSpec(containers=(ContainerSpec(name="cassandra", image="c"),))
        pods["ns", name] = Pod(metadata=PodMeta(name=name, namespace="ns", uid=process.uid), spec=spec)
    found = Seeds(addresses=frozenset(addresses), itself=True)
    seeds = FixedSeeds(found, found)
    woken: list[str] = []
    context = Context(
        settings=settings,
        store=store,
        tenants=Tenants(store),
        clock=time.time,
        find_pod=lambda namespace, name: pods.get((namespace, name)),
        seeds=seeds,
        wake=lambda namespace, name, seconds: woken.append(name),
    )
    calls = CallLog(settings.calls_file)
    registry = CollectorRegistry()
    api = ManagementApi(context, calls, registry=registry)
    server = TestServer(api.application(), handler_cancellation=True)
    async with TestClient(server) as client:
        yield Api(client, context, seeds, woken, calls, registry)
    calls.close()
    store.close()


async def test_without_cassandra_only_the_management_api_itself_answers(api: Api) -> None:
    assert await api.get("v0/probes/liveness") == (200, "OK")
    assert (await api.get("v0/probes/readiness"))[0] == 500
    assert await api.get("v0/metadata/endpoints") == (500, "Internal connection to Cassandra closed")


async def test_calls_are_counted_by_route_and_answer(api: Api) -> None:
    await api.get("v0/probes/readiness")
    await api.get("v0/probes/readiness")
    await api.get("v0/no/such/thing")
    counted = {
        (labels["route"], labels["code"]): count
        for each in api.registry.collect()
        for name, labels, count, *_ in each.samples
        if name == "simulator_management_calls_total"
    }
    assert counted == {("/api/v0/probes/readiness", "500"): 2, ("other", "404"): 1}


async def test_a_start_answers_201_then_204_then_202(api: Api) -> None:
    assert (await api.post("v0/lifecycle/start"))[0] == 201
    assert (await api.post("v0/lifecycle/start"))[0] == 204
    await asyncio.sleep(0.06)
    assert (await api.post("v0/lifecycle/start"))[0] == 202
    assert await api.get("v0/probes/readiness") == (200, "OK")
    assert api.woken == ["a"]


async def test_a_label_that_the_cache_has_not_seen_yet_refuses_nobody(api: Api) -> None:
    api.seeds.old = Seeds(addresses=frozenset(), itself=False)
    assert (await api.post("v0/lifecycle/start"))[0] == 201
    response = await api.client.get("/admin/history")
    assert [e["event"] for e in await response.json()] == ["bootstrap"]


async def test_a_refused_start_says_why_and_is_recorded_once(api: Api) -> None:
    api.seeds.old = api.seeds.new = Seeds(addresses=frozenset(), itself=False)
    status, text = await api.post("v0/lifecycle/start")
    assert status == 500
    assert "must be a seed" in text
    response = await api.client.get("/admin/history", params={"event": "refused"})
    assert [e["detail"] for e in await response.json()] == [text]


async def test_endpoints_features_and_versions(api: Api) -> None:
    await api.started("a")
    await api.started("b")
    status, body = await api.get("v0/metadata/endpoints", pod="b")
    assert status == 200
    assert {e["IS_LOCAL"]: e["DC"] for e in body["entity"]} == {"true": "dc-p1", "false": "dc-p1"}
    _, features = await api.get("v0/metadata/versions/features")
    assert "async_flush_task" in features["features"]
    _, versions = await api.get("v1/ops/node/schema/versions")
    assert [len(v) for v in versions.values()] == [2]
    assert (await api.get("v0/probes/cluster?consistency_level=LOCAL_QUORUM&rf_per_dc=1"))[0] == 200
    assert (await api.get("v0/probes/cluster?consistency_level=LOCAL_QUORUM&rf_per_dc=0"))[0] == 500


async def test_keyspaces(api: Api) -> None:
    await api.started("a")
    _, names = await api.get("v0/ops/keyspace")
    assert {"system_auth", "system_distributed", "system_traces"} <= set(names)
    _, before = await api.get("v0/ops/keyspace/replication?keyspaceName=system_auth")
    assert before == {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}

    async def alter(name: str, datacenter: str) -> tuple[int, Any]:
        settings = [{"dc_name": datacenter, "replication_factor": 1}]
        return await api.post(
            "v0/ops/keyspace/alter", json={"keyspace_name": name, "replication_settings": settings}
        )

    assert (await alter("system_auth", "dc-p1"))[0] == 200
    _, after = await api.get("v0/ops/keyspace/replication?keyspaceName=system_auth")
    assert after["dc-p1"] == "1"
    status, text = await alter("system_auth", "nowhere")
    assert status == 500
    assert "Unrecognized strategy option {nowhere}" in text
    assert (await alter("missing", "dc-p1"))[0] == 500
    assert (await api.get("v0/ops/keyspace/replication?keyspaceName=missing"))[0] == 404
    assert (await api.post("v0/ops/keyspace/create", json={}))[0] == 400
    assert (await api.post("v0/ops/keyspace/create", data="{"))[0] == 400


async def test_roles_are_kept_and_passwords_are_not_logged(api: Api) -> None:
    await api.started("a")
    query = "username=su&password=secret&can_login=true&is_superuser=true"
    assert (await api.post(f"v0/ops/auth/role?{query}"))[0] == 200
    _, roles = await api.get("v0/ops/auth/role")
    assert {r["name"] for r in roles} == {"cassandra", "su"}
    assert (await api.call("DELETE", "v0/ops/auth/role?username=su"))[0] == 200
    assert (await api.call("DELETE", "v0/ops/auth/role?username=su"))[0] == 500
    text = api.calls.path.read_text()
    assert "secret" not in text
    assert "password=***" in text


async def test_jobs_end_by_themselves_well_or_badly(api: Api) -> None:
    await api.started("a")
    status, job = await api.post("v1/ops/keyspace/cleanup", json={})
    assert status == 202
    _, shown = await api.get(f"v0/ops/executor/job?job_id={job}")
    assert shown["status"] == "WAITING"
    await asyncio.sleep(0.12)
    _, shown = await api.get(f"v0/ops/executor/job?job_id={job}")
    assert (shown["status"], shown["error"]) == ("COMPLETED", None)
    assert await api.get("v0/ops/executor/job?job_id=unknown") == (404, {})
    await api.client.post("/admin/faults", json={"namespace": "ns", "pod": "a", "fault": "fail-job"})
    _, job = await api.post("v1/ops/tables/flush", json={})
    await asyncio.sleep(0.12)
    _, shown = await api.get(f"v0/ops/executor/job?job_id={job}")
    assert shown["status"] == "ERROR"
    assert (await api.post("v0/ops/tables/flush", json={}))[0] == 500
    _, job = await api.post("v1/ops/node/rebuild?src_dc=nowhere")
    await asyncio.sleep(0.12)
    _, shown = await api.get(f"v0/ops/executor/job?job_id={job}")
    assert "not a valid datacenter" in shown["error"]


async def test_a_node_leaves(api: Api) -> None:
    await api.started("a")
    await api.started("b")
    status, job = await api.post("v1/ops/node/decommission?force=true", pod="b")
    assert status == 202
    _, body = await api.get("v0/metadata/endpoints")
    assert [e["STATUS"].split(",")[0] for e in body["entity"]] == ["NORMAL", "LEAVING"]
    await asyncio.sleep(0.12)
    _, shown = await api.get(f"v0/ops/executor/job?job_id={job}", pod="b")
    assert shown["status"] == "COMPLETED"
    _, body = await api.get("v0/metadata/endpoints")
    assert [e["STATUS"].split(",")[0] for e in body["entity"]] == ["NORMAL", "LEFT"]
    status, text = await api.post("v0/ops/node/decommission?force=true")
    assert status == 500
    assert "pointless" in text


async def test_a_hanging_pod_answers_after_it_is_cleared_and_a_caller_may_give_up(api: Api) -> None:
    body = {"namespace": "ns", "pod": "a", "fault": "hang"}
    await api.client.post("/admin/faults", json=body)
    with pytest.raises(TimeoutError):
        await api.get("v0/probes/liveness", timeout=ClientTimeout(total=0.1))
    waiting = asyncio.create_task(api.get("v0/probes/liveness"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await api.client.post("/admin/faults", json={**body, "fault": "clear"})
    assert await asyncio.wait_for(waiting, 2) == (200, "OK")
    response = await api.client.get("/admin/calls", params={"path": "/api/v0/probes"})
    assert sorted(c["status"] for c in await response.json()) == [0, 200]


async def test_bad_faults_are_refused(api: Api) -> None:
    for body, expected in (
        ({"namespace": "ns", "pod": "a", "fault": "explode"}, 400),
        ({"namespace": "ns", "pod": "a"}, 400),
        ({"namespace": "ns", "pod": "missing", "fault": "crash"}, 404),
    ):
        response = await api.client.post("/admin/faults", json=body)
        assert response.status == expected
        assert (await response.json())["message"]
    assert (await api.client.get("/admin/calls", params={"since": "x"})).status == 400


async def test_unknown_pods_and_paths(api: Api) -> None:
    await api.started("a")
    assert (await api.get("v0/probes/liveness", pod="missing"))[0] == 503
    assert (await api.get("v0/nothing"))[0] == 404
    assert (await api.post("v0/metadata/endpoints"))[0] == 405


async def test_the_ring_is_told_to_tests(api: Api) -> None:
    await api.started("a")
    response = await api.client.get("/admin/ring", params={"cluster": "demo"})
    body = await response.json()
    assert [(n["pod"], n["mode"], n["alive"]) for n in body["nodes"]] == [("a", "NORMAL", True)]
    assert [p["plane"] for p in body["planes"]] == ["p1"]


def test_the_log_of_calls_is_bounded(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls.jsonl", limit=2000)
    for number in range(100):
        log.write(
            now=float(number), namespace="ns", pod="a", method="GET", path="/x", status=200, seconds=0.001
        )
    with log.path.open("ab") as file:
        file.write(b'{"cut off')
    kept = log.read({"namespace": "ns"})
    assert kept[-1]["time"] == 99000
    assert len(kept) < 50
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 5000
    log.close()
