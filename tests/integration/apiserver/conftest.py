"""A real kube-apiserver with its controllers, and our server registered with it as users will have it.

No webhooks and no operators run here: what a test sees is the façade's own doing.
"""

from __future__ import annotations

import asyncio
import datetime
import gzip
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from missioncontrol.api import resources as r
from missioncontrol.api.emit import component_rules, rbac
from missioncontrol.api.emit.crds import crds
from missioncontrol.api.emit.plumbing import api_service, flow_schemas, local_service
from missioncontrol.api.names import Component
from missioncontrol.api.resources import Resource
from missioncontrol.local import processes
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from missioncontrol.local.credentials import KeyPair
from missioncontrol.local.ports import free_port
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.apiserver.relay import Relay

Obj = dict[str, Any]
_ROOT = Path(__file__).resolve().parents[3]
_RESOURCES = {(each.api_version, each.kind): each for each in vars(r).values() if isinstance(each, Resource)}


@dataclass
class Kubectl:
    """kubectl as some user; every call in a fresh discovery cache of this user."""

    program: Path
    kubeconfig: Path
    home: Path
    extra: tuple[str, ...] = ()

    def __call__(
        self, *args: str, stdin: str | Obj | None = None, check: bool = True, env: Obj | None = None
    ) -> subprocess.CompletedProcess[str]:
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        done = subprocess.run(
            self.command(*args),
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment(env),
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stdout}{done.stderr}")
        return done

    def command(self, *args: str) -> list[str]:
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", *self.extra, *args]

    def environment(self, more: Obj | None = None) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **(more or {})}

    def json(self, *args: str, **options: Any) -> Obj:
        document: Obj = json.loads(self(*args, "-o", "json", **options).stdout)
        return document

    def fails(self, *args: str, **options: Any) -> str:
        done = self(*args, check=False, **options)
        assert done.returncode != 0, done.stdout
        return done.stderr


@dataclass
class Facade:
    """The server under test, and the cluster behind it."""

    plane: ControlPlane
    programs: Programs
    folder: Path
    port: int
    metrics_port: int
    argv: list[str]
    log: Path
    process: processes.Identity | None = None
    users: dict[str, Kubectl] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = processes.spawn(
            self.argv, log=self.log, cwd=_ROOT, env=dict(os.environ), die_with_parent=True
        )
        until(self.is_ready, "the server is ready")

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            processes.stop(self.process, grace=20, kill=kill)

    def is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.metrics_port}/readyz"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def user(self, name: str, *groups: str) -> Kubectl:
        """kubectl as this user, with no rights but what a test gives."""
        if name not in self.users:
            kubeconfig = self.folder / f"{name}.kubeconfig"
            kubeconfig.write_bytes(
                self.plane.kubeconfig(client=self.plane.client(name, user=name, groups=groups))
            )
            self.users[name] = Kubectl(self.programs.kubectl, kubeconfig, self.folder / f"home-{name}")
        return self.users[name]

    @property
    def admin(self) -> AdminClient:
        return self.plane.admin_client()

    def audited(self, audit_id: str, stage: str = "ResponseComplete") -> Obj:
        """The event of a request in the audit log, as soon as it is there."""
        found: Obj = until(lambda: self._event(audit_id, stage), f"{stage} of {audit_id} is audited")
        return found

    def _event(self, audit_id: str, stage: str) -> Obj | None:
        for line in (self.folder / "audit.log").read_bytes().splitlines():
            if audit_id.encode() in line:
                event: Obj = json.loads(line)
                if (event["auditID"], event["stage"]) == (audit_id, stage):
                    return event
        return None

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of a metric with these labels."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(each in line for each in wanted))


