"""The extension as clusters have it: kube-controller-manager, webhooks, and replicas behind a balancer."""

from __future__ import annotations

import re
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.manifests import plane_objects
from missioncontrol.api.emit.plumbing import api_service, webhook_configurations
from missioncontrol.api.names import Component
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import CONTROLLERS, SERVERS, ControlPlane, Programs
from tests.installing import component_kubeconfig, install, server_certificate
from tests.integration.extension.balancer import Balancer
from tests.kubectl import Kubectl
from tests.processes import Program
from tests.servers import GROUP, GV, Proxy, Server, policy_agent, service_at
from tests.waiting import eventually

Obj = dict[str, Any]
Make = Callable[..., Obj]
LEAVING_SECONDS = 4
"""For which a replica that ends goes on serving, and sends everybody away who asks."""
_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Site:
    """Everything that runs."""

    plane: ControlPlane
    programs: Programs
    folder: Path
    replicas: list[Server]
    webhooks: Server
    opa: Program
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
                server.send_signal(signal.SIGTERM)
            for program in (*made.replicas, made.webhooks, made.opa):
                program.stop()
            made.balancer.stop()
    finally:
        plane.stop(kill=True)


def _made(plane: ControlPlane, binaries: Programs, folder: Path) -> Site:
    server_certificate(folder, "servers", "apiserver.mission-control.svc")
    with plane.admin_client() as admin:
        install(admin, *plane_objects("control-plane"), *crds("control-plane"))
    for component in (Component.APISERVER, Component.WEBHOOKS):
        component_kubeconfig(plane, component, folder / f"{component}.kubeconfig")
    opa = policy_agent(binaries, folder)
    webhooks = Server("webhooks", folder, "--plane=control", f"--opa-url={opa.ready.removesuffix('/health')}")
    replicas = [
        Server("apiserver", folder, f"--shutdown-delay-duration={LEAVING_SECONDS}", log=f"apiserver-{number}")
        for number in (1, 2)
    ]
    balancer = Balancer([(each.port, each.probe) for each in replicas])
    return Site(plane, binaries, folder, replicas, webhooks, opa, balancer)


def _start(site: Site) -> None:
    for program in (site.opa, *site.replicas, site.webhooks):
        program.start(wait=False)
    site.balancer.start()
    ca = (site.folder / "ca.crt").read_bytes()
    with site.admin as admin:
        install(admin, service_at(site.balancer.port))
        install(admin, *webhook_configurations("control-plane", ca_bundle=ca, base_url=site.webhooks.url))
        eventually(lambda: all_ready(site), "the replicas are ready")
        site.webhooks.wait_ready()
        install(admin, api_service(ca_bundle=ca, port=site.balancer.port))
        eventually(lambda: is_available(admin), "our resources can be used")
        # only now: controllers look for new kinds each half minute, and at their own start
        for name in CONTROLLERS[:1]:
            site.plane.start_component(name)
        for number in (1, 2):
            add_plane(admin, f"data-plane-{number}")
        site.plane.wait_component("kube-controller-manager")


def all_ready(site: Site) -> bool:
    """Whether requests go to every replica."""
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


def add_plane(admin: AdminClient, name: str) -> None:
    spec = {"region": "eu", "kubeconfigSecretRef": {"name": name, "key": "kubeconfig"}}
    install(
        admin,
        {
            "apiVersion": GV.removeprefix("/apis/"),
            "kind": "DataPlane",
            "metadata": {"name": name},
            "spec": spec,
        },
    )


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
