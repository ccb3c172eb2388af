"""A kube-apiserver that is control plane and data plane at once, with OPA and both webhook servers.

The servers are processes with their own generated roles; kube-apiserver reaches them by URL and trusts them
by caBundle, as in the local environment.
"""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.manifests import plane_objects
from missioncontrol.api.emit.plumbing import webhook_configurations
from missioncontrol.api.names import REQUESTER_EXTRA, SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import CRDS, Resource
from missioncontrol.kube.client import Client, Response
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.simulator.conftest import call, eventually, free_port

Json = dict[str, Any]

POLICIES = Path(__file__).parents[3] / "policies"
CLUSTER_SCOPED = {
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}


class Process:
    """A server that tests may stop and start again."""

    def __init__(self, argv: list[str], *, log: Path, ready: str) -> None:
        self.argv, self.log, self.ready = argv, log, ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.argv, stdout=log, stderr=log)
        if wait:
            eventually(self.is_ready, f"{self.ready} answers", timeout=30)

    def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            return call("GET", self.ready)[0] == 200
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        return process.wait(timeout=15)


@dataclass
class Site:
    """Everything that a test of the webhooks touches."""

    plane: ControlPlane
    kubectl_program: Path
    opa: Process
    control: Process
    data: Process

    def kubectl(self, *arguments: str, stdin: Json | None = None) -> tuple[int, str]:
        """As the cluster's administrator; the exit code and all that was printed."""
        done = subprocess.run(
            [str(self.kubectl_program), f"--kubeconfig={self.plane.admin_kubeconfig}", *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def account_token(self, component: Component) -> bytes:
        """The kubeconfig of one of our components."""
        with self.plane.admin_client() as admin:
            token = admin.issue_token(SYSTEM_NAMESPACE, component, lifetime=7200)
        return self.plane.kubeconfig(token=token)


@pytest.fixture(scope="session")
def site(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("webhooks")
    plane = ControlPlane(
        folder / "plane", programs=binaries, controllers=False, name="webhooks", die_with_parent=True
    )
    plane.start()
    with plane.admin_client() as admin:
        for kind in ("control-plane", "data-plane"):
            for body in (*plane_objects(kind), *crds(kind)):
                _apply(admin, body)
        for definition in (*crds("control-plane"), *crds("data-plane")):
            name = definition["metadata"]["name"]
            eventually(lambda name=name: _established(admin, name), f"{name} is served")
    made = _servers(plane, binaries, folder)
    try:
        made.opa.start(wait=False)
        made.control.start()
        made.data.start()
        yield made
    finally:
        for process in (made.control, made.data, made.opa):
            process.stop()
        plane.stop(kill=True)


def _servers(plane: ControlPlane, binaries: Programs, folder: Path) -> Site:
    now = datetime.datetime.now(datetime.UTC)
    lifetime = datetime.timedelta(days=1)
    authority = new_ca("webhooks test", now=now, lifetime=lifetime)
    leaf = issue(
        authority,
        common_name="webhooks",
        usages=[Usage.SERVER],
        dns_names=["localhost"],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=lifetime,
    )
    cert, key = folder / "tls.crt", folder / "tls.key"
    save(leaf, cert, key, now=now)
    opa_port = free_port()
    opa = Process(
        [
            *(str(binaries.opa), "run", "--server", f"--addr=127.0.0.1:{opa_port}", "--disable-telemetry"),
            *("--log-level=error", "--ignore=*_test.rego", str(POLICIES)),
        ],
        log=folder / "opa.log",
        ready=f"http://127.0.0.1:{opa_port}/health",
    )
    servers = {}
    for kind, flags in (("control", [f"--opa-url=http://127.0.0.1:{opa_port}"]), ("data", [])):
        port, metrics = free_port(), free_port()
        with plane.admin_client() as admin:
            token = admin.issue_token(SYSTEM_NAMESPACE, Component.WEBHOOKS, lifetime=7200)
            base = f"https://127.0.0.1:{port}"
            plane_name = "control-plane" if kind == "control" else "data-plane"
            for body in webhook_configurations(plane_name, ca_bundle=authority.cert_pem, base_url=base):
                _apply(admin, body)
        kubeconfig = folder / f"{kind}.kubeconfig"
        kubeconfig.write_bytes(plane.kubeconfig(token=token))
        servers[kind] = Process(
            [
                *(sys.executable, "-m", "webhooks", f"--plane={kind}", *flags, f"--kubeconfig={kubeconfig}"),
                *("--bind-address=127.0.0.1", f"--secure-port={port}"),
                f"--metrics-bind-address=127.0.0.1:{metrics}",
                *(f"--tls-cert-file={cert}", f"--tls-private-key-file={key}"),
            ],
            log=folder / f"{kind}.log",
            ready=f"http://127.0.0.1:{metrics}/readyz",
        )
    return Site(plane, binaries.kubectl, opa, servers["control"], servers["data"])


def _apply(admin: AdminClient, body: Json) -> None:
    group, _, version = body["apiVersion"].rpartition("/")
    plural = _plural(body["kind"])
    scoped = body["kind"] not in CLUSTER_SCOPED
    resource = Resource(group, version, plural, body["kind"], namespaced=scoped)
    metadata = body["metadata"]
    try:
        admin.apply(resource.path(metadata.get("namespace"), metadata["name"]), body)
    except AdminError as error:
        raise AssertionError(f"{body['kind']} {metadata['name']}: {error}") from error


def _plural(kind: str) -> str:
    return f"{kind.lower()}s"


def _established(admin: AdminClient, name: str) -> bool:
    found = admin.get(CRDS.path(name=name)).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in found)


class Facade:
    """Writes as our API server does: under its own account, naming the person who asked."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    async def write(
        self,
        method: str,
        resource: Resource,
        body: Json | None,
        *,
        name: str | None = None,
        user: str = "alice",
        query: dict[str, str] | None = None,
    ) -> Response:
        namespace = self.namespace if resource.namespaced else None
        headers = {
            "Impersonate-User": f"system:serviceaccount:{SYSTEM_NAMESPACE}:{Component.APISERVER.value}",
            f"Impersonate-Extra-{REQUESTER_EXTRA.replace('/', '%2F')}": json.dumps(
                {"username": user, "groups": ["dba"]}
            ),
        }
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return await self.client.request(
            method, resource.path(namespace, name), body=body, headers=headers, query=query
        )

    async def create(self, resource: Resource, body: Json, *, user: str = "alice") -> Json:
        """Create, and fail unless that works."""
        response = await self.write("POST", resource, body, user=user)
        return response.raise_for_status().json()

    async def refused(self, resource: Resource, body: Json, *, user: str = "alice") -> Json:
        """The Status of a creation that must fail."""
        response = await self.write("POST", resource, body, user=user)
        assert response.status >= 400, response.body
        return response.json()


@pytest.fixture
def namespace(site: Site, make_namespace: Any) -> str:
    name: str = make_namespace(site.plane)
    return name


@pytest.fixture
async def facade(site: Site, namespace: str) -> AsyncIterator[Facade]:
    config = from_kubeconfig(site.account_token(Component.APISERVER))
    async with Client(config, user_agent="test") as client:
        yield Facade(client, namespace)


@pytest.fixture
async def admin(site: Site) -> AsyncIterator[Client]:
    config = from_kubeconfig(site.plane.admin_kubeconfig)
    async with Client(config, user_agent="test") as client:
        yield client


def client_of(site: Site, component: Component) -> Client:
    """A client under the account of one of our components."""
    return Client(from_kubeconfig(site.account_token(component)), user_agent="test")
