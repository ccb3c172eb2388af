"""The extension as clusters have it: kube-controller-manager, webhooks, and replicas behind a balancer."""

from __future__ import annotations

import datetime
import os
import re
import signal
import ssl
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from missioncontrol.api import resources as r
from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.manifests import plane_objects
from missioncontrol.api.emit.plumbing import api_service, local_service, webhook_configurations
from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import Resource
from missioncontrol.local import processes
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import CONTROLLERS, SERVERS, ControlPlane, Programs
from missioncontrol.local.ports import free_port
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.apiserver.conftest import Kubectl, Proxy, until
from tests.integration.extension.balancer import Balancer

Obj = dict[str, Any]
Make = Callable[..., Obj]
GROUP = "missioncontrol.io"
GV = f"/apis/{GROUP}/v1alpha1"
LEAVING_SECONDS = 4
"""For which a replica that ends goes on serving, and sends everybody away who asks."""
_ROOT = Path(__file__).resolve().parents[3]
_RESOURCES = {(each.api_version, each.kind): each for each in vars(r).values() if isinstance(each, Resource)}


@dataclass
class Server:
    """One of our processes."""

    argv: list[str]
    log: Path
    port: int
    probe: int
    process: processes.Identity | None = None

    def launch(self) -> None:
        """Start without waiting. In the main thread: a process dies with the thread that started it."""
        self.process = processes.spawn(
            self.argv, log=self.log, cwd=_ROOT, env=dict(os.environ), die_with_parent=True
        )

    def start(self) -> None:
        self.launch()
        until(self.is_ready, f"{self.log.name} is ready")

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            processes.stop(self.process, grace=30, kill=kill)
            self.process = None

    def signal(self, number: int) -> None:
        if self.is_running():
            assert self.process is not None
            os.kill(self.process.pid, number)

    def is_running(self) -> bool:
        return self.process is not None and processes.is_running(self.process)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@dataclass
