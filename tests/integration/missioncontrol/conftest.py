"""Real control planes with mission-control-operator as a process, and data planes whose operators are played.

What k8ssandra-operator and cass-operator would do is written by a thread: CassandraDatacenters, pods that
become ready one by one, status. So tests see what this operator asks for, when, and what it makes of answers.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from missioncontrol.api.emit.crds import Plane
from missioncontrol.api.names import Component
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    K8SSANDRA_CLUSTERS,
    NAMESPACES,
    PODS,
    SECRETS,
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    Resource,
)
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from missioncontrol.local.ports import free_port
from tests.installing import component_kubeconfig, credential, install_operator
from tests.processes import Program

T = TypeVar("T")
SYSTEM = "mission-control"
OPERATOR = Component.MISSION_CONTROL_OPERATOR
Json = dict[str, Any]


def eventually(look: Callable[[], T], *, within: float = 15, what: str = "") -> T:
    """Look until something true comes back; assertions and missing objects count as not yet."""
    deadline, last = time.monotonic() + within, ""
    while True:
        try:
            if found := look():
                return found
            last = f"{found!r}"
        except (AssertionError, AdminError, KeyError, StopIteration, IndexError) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or look.__name__}; last seen: {last}")
        time.sleep(0.1)


class Api:
    """What tests say to one plane, as its administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.client: AdminClient = plane.admin_client()

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        return self.client.get(resource.path(namespace, name))

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Json | None:
        return self.client.find(resource.path(namespace, name))

    def list(self, resource: Resource, namespace: str | None = None) -> list[Json]:
        items: list[Json] = self.client.get(resource.path(namespace))["items"]
        return items

    def create(self, resource: Resource, body: Json, namespace: str | None = None) -> Json:
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return self.client.request("POST", resource.path(namespace), full)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Json:
        path = resource.path(namespace, name, subresource)
        return self.client.request("PATCH", path, patch, content_type="application/merge-patch+json")

    def delete(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        try:
            self.client.request("DELETE", resource.path(namespace, name))
        except AdminError as error:
            if error.status != 404:
                raise

    def make_namespace(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.client.apply(NAMESPACES.path(None, name), body)


def install(plane: ControlPlane, kind: Plane) -> Api:
    """What the operator needs of a plane, and its rights there."""
    install_operator(plane, OPERATOR, kind=kind)
    return Api(plane)


class PlayedPlane:
    """A data plane whose operators are played by a thread; `steps` per second, unless paused."""

    def __init__(self, plane: ControlPlane, name: str, pod_network: str) -> None:
        self.plane, self.name, self.network = plane, name, pod_network
        self.api = install(plane, "data-plane")
        self.paused = threading.Event()
        self.joined: list[tuple[float, str]] = []
        """When which pod became ready."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"played {name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=15)
        self.api.client.close()

    def _run(self) -> None:
        api = Api(self.plane)
        while not self._stop.wait(0.15):
            if self.paused.is_set():
                continue
            try:
                self._step(api)
            except AdminError:
                continue
        api.client.close()

    def _step(self, api: Api) -> None:
        for cluster in api.list(K8SSANDRA_CLUSTERS):
            self._cluster(api, cluster)

    def _cluster(self, api: Api, cluster: Json) -> None:
        meta = cluster["metadata"]
        namespace, finalizers = meta["namespace"], meta.get("finalizers") or []
        if "test/played" not in finalizers and "deletionTimestamp" not in meta:
            patch = {"metadata": {"finalizers": [*finalizers, "test/played"]}}
            api.patch(K8SSANDRA_CLUSTERS, meta["name"], patch, namespace)
        wanted = cluster["spec"]["cassandra"]["datacenters"]
        if "deletionTimestamp" in meta:
            for entry in wanted:
                api.delete(CASSANDRA_DATACENTERS, entry["metadata"]["name"], namespace)
                for pod in self._pods(api, meta, entry):
                    api.client.request(
                        "DELETE", PODS.path(namespace, pod["metadata"]["name"]), {"gracePeriodSeconds": 0}
                    )
            api.patch(K8SSANDRA_CLUSTERS, meta["name"], {"metadata": {"finalizers": []}}, namespace)
            return
        for entry in wanted:
            self._datacenter(api, cluster, entry)

    def _pods(self, api: Api, meta: Json, entry: Json) -> list[Json]:
        prefix = f"{meta['name']}-{entry['metadata']['name']}-"
        return [
            each for each in api.list(PODS, meta["namespace"]) if each["metadata"]["name"].startswith(prefix)
        ]

    def _datacenter(self, api: Api, cluster: Json, entry: Json) -> None:
        meta, name = cluster["metadata"], entry["metadata"]["name"]
        namespace, size = meta["namespace"], entry["size"]
        found = api.find(CASSANDRA_DATACENTERS, name, namespace)
        version = {"serverType": "cassandra", "serverVersion": "5.0.4"}
        spec = {**version, "clusterName": meta["name"], "size": size, "storageConfig": {}}
        if found is None:
            labels = {"k8ssandra.io/cluster-name": meta["name"], "k8ssandra.io/cluster-namespace": namespace}
            found = api.create(
                CASSANDRA_DATACENTERS, {"metadata": {"name": name, "labels": labels}, "spec": spec}, namespace
            )
        elif found["spec"]["size"] != size:
            found = api.patch(CASSANDRA_DATACENTERS, name, {"spec": {"size": size}}, namespace)
        pods = self._pods(api, meta, entry)
        if len(pods) < size:
            pods.append(self._start(api, meta["name"], namespace, name, len(pods)))
        done = len(pods) >= size
        ready = {
            "type": "Ready",
            "status": str(done),
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "reason": "",
            "message": "",
        }
        before = {each["type"]: each for each in (found.get("status") or {}).get("conditions") or ()}
        conditions = [{**ready, "status": "True" if done or "Ready" in before else "False"}]
        if done or "Initialized" in before:
            conditions.append({**ready, "type": "Initialized", "status": "True"})
        status = {
            "cassandraOperatorProgress": "Ready" if done else "Updating",
            "observedGeneration": found["metadata"]["generation"],
            "conditions": conditions,
            "nodeStatuses": {
                each["metadata"]["name"]: {"hostID": f"id-{each['metadata']['name']}"} for each in pods
            },
        }
        if (found.get("status") or {}) != status:
            api.patch(CASSANDRA_DATACENTERS, name, {"status": status}, namespace, "status")

    def _start(self, api: Api, cluster: str, namespace: str, datacenter: str, number: int) -> Json:
        api.client.apply(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/default",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
        )
        name = f"{cluster}-{datacenter}-r1-sts-{number}"
        labels = {
            "cassandra.datastax.com/cluster": cluster,
            "cassandra.datastax.com/datacenter": datacenter,
            "cassandra.datastax.com/rack": "r1",
            "cassandra.datastax.com/node-state": "Started",
        }
        if number < 2:
            labels["cassandra.datastax.com/seed-node"] = "true"
        spec = {"containers": [{"name": "cassandra", "image": "cassandra"}]}
        api.create(PODS, {"metadata": {"name": name, "labels": labels}, "spec": spec}, namespace)
        address = f"{self.network}.{len(self.joined) + 1}"
        self.joined.append((time.monotonic(), name))
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        return api.patch(PODS, name, {"status": status}, namespace, "status")


class World:
    """One control plane and its data planes."""

    def __init__(self, home: Api, planes: dict[str, PlayedPlane]) -> None:
        self.home, self.planes = home, planes

    def register(self, name: str, plane: ControlPlane, *, kubeconfig: bytes | None = None) -> None:
        content = credential(plane, OPERATOR) if kubeconfig is None else kubeconfig
        self.put_secret(f"{name}-kubeconfig", {"kubeconfig": content})
        spec = {"kubeconfigSecretRef": {"name": f"{name}-kubeconfig"}}
        if self.home.find(STORED_DATA_PLANES, name) is None:
            self.home.create(STORED_DATA_PLANES, {"metadata": {"name": name}, "spec": spec})

    def put_secret(self, name: str, data: dict[str, bytes]) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
        self.home.client.apply(SECRETS.path(SYSTEM, name), body)

    def ready(self, name: str) -> Json:
        conditions = self.home.get(STORED_DATA_PLANES, name)["status"]["conditions"]
        return next(each for each in conditions if each["type"] == "Ready")

    def cluster(self, name: str, namespace: str) -> Json:
        return self.home.get(STORED_CLUSTERS, name, namespace)

    def condition(self, name: str, namespace: str, type_: str) -> Json:
        conditions = self.cluster(name, namespace)["status"]["conditions"]
        return next(each for each in conditions if each["type"] == type_)


def cluster_body(name: str, *datacenters: tuple[str, str, int]) -> Json:
    """A cluster of datacenters (name, plane, size)."""
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "standard",
    }
    cassandra = {
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "storageConfig": {"cassandraDataVolumeClaimSpec": claim},
        "racks": [{"name": "r1"}],
        "datacenters": [
            {"metadata": {"name": dc}, "k8sContext": plane, "size": size} for dc, plane, size in datacenters
        ],
    }
    return {"metadata": {"name": name}, "spec": {"k8ssandra": {"cassandra": cassandra}}}


def _started(programs: Programs, folder: Path, name: str) -> ControlPlane:
    plane = ControlPlane(folder, programs=programs, controllers=False, name=name, die_with_parent=True)
    plane.start()
    return plane


@pytest.fixture(scope="module")
def world(
    binaries: Programs, control_plane_with_controllers: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A control plane with two data planes; nothing is registered yet."""
    home = install(control_plane_with_controllers, "control-plane")
    planes = {}
    for number in (1, 2):
        name = f"data-plane-{number}"
        plane = _started(binaries, tmp_path_factory.mktemp(name), name)
        planes[name] = PlayedPlane(plane, name, f"10.{number}.0")
    yield World(home, planes)
    for played in planes.values():
        played.stop()
        played.plane.stop(kill=True)
    # the control plane is shared with other modules, which bring planes of their own under the same names
    for stored in home.list(STORED_DATA_PLANES):
        name = stored["metadata"]["name"]
        home.patch(STORED_DATA_PLANES, name, {"metadata": {"finalizers": []}})
        home.delete(STORED_DATA_PLANES, name)
    home.client.close()


@pytest.fixture(scope="module")
def operator(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The operator, running, with both planes registered and Ready; to be killed and started at will."""
    process = _operator(world.home.plane, tmp_path_factory.mktemp("operator"))
    for name, played in world.planes.items():
        world.register(name, played.plane)
    process.start()
    try:
        for name in world.planes:
            eventually(
                lambda name=name: world.ready(name)["status"] == "True", within=30, what=f"{name} is Ready"
            )
        yield process
    finally:
        if process.is_running():
            assert process.stop() == 0, process.log.read_text()[-3000:]
        faults = [
            line for line in process.log.read_text().splitlines() if "has a fault" in line or "panic" in line
        ]
        assert not faults, json.dumps(faults[:3])


def _operator(plane: ControlPlane, folder: Path) -> Program:
    metrics = free_port()
    kubeconfig = component_kubeconfig(plane, OPERATOR, folder / "operator.kubeconfig")
    argv = [
        *(sys.executable, "-m", "controllers.missioncontrol", f"--kubeconfig={kubeconfig}"),
        *(f"--metrics-bind-address=127.0.0.1:{metrics}", "--leader-elect", "--log-level=debug"),
    ]
    return Program(argv, log=folder / "operator.log", ready=f"http://127.0.0.1:{metrics}/readyz")