def until(condition: Callable[[], Any], what: str, *, seconds: float = 60.0) -> Any:
    """Wait for something; fail with its name when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def _install(admin: AdminClient, *documents: Obj) -> None:
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


@pytest.fixture(scope="session")
def facade(
    binaries: Programs,
    control_plane_with_controllers: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Facade]:
    plane, folder = control_plane_with_controllers, tmp_path_factory.mktemp("apiserver")
    with serving(plane, binaries, folder, "--audit-log-path", str(folder / "audit.log")) as server:
        yield server
    trouble = [line for line in server.log.read_text().splitlines() if '"level":"error"' in line]
    controllers = plane.component("kube-controller-manager").log.read_text().splitlines()
    # A kube-apiserver that has just begun has not read its own roles yet, and forbids for a moment.
    trouble += [
        line
        for line in controllers
        if line.startswith("E") and "missioncontrol" in line and "is forbidden: User" not in line
    ]
    assert not trouble, "\n".join(trouble[:5])


@contextmanager
def serving(plane: ControlPlane, programs: Programs, folder: Path, *flags: str) -> Iterator[Facade]:
    """The server as a process, registered with kube-apiserver."""
    now = datetime.datetime.now(datetime.UTC)
    ca = new_ca("test", now=now, lifetime=datetime.timedelta(days=1))
    leaf = issue(
        ca,
        common_name="apiserver",
        usages=[Usage.SERVER],
        dns_names=["apiserver.mission-control.svc", "localhost"],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=datetime.timedelta(hours=12),
    )
    save(leaf, folder / "tls.crt", folder / "tls.key")
    (folder / "ca.crt").write_bytes(ca.cert_pem)
    port, metrics_port = free_port(), free_port()
    kubeconfig = folder / "apiserver.kubeconfig"
    argv = [
        sys.executable, "-m", "apiserver", "--kubeconfig", str(kubeconfig),
        "--bind-address", "127.0.0.1", "--secure-port", str(port),
        "--tls-cert-file", str(folder / "tls.crt"), "--tls-private-key-file", str(folder / "tls.key"),
        "--metrics-bind-address", f"127.0.0.1:{metrics_port}", *flags,
    ]  # fmt: skip
    server = Facade(plane, programs, folder, port, metrics_port, argv, folder / "apiserver.log")
    rules = [each for each in component_rules.CONTROL_PLANE if each.component is Component.APISERVER]
    service = local_service(Component.APISERVER)
    service["spec"]["ports"] = [{"name": "https", "port": port, "protocol": "TCP"}]
    with plane.admin_client() as admin:
        _install(admin, rbac.namespace(), rbac.service_account(Component.APISERVER))
        _install(admin, *crds("control-plane"), *rbac.component_roles(rules), *rbac.user_roles())
        _install(admin, *flow_schemas([Component.APISERVER]), service)
        token = admin.issue_token("mission-control", Component.APISERVER.value, lifetime=86400)
        kubeconfig.write_bytes(plane.kubeconfig(token=token))
        server.start()
        _install(admin, api_service(ca_bundle=ca.cert_pem, port=port))
        until(lambda: _available(admin), "the APIService is available")
        until(lambda: _discovered(admin), "kube-apiserver lists our resources")
    try:
        yield server
    finally:
        server.stop()


def another_replica(facade: Facade, folder: Path, *flags: str, store: str = "") -> Facade:
    """A further server on ports of its own, not started yet; `store` is where it reaches kube-apiserver."""
    kubeconfig = folder / "kubeconfig"
    text = (facade.folder / "apiserver.kubeconfig").read_text()
    kubeconfig.write_text(text.replace(facade.plane.server, store or facade.plane.server))
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (folder / name).write_bytes((facade.folder / name).read_bytes())
    port, metrics_port = free_port(), free_port()
    changes = {
        "--kubeconfig": str(kubeconfig),
        "--secure-port": str(port),
        "--metrics-bind-address": f"127.0.0.1:{metrics_port}",
        "--tls-cert-file": str(folder / "tls.crt"),
        "--tls-private-key-file": str(folder / "tls.key"),
        "--audit-log-path": str(folder / "audit.log"),
    }
    argv = list(facade.argv)
    for flag, value in changes.items():
        if flag in argv:  # some write no audit log
            argv[argv.index(flag) + 1] = value
    argv += flags
    return replace(
        facade,
        folder=folder,
        argv=argv,
        port=port,
        metrics_port=metrics_port,
        log=folder / "log",
        process=None,
        users={},
    )


def _available(admin: AdminClient) -> bool:
    conditions = admin.get(r.API_SERVICES.path(None, "v1alpha1.missioncontrol.io")).get("status", {})
    return any(
        each["type"] == "Available" and each["status"] == "True" for each in conditions.get("conditions", ())
    )


def _discovered(admin: AdminClient) -> bool:
    try:
        return bool(admin.get("/apis/missioncontrol.io/v1alpha1")["resources"])
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


@pytest.fixture
async def proxy(facade: Facade) -> AsyncIterator[Proxy]:
    connector = aiohttp.TCPConnector(ssl=client_context(facade, facade.plane.front_proxy_client))
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield Proxy(session, facade.url)


@pytest.fixture
async def relay(facade: Facade) -> AsyncIterator[Relay]:
    async with Relay(facade.plane.ports.apiserver) as wire:
        yield wire


@pytest.fixture
async def server(facade: Facade, relay: Relay, tmp_path: Path) -> AsyncIterator[Facade]:
    """A second replica, whose wire to the store is the relay."""
    replica = another_replica(facade, tmp_path, store=f"https://127.0.0.1:{relay.port}")
    await asyncio.to_thread(replica.start)
    try:
        yield replica
    finally:
        await asyncio.to_thread(replica.stop)


@pytest.fixture
async def front(server: Facade) -> AsyncIterator[Proxy]:
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Proxy(session, server.url)


@pytest.fixture
def kubectl(facade: Facade, namespace: str) -> Kubectl:
    """kubectl as cluster-admin in a namespace of this test alone."""
    return Kubectl(
        facade.programs.kubectl,
        facade.plane.admin_kubeconfig,
        facade.folder / "home",
        ("--namespace", namespace),
    )


@pytest.fixture
def namespace(facade: Facade, make_namespace: Callable[[ControlPlane], str]) -> str:
    """A namespace of this test alone, in the cluster of `facade`."""
    return make_namespace(facade.plane)


@pytest.fixture(scope="session")
def cluster() -> Callable[..., Obj]:
    """Makes the cluster of the examples, under any name."""

    def make(name: str = "demo") -> Obj:
        document: Obj = yaml.safe_load((_ROOT / "examples" / "quickstart.yaml").read_text())
        document["metadata"]["name"] = name
        return document

    return make


@pytest.fixture
def stored_datacenters(facade: Facade, namespace: str) -> Callable[[str], None]:
    """Plays mission-control-operator: writes the Datacenters of a cluster, with nodes."""

    def write(cluster: str) -> None:
        with facade.admin as admin:
            for number, name in enumerate(("dc1", "dc2"), 1):
                _write_datacenter(admin, namespace, cluster, name, f"data-plane-{number}")

    return write


def _write_datacenter(admin: AdminClient, namespace: str, cluster: str, name: str, plane: str) -> None:
    path = r.STORED_DATACENTERS.path(namespace, f"{cluster}.{name}")
    identity = {
        "apiVersion": r.STORED_DATACENTERS.api_version,
        "kind": r.STORED_DATACENTERS.kind,
        "metadata": {
            "name": f"{cluster}.{name}",
            "namespace": namespace,
            "labels": {"missioncontrol.io/cluster-name": cluster, "missioncontrol.io/datacenter": name},
        },
    }
    racks = ("r1", "r2", "r3")
    spec = {
        "clusterName": cluster,
        "name": name,
        "dataPlane": plane,
        "size": 3,
        "racks": [{"name": rack, "size": 1} for rack in racks],
    }
    nodes = [
        {"name": f"{cluster}-{name}-{rack}-sts-0", "rack": rack, "dataPlane": plane, "ready": True,
         "state": "Started", "ip": f"10.1.0.{index}", "startedAt": "2026-01-01T00:00:00Z"}
        for index, rack in enumerate(racks, 1)
    ]  # fmt: skip
    status = {
        "phase": "Ready",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AsExpected", "message": "",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ],
        "replicas": 3,
        "readyReplicas": 3,
        "selector": f"cassandra.datastax.com/cluster={cluster}",
        "nodes": nodes,
    }  # fmt: skip
    admin.apply(path, {**identity, "spec": spec})
    admin.apply(f"{path}/status", {**identity, "status": status})
