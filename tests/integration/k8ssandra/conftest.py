"""A data plane with our operator as a process; cass-operator and the nodes are played by the tests.

So a test decides when a datacenter becomes ready, and sees what is written when.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
from aiohttp import web

from missioncontrol.api.names import Annotation, Component, Label, NodeState
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    K8SSANDRA_CLUSTERS,
    PODS,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.kube.errors import Invalid, NotFound
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.installing import install_operator
from tests.processes import Operator, k8ssandra_operator
from tests.unit.k8ssandra.builders import a_spec

Json = dict[str, Any]
T = TypeVar("T")

CASS_FINALIZER = "finalizer.cassandra.datastax.com"


@pytest.fixture(scope="session")
def data_plane(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Its own kube-apiserver: the operator must not meet the objects of other tests."""
    plane = ControlPlane(
        tmp_path_factory.mktemp("k8ssandra"),
        programs=binaries,
        controllers=False,
        name="k8ssandra",
        die_with_parent=True,
    )
    plane.start()
    try:
        install_operator(plane, Component.K8SSANDRA_OPERATOR)
        yield plane
    finally:
        plane.stop(kill=True)


@pytest.fixture(scope="session")
def operator(data_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with k8ssandra_operator(data_plane, tmp_path_factory.mktemp("k8ssandra-operator")) as process:
        yield process


class Ring:
    """The management API of all nodes of a test."""

    def __init__(self) -> None:
        self.datacenters: set[str] = set()
        self.keyspaces: dict[str, Json] = {
            name: {"class": "SimpleStrategy", "replication_factor": "1"}
            for name in ("system_auth", "system_distributed", "system_traces")
        }
        self.calls: list[str] = []
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v0/metadata/endpoints", self._endpoints)
        app.router.add_get("/api/v1/ops/node/schema/versions", self._versions)
        app.router.add_get("/api/v0/ops/keyspace/replication", self._replication)
        app.router.add_post("/api/v0/ops/keyspace/alter", self._alter)
        return app

    async def _endpoints(self, _: web.Request) -> web.Response:
        entity = [{"DC": name, "STATUS": "NORMAL,1"} for name in sorted(self.datacenters)]
        return web.json_response({"entity": entity})

    async def _versions(self, _: web.Request) -> web.Response:
        return web.json_response({"v1": ["10.0.0.1"]})

    async def _replication(self, request: web.Request) -> web.Response:
        return web.json_response(self.keyspaces[request.query["keyspaceName"]])

    async def _alter(self, request: web.Request) -> web.Response:
        body = await request.json()
        factors = {each["dc_name"]: each["replication_factor"] for each in body["replication_settings"]}
        self.calls.append(body["keyspace_name"])
        self.keyspaces[body["keyspace_name"]] = {"class": "NetworkTopologyStrategy", **factors}
        return web.Response(text="OK")


class Stage:
    """What a test does in its namespace."""

    def __init__(self, client: Client, namespace: str, ring: Ring) -> None:
        self.client = client
        self.namespace = namespace
        self.ring = ring
        self._next_ip = 1

    async def create(self, resource: Resource, body: Json) -> Json:
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self.client.create(resource, whole, namespace=self.namespace)

    async def create_cluster(self, *datacenters: Json, name: str = "demo", **metadata: Any) -> Json:
        body = {"metadata": {"name": name, **metadata}, "spec": a_spec(*datacenters)}
        return await self.create(K8SSANDRA_CLUSTERS, body)

    async def find(self, resource: Resource, name: str) -> Json | None:
        try:
            return await self.client.get(resource, name, namespace=self.namespace)
        except NotFound:
            return None

    async def list(self, resource: Resource, **query: Any) -> list[Json]:
        return await self.client.list(resource, namespace=self.namespace, **query)

    async def patch(self, resource: Resource, name: str, patch: Json, *, status: bool = False) -> Json:
        subresource = "status" if status else None
        return await self.client.merge_patch(
            resource, name, patch, namespace=self.namespace, subresource=subresource
        )

    async def until(self, look: Callable[[], Awaitable[T]], what: str, timeout: float = 20.0) -> T:
        """Wait until something is true, and give it back."""
        deadline = time.monotonic() + timeout
        while True:
            found = await look()
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
            await asyncio.sleep(0.05)

    async def until_exists(self, resource: Resource, name: str) -> Json:
        found = await self.until(lambda: self.find(resource, name), f"{resource.kind} {name} exists")
        assert found is not None
        return found

    async def until_gone(self, resource: Resource, name: str) -> None:
        async def gone() -> bool:
            return await self.find(resource, name) is None

        await self.until(gone, f"{resource.kind} {name} is gone")

    async def until_status(self, name: str, judge: Callable[[Json], bool], what: str) -> Json:
        """Wait for a status of a K8ssandraCluster."""

        async def look() -> Json | None:
            status = ((await self.find(K8SSANDRA_CLUSTERS, name)) or {}).get("status") or {}
            return status if judge(status) else None

        found = await self.until(look, what)
        assert found is not None
        return found

    # --- cass-operator and the nodes ---------------------------------------------------------------

    async def adopt(self, datacenter: str) -> Json:
        """cass-operator's first act: its finalizer."""
        found = await self.until_exists(CASSANDRA_DATACENTERS, datacenter)
        finalizers = [*found["metadata"]["finalizers"], CASS_FINALIZER]
        return await self.patch(CASSANDRA_DATACENTERS, datacenter, {"metadata": {"finalizers": finalizers}})

    async def make_ready(self, datacenter: str) -> list[str]:
        """All nodes of a datacenter are up; the addresses of its seeds."""
        found = await self.until_exists(CASSANDRA_DATACENTERS, datacenter)
        present = await self.list(PODS, label_selector=f"{Label.DATACENTER}={datacenter}")
        seeds = [
            await self._start_node(datacenter, each) for each in range(len(present), found["spec"]["size"])
        ]
        self.ring.datacenters.add(datacenter)
        status = {
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for kind in ("Initialized", "Ready")
            ],
            "cassandraOperatorProgress": "Ready",
            "observedGeneration": found["metadata"]["generation"],
        }
        await self.patch(CASSANDRA_DATACENTERS, datacenter, {"status": status}, status=True)
        return seeds

    async def fill(self, datacenter: str, *, source: str) -> None:
        """A new datacenter gets the data of another one, and it is noted no longer that it has to."""
        name = f"{datacenter}-rebuild"
        task = await self.until_exists(CASSANDRA_TASKS, name)
        assert task["spec"]["jobs"][0]["args"] == {"source_datacenter": source}
        ended = {"succeeded": 1, "completionTime": "2026-01-01T00:00:00Z"}
        await self.patch(CASSANDRA_TASKS, name, {"status": ended}, status=True)

        async def noted_no_more() -> bool:
            cluster = await self.find(K8SSANDRA_CLUSTERS, "demo")
            annotations = (cluster or {}).get("metadata", {}).get("annotations", {})
            return Annotation.REBUILD_DC not in annotations

        await self.until(noted_no_more, f"{datacenter} is filled")

    async def _start_node(self, datacenter: str, ordinal: int) -> str:
        name, ip = f"demo-{datacenter}-default-sts-{ordinal}", f"10.9.0.{self._next_ip}"
        self._next_ip += 1
        labels = {
            Label.CLUSTER: "demo",
            Label.DATACENTER: datacenter,
            Label.NODE_STATE: NodeState.STARTED.value,
            **({Label.SEED_NODE: "true"} if ordinal == 0 else {}),
        }
        pod = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {Annotation.MANAGEMENT_API: self.ring.url},
            },
            "spec": {"containers": [{"name": "cassandra", "image": "cassandra"}]},
        }
        await self.create(PODS, pod)
        status = {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        await self.patch(PODS, name, {"status": status}, status=True)
        return ip

    async def finish_deletion(self, datacenter: str) -> None:
        """cass-operator has taken the nodes down and lets go."""

        async def deleting() -> Json | None:
            found = await self.find(CASSANDRA_DATACENTERS, datacenter)
            return found if found and found["metadata"].get("deletionTimestamp") else None

        async def let_go() -> bool:
            found = await deleting()
            if found is None:
                return False
            finalizers = found["metadata"]["finalizers"]
            path = "/metadata/finalizers"
            patch: list[Json] = [
                {"op": "test", "path": path, "value": finalizers},
                {
                    "op": "replace",
                    "path": path,
                    "value": [each for each in finalizers if each != CASS_FINALIZER],
                },
            ]
            try:
                await self.client.json_patch(
                    CASSANDRA_DATACENTERS, datacenter, patch, namespace=self.namespace
                )
            except Invalid:
                # the operator has let go a moment ago
                return False
            return True

        await self.until(let_go, f"{datacenter} is to be deleted")


@pytest.fixture
async def stage(data_plane: ControlPlane, operator: Operator, make_namespace: Any) -> AsyncIterator[Stage]:
    ring = Ring()
    runner = web.AppRunner(ring.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ring.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    config = from_kubeconfig(data_plane.admin_kubeconfig)
    async with Client(config, user_agent="test") as client:
        yield Stage(client, make_namespace(data_plane), ring)
    await runner.cleanup()
