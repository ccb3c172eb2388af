"""Our servers as processes: the API server, registered with a real kube-apiserver, the webhooks, and OPA."""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from missioncontrol.api import resources as r
from missioncontrol.api.emit import component_rules, rbac
from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.plumbing import api_service, flow_schemas, local_service
from missioncontrol.api.names import Component
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from missioncontrol.local.credentials import KeyPair
from missioncontrol.local.ports import free_port
from tests.installing import component_kubeconfig, install, server_certificate
from tests.kubectl import Kubectl
from tests.processes import Program
from tests.waiting import eventually

Obj = dict[str, Any]
GROUP = "missioncontrol.io"
GV = f"/apis/{GROUP}/v1alpha1"
_ROOT = Path(__file__).resolve().parents[1]


class Server(Program):
    """One of our servers: `python -m MODULE`, with the certificate and the credential in `folder`."""

    def __init__(self, module: str, folder: Path, *flags: str, log: str = "") -> None:
        self.port, self.probe = free_port(), free_port()
        super().__init__(
            [
                *(sys.executable, "-m", module, f"--kubeconfig={folder / module}.kubeconfig"),
                *("--bind-address=127.0.0.1", f"--secure-port={self.port}"),
                *(f"--tls-cert-file={folder / 'tls.crt'}", f"--tls-private-key-file={folder / 'tls.key'}"),
                *(f"--metrics-bind-address=127.0.0.1:{self.probe}", *flags),
            ],
            log=folder / f"{log or module}.log",
            ready=f"http://127.0.0.1:{self.probe}/readyz",
        )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


def policy_agent(programs: Programs, folder: Path) -> Program:
    """OPA with our policies."""
    port = free_port()
    argv = [
        *(str(programs.opa), "run", "--server", f"--addr=127.0.0.1:{port}", "--disable-telemetry"),
        *("--log-level=error", "--ignore=*_test.rego", str(_ROOT / "policies")),
    ]
    return Program(argv, log=folder / "opa.log", ready=f"http://127.0.0.1:{port}/health")


class Facade(Server):
    """The server under test, and the cluster behind it."""

    def __init__(
        self, plane: ControlPlane, programs: Programs, folder: Path, *flags: str, audits: bool
    ) -> None:
        log = [f"--audit-log-path={folder / 'audit.log'}"] if audits else []
        super().__init__("apiserver", folder, *log, *flags)
        self.plane, self.programs, self.folder, self.audits = plane, programs, folder, audits
        self._users: dict[str, Kubectl] = {}

    def user(self, name: str, *groups: str) -> Kubectl:
        """kubectl as this user, with no rights but what a test gives."""
        if name not in self._users:
            kubeconfig = self.folder / f"{name}.kubeconfig"
            kubeconfig.write_bytes(
                self.plane.kubeconfig(client=self.plane.client(name, user=name, groups=groups))
            )
            self._users[name] = Kubectl(self.programs.kubectl, kubeconfig, self.folder / f"home-{name}")
        return self._users[name]

    @property
    def admin(self) -> AdminClient:
        return self.plane.admin_client()

    def front_proxy(self) -> aiohttp.ClientSession:
        """Connections as kube-apiserver has them."""
        connector = aiohttp.TCPConnector(ssl=client_context(self, self.plane.front_proxy_client))
        return aiohttp.ClientSession(connector=connector)

    def audited(self, audit_id: str, stage: str = "ResponseComplete") -> Obj:
        """The event of a request in the audit log, as soon as it is there."""
        found: Obj = eventually(lambda: self._event(audit_id, stage), f"{stage} of {audit_id} is audited")
        return found

    def _event(self, audit_id: str, stage: str) -> Obj | None:
        for line in (self.folder / "audit.log").read_bytes().splitlines():
            if audit_id.encode() in line:
                event: Obj = json.loads(line)
                if (event["auditID"], event["stage"]) == (audit_id, stage):
                    return event
        return None


