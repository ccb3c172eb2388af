"""A kube-apiserver that is control plane and data plane at once, with OPA and both webhook servers.

The servers are processes with their own generated roles; kube-apiserver reaches them by URL and trusts them
by caBundle, as in the local environment.
"""

from __future__ import annotations

import json
import subprocess
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
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.installing import component_kubeconfig, install, server_certificate
from tests.processes import Program
from tests.servers import Server, policy_agent

Json = dict[str, Any]


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
            install(admin, *plane_objects(kind), *crds(kind))
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
    ca = server_certificate(folder, "webhooks")
    component_kubeconfig(plane, Component.WEBHOOKS, folder / "webhooks.kubeconfig")
    opa = policy_agent(binaries, folder)
    policies = f"--opa-url={opa.ready.removesuffix('/health')}"
    control = Server("webhooks", folder, "--plane=control", policies, log="control")
    data = Server("webhooks", folder, "--plane=data", log="data")
    with plane.admin_client() as admin:
        for name, server in (("control-plane", control), ("data-plane", data)):
            install(admin, *webhook_configurations(name, ca_bundle=ca, base_url=server.url))
    return Site(plane, binaries.kubectl, opa, control, data)


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
