"""A simulator process beside a real control plane, and the calls that tests make to both."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane

MANIFESTS = Path(__file__).parents[3] / "manifests" / "generated"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class SimulatorProcess:
    """`python -m missioncontrol.local.simulator` for one plane; it may be killed and started again."""

    def __init__(self, control_plane: ControlPlane, folder: Path, *, plane: str, pod_cidr: str) -> None:
        self.port = free_port()
        self.metrics = free_port()
        self.log = folder / f"{plane}.log"
        self.url = f"http://127.0.0.1:{self.port}"
        self.argv = [
            sys.executable,
            "-m",
            "missioncontrol.local.simulator",
            f"--kubeconfig={_credential(control_plane, folder)}",
            f"--plane={plane}",
            f"--state-dir={folder}",
            f"--listen=127.0.0.1:{self.port}",
            f"--advertise={self.url}",
            f"--pod-cidr={pod_cidr}",
            f"--metrics-bind-address=127.0.0.1:{self.metrics}",
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log)
        eventually(lambda: self._ready(), "the simulator became ready", timeout=30)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return call("GET", f"http://127.0.0.1:{self.metrics}/readyz")[0] == 200
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(timeout=10)

    def admin(self, path: str, **query: str) -> Any:
        status, body = call("GET", f"{self.url}/admin/{path}?{urlencode(query)}")
        assert status == 200
        return json.loads(body)

    def fault(self, namespace: str, pod: str, fault: str) -> None:
        body = {"namespace": namespace, "pod": pod, "fault": fault}
        status, answer = call("POST", f"{self.url}/admin/faults", body)
        assert status == 200, answer


def _credential(control_plane: ControlPlane, folder: Path) -> Path:
    """A kubeconfig with the rights of the generated role, and no others."""
    with control_plane.admin_client() as admin:
        admin.create_namespace("mission-control")
        for found in yaml.safe_load_all((MANIFESTS / "local" / "simulator.yaml").read_text()):
            group = "/api/v1" if found["apiVersion"] == "v1" else f"/apis/{found['apiVersion']}"
            meta = found["metadata"]
            where = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
            admin.apply(f"{group}{where}/{found['kind'].lower()}s/{meta['name']}", found)
        token = admin.issue_token("mission-control", "simulator", lifetime=3600)
    path = folder / "simulator.kubeconfig"
    path.write_bytes(control_plane.kubeconfig(token=token))
    return path


def call(method: str, url: str, body: object = None, *, timeout: float = 10.0) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def eventually(condition: Callable[[], Any], what: str, *, timeout: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.05)


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
) -> Iterator[SimulatorProcess]:
    folder = tmp_path_factory.mktemp("simulator")
    started = SimulatorProcess(
        control_plane_with_controllers, folder, plane="plane-1", pod_cidr="10.11.0.0/16"
    )
    started.start()
    yield started
    if started.process is not None:
        started.stop()


@pytest.fixture
def cluster(
    control_plane_with_controllers: ControlPlane,
    simulator: SimulatorProcess,
    make_namespace: Callable[[ControlPlane], str],
) -> Iterator[Cluster]:
    namespace = make_namespace(control_plane_with_controllers)
    with control_plane_with_controllers.admin_client() as admin:
        yield Cluster(admin, namespace)
        admin.request("DELETE", f"/api/v1/namespaces/{namespace}")
