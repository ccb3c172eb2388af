"""A simulator process beside a real control plane, and the calls that tests make to both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane
from tests.processes import Simulator, call
from tests.waiting import eventually


class Cluster:
    """StatefulSets of Cassandra pods in one namespace, as an operator would make them."""

    def __init__(self, admin: AdminClient, namespace: str) -> None:
        self.admin = admin
        self.namespace = namespace

    def path(self, kind: str, name: str = "") -> str:
        base = "/apis/apps/v1" if kind == "statefulsets" else "/api/v1"
        return f"{base}/namespaces/{self.namespace}/{kind}{'/' if name else ''}{name}"

    def create(
        self, name: str, *, replicas: int = 1, image: str = "cassandra:5.0.4", claim: bool = True
    ) -> None:
        labels = {
            "cassandra.datastax.com/cluster": "demo",
            "cassandra.datastax.com/datacenter": "dc1",
            "cassandra.datastax.com/rack": "r1",
        }
        mounts = [{"name": "server-data", "mountPath": "/var/lib/cassandra"}] if claim else []
        template = {
            "metadata": {"name": "server-data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        spec: dict[str, Any] = {
            "replicas": replicas,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "initContainers": [{"name": "server-config-init", "image": "config:1"}],
                    "containers": [
                        {"name": "cassandra", "image": image, "volumeMounts": mounts},
                        {"name": "server-system-logger", "image": "logger:1"},
                    ],
                },
            },
        }
        if claim:
            spec["volumeClaimTemplates"] = [template]
        body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}
        self.admin.apply(self.path("statefulsets", name), body)

    def pod(self, name: str) -> dict[str, Any] | None:
        return self.admin.find(self.path("pods", name))

    def label_seed(self, pod: str) -> None:
        patch = {"metadata": {"labels": {"cassandra.datastax.com/seed-node": "true"}}}
        self.admin.request(
            "PATCH", self.path("pods", pod), patch, content_type="application/merge-patch+json"
        )

    def running(self, name: str, *, other_than: str = "") -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            pod = self.pod(name)
            if pod is None or pod["metadata"]["uid"] == other_than:
                return None
            return pod if pod["status"].get("phase") == "Running" else None

        found: dict[str, Any] = eventually(look, f"pod {name} runs")
        return found

    def ready(self, name: str, wanted: bool = True) -> None:
        def look() -> bool:
            pod = self.pod(name)
            conditions = {c["type"]: c["status"] for c in (pod or {}).get("status", {}).get("conditions", [])}
            return conditions.get("Ready") == ("True" if wanted else "False")

        eventually(look, f"pod {name} is {'' if wanted else 'not '}ready")

    def api(self, pod: str) -> str:
        found = self.running(pod)
        return str(found["metadata"]["annotations"]["missioncontrol.io/management-api"]) + "/api/v0"

    def start(self, pod: str) -> int:
        return call("POST", f"{self.api(pod)}/lifecycle/start")[0]

    def host_id(self, pod: str) -> str:
        status, body = call("GET", f"{self.api(pod)}/metadata/endpoints")
        assert status == 200, body
        return next(e["HOST_ID"] for e in json.loads(body)["entity"] if e["IS_LOCAL"] == "true")


@pytest.fixture(scope="session")
def simulator(
    control_plane_with_controllers: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    started = Simulator(control_plane_with_controllers, folder, plane="plane-1", pod_cidr="10.11.0.0/16")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def cluster(
    control_plane_with_controllers: ControlPlane,
    simulator: Simulator,
    make_namespace: Callable[[ControlPlane], str],
) -> Iterator[Cluster]:
    namespace = make_namespace(control_plane_with_controllers)
    with control_plane_with_controllers.admin_client() as admin:
        yield Cluster(admin, namespace)
        admin.request("DELETE", f"/api/v1/namespaces/{namespace}")
