"""Our programs as processes beside real control planes: started, waited for, killed by tests."""

from __future__ import annotations

import ctypes
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from missioncontrol.api.emit import component_rules
from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.rbac import component_roles, namespace, service_account
from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRDS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
)
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane
from missioncontrol.local.ports import free_port

MANIFESTS = Path(__file__).parents[1] / "manifests" / "generated"
RESOURCES = {
    each.kind: each
    for each in (
        *(NAMESPACES, SERVICE_ACCOUNTS, CRDS),
        *(CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS),
    )
}

__all__ = [
    "Operator",
    "Program",
    "Simulator",
    "call",
    "eventually",
    "free_port",
    "install",
    "k8ssandra_operator",
]


def call(method: str, url: str, body: object = None, *, timeout: float = 10.0) -> tuple[int, str]:
    """One HTTP call: status and text."""
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
    """Look until something true comes back, and give that; fail with its name when it does not come."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.05)


class Program:
    """A program that says at `ready` when it is ready. It ends with the test run, however that ends."""

    def __init__(self, argv: list[str], *, log: Path, ready: str) -> None:
        self.argv, self.log, self.ready = argv, log, ready
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it, unless it runs."""
        if self.process is None:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self.argv, stdout=log, stderr=log, preexec_fn=_die_with_parent
                )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        eventually(self.is_ready, f"{self.ready} answers", timeout=60)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            return call("GET", self.ready)[0] == 200
        except OSError:
            return False

    def metric(self, name: str) -> float:
        """The sum of all series of a metric that is told where readiness is."""
        text = call("GET", self.ready.replace("/readyz", "/metrics"))[1]
        lines = (line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name)
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End it; its exit code, or None when it did not run."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(number)
        return process.wait(timeout=30)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Operator(Program):
    """An operator of a data plane with its own credential: `python -m controllers.<package>`."""

    @property
    def passes(self) -> float:
        """How often it has reconciled something."""
        return self.metric("controller_runtime_reconcile_total")

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand, and nothing that waits."""
        return not self.metric("workqueue_depth") and not self.metric("controller_runtime_active_workers")

    def __init__(
        self, plane: ControlPlane, folder: Path, *, component: Component, package: str, flags: tuple[str, ...]
    ) -> None:
        self.metrics = free_port()
        self.kubeconfig = _kubeconfig(plane, component, folder)
        super().__init__(
            [
                *(sys.executable, "-m", f"controllers.{package}", f"--kubeconfig={self.kubeconfig}"),
                *(f"--metrics-bind-address=127.0.0.1:{self.metrics}", "--management-api-from-annotation"),
                *flags,
            ],
            log=folder / "operator.log",
            ready=f"http://127.0.0.1:{self.metrics}/readyz",
        )


class Simulator(Program):
    """`python -m missioncontrol.local.simulator` for one plane; `speeds` are its flags, in seconds."""

    def __init__(
        self, control_plane: ControlPlane, folder: Path, *, plane: str, pod_cidr: str, **speeds: float
    ) -> None:
        self.port = free_port()
        self.metrics = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with control_plane.admin_client() as admin:
            admin.create_namespace(SYSTEM_NAMESPACE)
            for body in yaml.safe_load_all((MANIFESTS / "local" / "simulator.yaml").read_text()):
                apply(admin, body)
        kubeconfig = _kubeconfig(control_plane, Component.SIMULATOR, folder)
        super().__init__(
            [
                *(sys.executable, "-m", "missioncontrol.local.simulator", f"--kubeconfig={kubeconfig}"),
                *(f"--plane={plane}", f"--state-dir={folder}", f"--pod-cidr={pod_cidr}"),
                *(f"--listen=127.0.0.1:{self.port}", f"--advertise={self.url}"),
                f"--metrics-bind-address=127.0.0.1:{self.metrics}",
                *(f"--{name.replace('_', '-')}={value}" for name, value in speeds.items()),
            ],
            log=folder / f"{plane}.log",
            ready=f"http://127.0.0.1:{self.metrics}/readyz",
        )

    def admin(self, path: str, **query: str) -> Any:
        status, body = call("GET", f"{self.url}/admin/{path}?{urlencode(query)}")
        assert status == 200
        return json.loads(body)

    def fault(self, namespace: str, pod: str, fault: str) -> None:
        body = {"namespace": namespace, "pod": pod, "fault": fault}
        status, answer = call("POST", f"{self.url}/admin/faults", body)
        assert status == 200, answer


def install(plane: ControlPlane, component: Component) -> None:
    """The kinds of a data plane, and the account of one of its operators with the rights of its role."""
    definitions = crds("data-plane")
    rules = [rule for rule in component_rules.DATA_PLANE if rule.component is component]
    with plane.admin_client() as admin:
        for body in (namespace(), service_account(component), *definitions, *component_roles(rules)):
            apply(admin, body)
        for body in definitions:
            name = body["metadata"]["name"]
            eventually(lambda name=name: established(admin, name), f"{name} is served", timeout=60)


def apply(admin: AdminClient, body: dict[str, Any]) -> None:
    """Apply an object of one of the kinds that installations consist of."""
    metadata = body["metadata"]
    admin.apply(RESOURCES[body["kind"]].path(metadata.get("namespace"), metadata["name"]), body)


def established(admin: AdminClient, name: str) -> bool:
    """Whether the kinds of a CustomResourceDefinition are served."""
    found = admin.get(CRDS.path(name=name)).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in found)


def _kubeconfig(plane: ControlPlane, component: Component, folder: Path) -> Path:
    """A kubeconfig with the rights of the component's generated role, and no others."""
    with plane.admin_client() as admin:
        token = admin.issue_token(SYSTEM_NAMESPACE, component, lifetime=7200)
    path = folder / f"{component}.kubeconfig"
    path.write_bytes(plane.kubeconfig(token=token))
    return path


@contextmanager
def k8ssandra_operator(plane: ControlPlane, folder: Path) -> Iterator[Operator]:
    """k8ssandra-operator in a plane in which it is installed."""
    component = Component.K8SSANDRA_OPERATOR
    process = Operator(plane, folder, component=component, package="k8ssandra", flags=("--no-leader-elect",))
    process.start()
    try:
        yield process
    finally:
        process.stop()