@contextmanager
def serving(
    plane: ControlPlane, programs: Programs, folder: Path, *, audits: bool = False
) -> Iterator[Facade]:
    """The server as a process, registered with kube-apiserver; it `audits` into `audit.log`."""
    ca = server_certificate(folder, "apiserver", "apiserver.mission-control.svc")
    server = Facade(plane, programs, folder, audits=audits)
    rules = [each for each in component_rules.CONTROL_PLANE if each.component is Component.APISERVER]
    with plane.admin_client() as admin:
        install(admin, rbac.namespace(), rbac.service_account(Component.APISERVER))
        install(admin, *crds("control-plane"), *rbac.component_roles(rules), *rbac.user_roles())
        install(admin, *flow_schemas([Component.APISERVER]), service_at(server.port))
        component_kubeconfig(plane, Component.APISERVER, folder / "apiserver.kubeconfig")
        server.start()
        install(admin, api_service(ca_bundle=ca, port=server.port))
        eventually(lambda: _available(admin), "the APIService is available")
        eventually(lambda: _listed(admin), "kube-apiserver lists our resources and their objects")
    try:
        yield server
    finally:
        server.stop()


def service_at(port: int) -> Obj:
    """The Service by which kube-apiserver finds our server, here on one port of this machine."""
    service = local_service(Component.APISERVER)
    service["spec"]["ports"] = [{"name": "https", "port": port, "protocol": "TCP"}]
    return service


def another_replica(facade: Facade, folder: Path, *flags: str, store: str = "") -> Facade:
    """A further server on ports of its own, not started yet; `store` is where it reaches kube-apiserver."""
    text = (facade.folder / "apiserver.kubeconfig").read_text()
    (folder / "apiserver.kubeconfig").write_text(
        text.replace(facade.plane.server, store or facade.plane.server)
    )
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (folder / name).write_bytes((facade.folder / name).read_bytes())
    return Facade(facade.plane, facade.programs, folder, *flags, audits=facade.audits)


def _available(admin: AdminClient) -> bool:
    conditions = admin.get(r.API_SERVICES.path(None, f"v1alpha1.{GROUP}")).get("status", {})
    return any(
        each["type"] == "Available" and each["status"] == "True" for each in conditions.get("conditions", ())
    )


def _listed(admin: AdminClient) -> bool:
    """A store whose kinds are this new says 429 for some hundred milliseconds."""
    try:
        names = [each["name"] for each in admin.get(GV)["resources"] if "list" in each["verbs"]]
        return bool(names) and all("items" in admin.get(f"{GV}/{name}") for name in names)
    except AdminError:
        return False


class Proxy:
    """Speaks to the server directly, as kube-apiserver does: with the front proxy's certificate."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    def request(
        self, method: str, path: str, *, user: str = "root", groups: str = "system:masters", **options: Any
    ) -> Any:
        """An aiohttp request; `headers` are added to those that name the user."""
        headers = {
            "X-Remote-User": user,
            "X-Remote-Group": groups,
            "Audit-Id": str(uuid.uuid4()),
            **options.pop("headers", {}),
        }
        return self._session.request(method, self._url + path, headers=headers, **options)

    async def json(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.request(method, path, **options) as answer:
            data = await answer.read()
            if answer.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            return answer.status, json.loads(data)

    async def json_lines(self, path: str) -> list[Any]:
        """A watch, read to its end."""
        async with self.request("GET", path) as answer:
            return [json.loads(line) async for line in answer.content]


def client_context(facade: Facade, pair: KeyPair | None) -> ssl.SSLContext:
    """TLS to the server, with a client certificate or none."""
    context = ssl.create_default_context(cafile=str(facade.folder / "ca.crt"))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


def grant(facade: Facade, namespace: str, user: str, *rules: tuple[str, str]) -> None:
    """Give a user rights on resources of our group: (resource, verbs) pairs."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": ["missioncontrol.io"], "resources": [resource], "verbs": verbs.split(",")}
            for resource, verbs in rules
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
    }
    with facade.admin as admin:
        admin.apply(r.ROLES.path(namespace, user), role)
        admin.apply(r.ROLE_BINDINGS.path(namespace, user), binding)
