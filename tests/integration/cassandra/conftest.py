"""A data plane with the kinds, a simulator and our operator as a process of its own that tests may kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.api.names import Component
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    EVENTS,
    PODS,
    STATEFUL_SETS,
    Resource,
)
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane
from tests.installing import install_operator
from tests.processes import Operator, Simulator, call
from tests.waiting import eventually

Json = dict[str, Any]

pytest.register_assert_rewrite("tests.integration.cassandra.narrator")


class OperatorProcess(Operator):
    """cass-operator as a process of its own that tests may kill."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        flags = ("--no-leader-elect",)
        super().__init__(plane, folder, component=Component.CASS_OPERATOR, package="cassandra", flags=flags)


@pytest.fixture(scope="session")
def data_plane(control_plane_with_controllers: ControlPlane) -> ControlPlane:
    install_operator(control_plane_with_controllers, Component.CASS_OPERATOR)
    return control_plane_with_controllers


@pytest.fixture(scope="session")
def simulator(data_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("cass-simulator")
    process = Simulator(data_plane, folder, plane="plane-1", pod_cidr="10.21.0.0/16", start_seconds=0.4)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def operator_process(
    data_plane: ControlPlane, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(data_plane, tmp_path_factory.mktemp("cass-operator"))
    yield process
    process.stop()


@pytest.fixture
def operator(operator_process: OperatorProcess) -> OperatorProcess:
    """The operator, running."""
    operator_process.start()
    return operator_process


class Plane:
    """What tests do with datacenters and tasks in one namespace."""

    def __init__(self, admin: AdminClient, namespace: str, simulator: Simulator) -> None:
        self.admin = admin
        self.namespace = namespace
        self.simulator = simulator

    def create_datacenter(self, name: str = "dc1", *, cluster: str = "demo", **spec: Any) -> Json:
        body = {
            "apiVersion": CASSANDRA_DATACENTERS.api_version,
            "kind": CASSANDRA_DATACENTERS.kind,
            "metadata": {"name": name, "annotations": spec.pop("annotations", {})},
            "spec": {**datacenter_spec(cluster), **spec},
        }
        return self.admin.request("POST", CASSANDRA_DATACENTERS.path(self.namespace), body)

    def patch_datacenter(self, patch: Json, name: str = "dc1") -> Json:
        return self.patch(CASSANDRA_DATACENTERS, name, patch)

    def patch(self, resource: Resource, name: str, patch: Json) -> Json:
        path = resource.path(self.namespace, name)
        return self.admin.request("PATCH", path, patch, content_type="application/merge-patch+json")

    def find(self, resource: Resource, name: str) -> Json | None:
        return self.admin.find(resource.path(self.namespace, name))

    def get(self, resource: Resource, name: str) -> Json:
        return self.admin.get(resource.path(self.namespace, name))

    def list(self, resource: Resource) -> list[Json]:
        items: list[Json] = self.admin.get(resource.path(self.namespace))["items"]
        return items

    def delete(self, resource: Resource, name: str) -> None:
        self.admin.request("DELETE", resource.path(self.namespace, name))

    def create_task(self, name: str, command: str, **extra: Any) -> Json:
        args = extra.pop("args", None)
        job = {"name": name, "command": command, **({"args": args} if args else {})}
        body = {
            "apiVersion": CASSANDRA_TASKS.api_version,
            "kind": CASSANDRA_TASKS.kind,
            "metadata": {"name": name},
            "spec": {"datacenter": {"name": "dc1", "namespace": self.namespace}, "jobs": [job], **extra},
        }
        return self.admin.request("POST", CASSANDRA_TASKS.path(self.namespace), body)

    # --- looking -------------------------------------------------------------------------------

    def conditions(self, resource: Resource, name: str) -> dict[str, str]:
        found = self.find(resource, name) or {}
        return {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", [])}

    def settled(self, name: str = "dc1") -> Json | None:
        """The datacenter, if it has carried out the spec that it has now."""
        found = self.get(CASSANDRA_DATACENTERS, name)
        status = found.get("status", {})
        ready = {c["type"]: c["status"] for c in status.get("conditions", [])}.get("Ready") == "True"
        done = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if ready and done and status.get("cassandraOperatorProgress") == "Ready" else None

    def wait_settled(self, name: str = "dc1", *, timeout: float = 60.0) -> Json:
        found: Json = eventually(lambda: self.settled(name), f"datacenter {name} is settled", timeout=timeout)
        return found

    def wait_task(self, name: str, condition: str = "Complete", *, timeout: float = 90.0) -> Json:
        def look() -> Json | None:
            holds = self.conditions(CASSANDRA_TASKS, name).get(condition) == "True"
            return self.get(CASSANDRA_TASKS, name) if holds else None

        found: Json = eventually(look, f"task {name} is {condition}", timeout=timeout)
        return found

    def pods(self) -> dict[str, Json]:
        return {pod["metadata"]["name"]: pod for pod in self.list(PODS)}

    def events(self) -> list[Json]:
        return self.list(EVENTS)

    def node_states(self) -> dict[str, str]:
        key = "cassandra.datastax.com/node-state"
        return {name: pod["metadata"]["labels"].get(key, "") for name, pod in self.pods().items()}

    def statefulsets(self) -> dict[str, Json]:
        return {each["metadata"]["name"]: each for each in self.list(STATEFUL_SETS)}

    def calls(self, path: str) -> list[Json]:
        """The calls to the management APIs of this namespace, in order."""
        found: list[Json] = self.simulator.admin("calls", namespace=self.namespace)
        return [each for each in found if path in each["path"]]

    def call(self, method: str, pod: str, path: str, body: Json | None = None) -> str:
        """Call the management API of a pod, as somebody other than the operator."""
        url = f"{self.simulator.url}/pods/{self.namespace}/{pod}{path}"
        status, answer = call(method, url, body)
        assert status < 300, answer
        return answer

    def history(self, *kinds: str) -> list[Json]:
        """What happened to the nodes of this namespace, in order."""
        found: list[Json] = self.simulator.admin("history", namespace=self.namespace)
        return [each for each in found if not kinds or each["event"] in kinds]


def datacenter_spec(cluster: str) -> Json:
    return {
        "clusterName": cluster,
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "managementApiAuth": {"insecure": {}},
        # Rolling changes would wait for the default of 5 s at each pod.
        "minReadySeconds": 1,
        "size": 3,
        "racks": [{"name": "rack1"}, {"name": "rack2"}, {"name": "rack3"}],
        "storageConfig": {
            "cassandraDataVolumeClaimSpec": {
                "storageClassName": "standard",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "2Gi"}},
            }
        },
    }


@pytest.fixture
def plane(
    data_plane: ControlPlane,
    simulator: Simulator,
    make_namespace: Callable[[ControlPlane], str],
) -> Iterator[Plane]:
    name = make_namespace(data_plane)
    with data_plane.admin_client() as admin:
        yield Plane(admin, name, simulator)
        admin.request("DELETE", f"/api/v1/namespaces/{name}")
