"""A real kube-apiserver with its controllers, and our server registered with it as users will have it.

No webhooks and no operators run here: what a test sees is the façade's own doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from missioncontrol.api import resources as r
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.integration.apiserver.relay import Relay
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, another_replica, client_context, serving

Obj = dict[str, Any]
_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def facade(
    binaries: Programs,
    control_plane_with_controllers: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Facade]:
    plane, folder = control_plane_with_controllers, tmp_path_factory.mktemp("apiserver")
    with serving(plane, binaries, folder, audits=True) as server:
        yield server
    trouble = [line for line in server.log.read_text().splitlines() if '"level":"error"' in line]
    controllers = plane.component("kube-controller-manager").log.read_text().splitlines()
    # A kube-apiserver that has just begun has not read its own roles yet, and forbids for a moment.
    trouble += [
        line
        for line in controllers
        if line.startswith("E") and "missioncontrol" in line and "is forbidden: User" not in line
    ]
    assert not trouble, "\n".join(trouble[:5])


@pytest.fixture
async def proxy(facade: Facade) -> AsyncIterator[Proxy]:
    connector = aiohttp.TCPConnector(ssl=client_context(facade, facade.plane.front_proxy_client))
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield Proxy(session, facade.url)


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
    async with server.front_proxy() as session:
        yield Proxy(session, server.url)


@pytest.fixture
def kubectl(facade: Facade, namespace: str) -> Kubectl:
    """kubectl as cluster-admin in a namespace of this test alone."""
    return Kubectl(
        facade.programs.kubectl,
        facade.plane.admin_kubeconfig,
        facade.folder / "home",
        ("--namespace", namespace),
    )


@pytest.fixture
def namespace(facade: Facade, make_namespace: Callable[[ControlPlane], str]) -> str:
    """A namespace of this test alone, in the cluster of `facade`."""
    return make_namespace(facade.plane)


@pytest.fixture(scope="session")
def cluster() -> Callable[..., Obj]:
    """Makes the cluster of the examples, under any name."""

    def make(name: str = "demo") -> Obj:
        document: Obj = yaml.safe_load((_ROOT / "examples" / "quickstart.yaml").read_text())
        document["metadata"]["name"] = name
        return document

    return make


@pytest.fixture
def stored_datacenters(facade: Facade, namespace: str) -> Callable[[str], None]:
    """Plays mission-control-operator: writes the Datacenters of a cluster, with nodes."""

    def write(cluster: str) -> None:
        with facade.admin as admin:
            for number, name in enumerate(("dc1", "dc2"), 1):
                _write_datacenter(admin, namespace, cluster, name, f"data-plane-{number}")

    return write


def _write_datacenter(admin: AdminClient, namespace: str, cluster: str, name: str, plane: str) -> None:
    path = r.STORED_DATACENTERS.path(namespace, f"{cluster}.{name}")
    identity = {
        "apiVersion": r.STORED_DATACENTERS.api_version,
        "kind": r.STORED_DATACENTERS.kind,
        "metadata": {
            "name": f"{cluster}.{name}",
            "namespace": namespace,
            "labels": {"missioncontrol.io/cluster-name": cluster, "missioncontrol.io/datacenter": name},
        },
    }
    racks = ("r1", "r2", "r3")
    spec = {
        "clusterName": cluster,
        "name": name,
        "dataPlane": plane,
        "size": 3,
        "racks": [{"name": rack, "size": 1} for rack in racks],
    }
    nodes = [
        {"name": f"{cluster}-{name}-{rack}-sts-0", "rack": rack, "dataPlane": plane, "ready": True,
         "state": "Started", "ip": f"10.1.0.{index}", "startedAt": "2026-01-01T00:00:00Z"}
        for index, rack in enumerate(racks, 1)
    ]  # fmt: skip
    status = {
        "phase": "Ready",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AsExpected", "message": "",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ],
        "replicas": 3,
        "readyReplicas": 3,
        "selector": f"cassandra.datastax.com/cluster={cluster}",
        "nodes": nodes,
    }  # fmt: skip
    admin.apply(path, {**identity, "spec": spec})
    admin.apply(f"{path}/status", {**identity, "status": status})
