"""Our programs as processes beside real control planes: started, waited for, killed by tests."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.local.control_plane import ControlPlane
from missioncontrol.local.ports import free_port
from tests.installing import component_kubeconfig, install
from tests.waiting import eventually

MANIFESTS = Path(__file__).parents[1] / "manifests" / "generated"


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


class Program:
    """A program that says at `ready` when it is ready. It ends with the test run, however that ends."""

    def __init__(self, argv: list[str], *, log: Path, ready: str) -> None:
        self.argv, self.log, self.ready = argv, log, ready
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it, unless it runs. It dies with the thread that started it."""
        if not self.is_running():
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self.argv, stdout=log, stderr=log, preexec_fn=_die_with_parent
                )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        eventually(self.is_ready, f"{self.ready} answers")

    def is_ready(self) -> bool:
        """Whether it says so; what has ended by itself will not, and fails with its last words."""
        assert self.is_running(), self.log.read_text()[-4000:]
        try:
            return call("GET", self.ready)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels of a metric that is told where readiness is."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in self._metrics() if line.partition("{")[0].partition(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(each in line for each in wanted))

    def metric_by(self, name: str, label: str) -> dict[str, float]:
        """The sums of the series of a metric by the values of one label."""
        sums: dict[str, float] = {}
        for line in self._metrics():
            found = re.match(rf'{name}{{.*\b{label}="([^"]*)".*}} (\S+)', line)
            if found:
                sums[found[1]] = sums.get(found[1], 0.0) + float(found[2])
        return sums

    def _metrics(self) -> list[str]:
        return call("GET", self.ready.replace("/readyz", "/metrics"))[1].splitlines()

    def send_signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

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
        self.kubeconfig = component_kubeconfig(plane, component, folder / f"{component}.kubeconfig")
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
            install(admin, *yaml.safe_load_all((MANIFESTS / "local" / "simulator.yaml").read_text()))
        kubeconfig = component_kubeconfig(control_plane, Component.SIMULATOR, folder / "simulator.kubeconfig")
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