class Site:
    """Everything that runs."""

    plane: ControlPlane
    programs: Programs
    folder: Path
    replicas: list[Server]
    webhooks: Server
    opa: processes.Identity
    balancer: Balancer
    users: dict[str, Kubectl] = field(default_factory=dict)

    @property
    def admin(self) -> AdminClient:
        return self.plane.admin_client()

    @property
    def url(self) -> str:
        """Our server as kube-apiserver reaches it."""
        return f"https://127.0.0.1:{self.balancer.port}"

    def front_proxy(self) -> ssl.SSLContext:
        """TLS to our server as kube-apiserver speaks it."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        pair = self.plane.front_proxy_client
        context.load_cert_chain(pair.cert, pair.key)
        return context

    def kubectl(self, *extra: str) -> Kubectl:
        """kubectl as cluster-admin."""
        return Kubectl(self.programs.kubectl, self.plane.admin_kubeconfig, self.folder / "home", extra)

    def user(self, name: str, *groups: str, namespace: str = "default") -> Kubectl:
        """kubectl as this user, with no rights but what a test gives."""
        if name not in self.users:
            kubeconfig = self.folder / f"{name}.kubeconfig"
            kubeconfig.write_bytes(
                self.plane.kubeconfig(client=self.plane.client(name, user=name, groups=groups))
            )
            self.users[name] = Kubectl(self.programs.kubectl, kubeconfig, self.folder / f"home-{name}")
        known = self.users[name]
        return Kubectl(known.program, known.kubeconfig, known.home, ("--namespace", namespace))

    def complaints(self, component: str, since: int = 0) -> list[str]:
        """What a program of Kubernetes says against our group in its log."""
        data = self.plane.component(component).log.read_bytes()[since:].decode(errors="replace")
        return [
            line
            for line in data.splitlines()
            if re.match(r"[EWF]\d", line) and "missioncontrol" in line and not _is_ordinary(line)
        ]

    def log_size(self, component: str) -> int:
        return self.plane.component(component).log.stat().st_size


def _is_ordinary(line: str) -> bool:
    """No complaint: a refusal that the user is told of, and what happens when two write one object.

    The collector writes each face of an object by itself; who comes second reads it again, or finds it gone.
    """
    ordinary = (
        "rejected by webhook",
        "the object has been modified; please apply your changes to the latest",
    )
    gone = "garbagecollector.go" in line and line.endswith(' not found" logger="UnhandledError"')
    return gone or any(each in line for each in ordinary)


def install(admin: AdminClient, *documents: Obj) -> None:
    """Apply, as often as it takes a new kube-apiserver to know its own kinds."""
    for document in documents:
        resource = _RESOURCES[document["apiVersion"], document["kind"]]
        metadata = document["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        until(lambda path=path, document=document: _applied(admin, path, document), f"{path} applied")


def _applied(admin: AdminClient, path: str, document: Obj) -> bool:
    try:
        admin.apply(path, document)
    except AdminError as error:
        if error.status in (400, 422):
            raise
        return False
    return True


@pytest.fixture(scope="session")
def site(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("extension")
    plane = ControlPlane(
        folder / "plane",
        programs=binaries,
        name="extension",
        die_with_parent=True,
        # an autoscaler looks four times a minute otherwise, and tests would wait for it
        controller_manager_flags={"horizontal-pod-autoscaler-sync-period": "1s"},
    )
    plane.prepare()
    try:
        for name in SERVERS:
            plane.start_component(name)
            plane.wait_component(name)
        made = _made(plane, binaries, folder)
        try:
            _start(made)
            yield made
        finally:
            for server in (*made.replicas, made.webhooks):
                server.signal(signal.SIGTERM)
            for server in (*made.replicas, made.webhooks):
                server.stop()
            made.balancer.stop()
            processes.stop(made.opa, grace=5)
    finally:
        plane.stop(kill=True)


def _made(plane: ControlPlane, binaries: Programs, folder: Path) -> Site:
    now, lifetime = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    ca = new_ca("extension test", now=now, lifetime=lifetime)
    leaf = issue(
        ca,
        common_name="servers",
        usages=[Usage.SERVER],
        dns_names=["apiserver.mission-control.svc", "localhost"],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=lifetime,
    )
    save(leaf, folder / "tls.crt", folder / "tls.key")
    (folder / "ca.crt").write_bytes(ca.cert_pem)
    with plane.admin_client() as admin:
        install(admin, *plane_objects("control-plane"), *crds("control-plane"))
        for component in (Component.APISERVER, Component.WEBHOOKS):
            token = admin.issue_token(SYSTEM_NAMESPACE, component.value, lifetime=86400)
            (folder / f"{component.value}.kubeconfig").write_bytes(plane.kubeconfig(token=token))
    opa_port = free_port()
    opa = processes.spawn(
        [str(binaries.opa), "run", "--server", f"--addr=127.0.0.1:{opa_port}", "--disable-telemetry",
         "--log-level=error", "--ignore=*_test.rego", str(_ROOT / "policies")],
        log=folder / "opa.log", cwd=folder, die_with_parent=True,
    )  # fmt: skip
    webhooks = _server(
        folder, "webhooks", "webhooks", "--plane=control", f"--opa-url=http://127.0.0.1:{opa_port}"
    )
    replicas = [
        _server(folder, f"apiserver-{number}", "apiserver", f"--shutdown-delay-duration={LEAVING_SECONDS}")
        for number in (1, 2)
    ]
    balancer = Balancer([(each.port, each.probe) for each in replicas])
    return Site(plane, binaries, folder, replicas, webhooks, opa, balancer)


def _server(folder: Path, name: str, module: str, *flags: str) -> Server:
    port, probe = free_port(), free_port()
    argv = [
        sys.executable, "-m", module, f"--kubeconfig={folder / module}.kubeconfig",
        "--bind-address=127.0.0.1", f"--secure-port={port}", f"--metrics-bind-address=127.0.0.1:{probe}",
        f"--tls-cert-file={folder / 'tls.crt'}", f"--tls-private-key-file={folder / 'tls.key'}", *flags,
    ]  # fmt: skip
    return Server(argv, folder / f"{name}.log", port, probe)


def _start(site: Site) -> None:
    for server in (*site.replicas, site.webhooks):
        server.launch()
    site.balancer.start()
    ca = (site.folder / "ca.crt").read_bytes()
    service = local_service(Component.APISERVER)
    service["spec"]["ports"] = [{"name": "https", "port": site.balancer.port, "protocol": "TCP"}]
    base_url = f"https://127.0.0.1:{site.webhooks.port}"
    with site.admin as admin:
        install(admin, service, *webhook_configurations("control-plane", ca_bundle=ca, base_url=base_url))
        until(lambda: all_ready(site), "the replicas are ready")
        until(site.webhooks.is_ready, "the webhooks are ready")
        install(admin, api_service(ca_bundle=ca, port=site.balancer.port))
        until(lambda: is_available(admin), "our resources can be used")
        # only now: controllers look for new kinds each half minute, and at their own start
        for name in CONTROLLERS[:1]:
            site.plane.start_component(name)
        for number in (1, 2):
            until(lambda number=number: add_plane(admin, f"data-plane-{number}"), "the data planes are there")
        site.plane.wait_component("kube-controller-manager")


def all_ready(site: Site) -> bool:
    for each in (*site.replicas, site.webhooks):
        assert each.is_running(), each.log.read_text()[-3000:]
    return len(site.balancer.ready) == len(site.replicas)


def is_available(admin: AdminClient) -> bool:
    """Whether kube-apiserver knows our group, and has opened the storage of every kind in it."""
    plurals = ("missioncontrolclusters", "dataplanes", "datacenters", "operations")
    try:
        return all("items" in admin.get(f"{GV}/{plural}?limit=1") for plural in plurals)
    except AdminError:
        return False


def add_plane(admin: AdminClient, name: str) -> bool:
    body = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "DataPlane",
        "metadata": {"name": name},
        "spec": {"region": "eu", "kubeconfigSecretRef": {"name": name, "key": "kubeconfig"}},
    }
    return _applied(admin, f"{GV}/dataplanes/{name}", body)


@pytest.fixture
def namespace(site: Site, make_namespace: Callable[[ControlPlane], str]) -> str:
    """A namespace of this test alone."""
    return make_namespace(site.plane)


@pytest.fixture
def kubectl(site: Site, namespace: str) -> Kubectl:
    """kubectl as cluster-admin in the test's namespace."""
    return site.kubectl("--namespace", namespace)


@pytest.fixture
async def proxy(site: Site) -> AsyncIterator[Proxy]:
    connector = aiohttp.TCPConnector(ssl=site.front_proxy())
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield Proxy(session, site.url)


@pytest.fixture(scope="session")
def cluster() -> Make:
    """Makes the cluster of the examples, under any name."""

    def make(name: str = "demo") -> Obj:
        document: Obj = yaml.safe_load((_ROOT / "examples" / "quickstart.yaml").read_text())
        document["metadata"]["name"] = name
        return document

    return make


def restart(name: str = "r1", cluster: str = "demo", **spec: object) -> Obj:
    """A RollingRestart."""
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "RollingRestart",
        "metadata": {"name": name},
        "spec": {"clusterName": cluster, **spec},
    }
