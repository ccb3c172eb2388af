"""A kube-apiserver that is control plane and data plane at once, with OPA and both webhook servers.

The servers are processes with their own generated roles; kube-apiserver reaches them by URL and trusts them
by caBundle, as in the local environment.
"""

from __future__ import annotations

import datetime
import json
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
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client, Response
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.processes import Program, established, eventually, free_port

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


@dataclass
class Site:
    """Everything that a test of the webhooks touches."""

    plane: ControlPlane
    kubectl_program: Path
    opa: Program
    control: Program
    data: Program

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
            eventually(lambda name=name: established(admin, name), f"{name} is served")
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
    opa = Program(
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
        servers[kind] = Program(
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
