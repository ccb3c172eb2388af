"""What makes a Kubernetes control plane a plane of Mission Control: applied, and waited for.

The objects come from `missioncontrol.api.emit`; here are only the order, the credentials and the waiting.
Everything is server-side apply and may be repeated.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from missioncontrol.api import resources as r
from missioncontrol.api.emit import component_rules
from missioncontrol.api.emit.crds import Plane, crds
from missioncontrol.api.emit.plumbing import api_service, flow_schemas, local_service, webhook_configurations
from missioncontrol.api.emit.rbac import (
    component_roles,
    data_plane_user_roles,
    namespace,
    service_account,
    user_roles,
)
from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import Resource
from missioncontrol.local.admin import AdminClient, AdminError, JsonObject
from missioncontrol.local.errors import LocalError
from missioncontrol.local.layout import Layout
from missioncontrol.local.state import CONTROL_PLANE
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import load_ca, save

_CERTIFICATE_LIFETIME = datetime.timedelta(days=3650)
# An environment may stand for months; nothing renews the tokens of its components.
_TOKEN_LIFETIME = int(_CERTIFICATE_LIFETIME.total_seconds())
_WAIT = 60.0
_INTERVAL = 0.1
_REGIONS = ("eu-west", "eu-central", "us-east", "us-west", "ap-south", "ap-east")
_DIGEST = "local.missioncontrol.io/digest"
REMOTE_ACCOUNT = "mission-control-operator"

_APPLIED = {
    (resource.api_version, resource.kind): resource
    for resource in (
        r.NAMESPACES,
        r.SERVICE_ACCOUNTS,
        r.SERVICES,
        r.SECRETS,
        r.ROLES,
        r.ROLE_BINDINGS,
        r.CLUSTER_ROLES,
        r.CLUSTER_ROLE_BINDINGS,
        r.FLOW_SCHEMAS,
        r.PRIORITY_LEVEL_CONFIGURATIONS,
        r.CRDS,
        r.API_SERVICES,
        r.VALIDATING_WEBHOOK_CONFIGURATIONS,
        r.MUTATING_WEBHOOK_CONFIGURATIONS,
        r.DATA_PLANES,
    )
}


def kind_of(plane: str) -> Plane:
    return "control-plane" if plane == CONTROL_PLANE else "data-plane"


# --- certificates ------------------------------------------------------------------------------------


def platform_certificates(layout: Layout) -> None:
    """The CA of our own servers, and a certificate for each of them."""
    now = datetime.datetime.now(datetime.UTC)
    ca_cert, ca_key = layout.platform_ca
    if not (ca_cert.is_file() and ca_key.is_file()):
        ca_cert.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ca = new_ca("Mission Control local environment", now=now, lifetime=_CERTIFICATE_LIFETIME)
        save(ca, ca_cert, ca_key)
    authority = load_ca(ca_cert, ca_key)
    for component in layout.components.values():
        cert, key = layout.certificate(component.name)
        if "server" not in component.urls or str(cert) not in component.argv:
            continue
        if cert.is_file() and key.is_file():
            continue
        leaf = issue(
            authority,
            common_name=component.program,
            usages=[Usage.SERVER],
            dns_names=[f"{component.program}.{SYSTEM_NAMESPACE}.svc", "localhost"],
            ip_names=["127.0.0.1"],
            now=now,
            lifetime=_CERTIFICATE_LIFETIME,
        )
        save(leaf, cert, key)


# --- one plane ---------------------------------------------------------------------------------------


def accounts_and_rights(layout: Layout, plane: str) -> None:
    """What our programs are in a plane and may do there, and a kubeconfig for each of them."""
    rules: tuple[component_rules.ComponentRules, ...] = component_rules.CONTROL_PLANE
    people = user_roles()
    if plane != CONTROL_PLANE:
        rules = (*component_rules.DATA_PLANE, *component_rules.LOCAL_DATA_PLANE)
        people = data_plane_user_roles()
    accounts = sorted({rule.component for rule in rules})
    apply_all(layout, plane, [namespace()])
    apply_all(layout, plane, [service_account(account) for account in accounts])
    apply_all(layout, plane, [*component_roles(rules), *people, *flow_schemas(accounts)])
    with layout.planes[plane].admin_client() as admin:
        for component in layout.of_plane(plane):
            path = layout.credential(plane, component.program)
            if str(path) in component.argv:
                _write_credential(layout, plane, admin, component.program, path)


def kinds(layout: Layout, plane: str) -> None:
    """The CRDs of a plane. They are large: what is there already is not sent again."""
    definitions = [_with_digest(definition) for definition in crds(kind_of(plane))]
    with layout.planes[plane].admin_client() as admin:
        changed = [definition for definition in definitions if not _is_there(admin, definition)]
        apply_all(layout, plane, changed)
        _wait_served(admin, definitions)


def _with_digest(definition: JsonObject) -> JsonObject:
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    metadata = definition["metadata"]
    annotations = {**metadata.get("annotations", {}), _DIGEST: digest}
    return {**definition, "metadata": {**metadata, "annotations": annotations}}


def _is_there(admin: AdminClient, definition: JsonObject) -> bool:
    found = admin.find(path_of(definition), metadata_only=True)
    annotations = (found or {}).get("metadata", {}).get("annotations", {})
    return bool(annotations.get(_DIGEST) == definition["metadata"]["annotations"][_DIGEST])


def apply_all(layout: Layout, plane: str, objects: Iterable[JsonObject]) -> None:
    """Apply objects, several at a time: the order within one call must not matter."""
    plane_of = layout.planes[plane]
    local = threading.local()
    clients: list[AdminClient] = []

    def apply(body: JsonObject) -> None:
        if not hasattr(local, "client"):
            local.client = plane_of.admin_client()
            clients.append(local.client)
        _apply_patiently(local.client, body)

    try:
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(apply, objects))
    finally:
        for client in clients:
            client.close()


def _apply_patiently(client: AdminClient, body: JsonObject) -> None:
    """kube-apiserver makes its own namespaces, and fills its caches, just after it calls itself ready."""

    def attempt() -> str | None:
        try:
            client.apply(path_of(body), body)
        except AdminError as error:
            if error.status not in (403, 404, 409, 429, 500, 503):
                raise
            return str(error)
        return None

    _wait_until(attempt, f"{body['kind']} {body['metadata']['name']} was not accepted", timeout=30.0)


def path_of(body: JsonObject) -> str:
    """The path of an object that is to be applied."""
    resource = _APPLIED[body["apiVersion"], body["kind"]]
    metadata = body["metadata"]
    return resource.path(metadata.get("namespace"), metadata["name"])


def _write_credential(layout: Layout, plane: str, admin: AdminClient, account: str, path: Path) -> None:
    """A kubeconfig with a token of the ServiceAccount; one that works is kept."""
    control_plane = layout.planes[plane]
    token = _token_of(path)
    if token is None or not _is_accepted(layout, plane, token):
        token = admin.issue_token(SYSTEM_NAMESPACE, account, lifetime=_TOKEN_LIFETIME)
    control_plane.write_kubeconfig(path, control_plane.kubeconfig(token=token))


def _token_of(kubeconfig: Path) -> str | None:
    try:
        document = json.loads(kubeconfig.read_bytes())
        return str(document["users"][0]["user"]["token"])
    except (OSError, ValueError, LookupError):
        return None


def _is_accepted(layout: Layout, plane: str, token: str) -> bool:
    control_plane = layout.planes[plane]
    with AdminClient(control_plane.server, ca=control_plane.ca_file, token=token) as client:
        try:
            client.get("/api/v1/namespaces/" + SYSTEM_NAMESPACE)
        except AdminError as error:
            return error.status == 403
    return True


def _wait_served(admin: AdminClient, definitions: Iterable[JsonObject]) -> None:
    """Until the kinds are answered for: a controller that lists one before would fail."""
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            if version["served"]:
                path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
                _wait_until(partial(_lists, admin, path), f"{path} is not served")


def _lists(admin: AdminClient, path: str) -> str | None:
    try:
        admin.request("GET", path, query={"limit": "1"})
    except AdminError as error:
        return str(error)
    return None


def _wait_until(check: Callable[[], str | None], what: str, timeout: float = _WAIT) -> None:
    """Until `check` gives None; what it gives otherwise says what is still missing."""
    deadline = time.monotonic() + timeout
    while (missing := check()) is not None:
        if time.monotonic() > deadline:
            raise LocalError(f"{what} after {timeout:.0f} s: {missing}")
        time.sleep(_INTERVAL)


# --- servers and data planes -------------------------------------------------------------------------


def register_servers(layout: Layout, plane: str) -> None:
    """Make kube-apiserver call our servers, once they answer: an absent webhook would block writes."""
    ca_bundle = layout.platform_ca[0].read_bytes()
    base_url = f"https://127.0.0.1:{layout.webhooks_port(plane)}"
    apply_all(layout, plane, webhook_configurations(kind_of(plane), ca_bundle=ca_bundle, base_url=base_url))
    if plane == CONTROL_PLANE:
        api = api_service(ca_bundle=ca_bundle, port=layout.aggregated_port)
        apply_all(layout, plane, [local_service(Component.APISERVER)])
        apply_all(layout, plane, [api])
        with layout.planes[plane].admin_client() as admin:
            _wait_condition(admin, r.API_SERVICES, api["metadata"]["name"], "Available", "logs/apiserver.log")


def _wait_condition(admin: AdminClient, resource: Resource, name: str, condition: str, hint: str) -> None:
    def missing() -> str | None:
        try:
            found = admin.get(resource.path(None, name))
        except AdminError as error:
            return str(error)
        conditions: list[dict[str, Any]] = found.get("status", {}).get("conditions") or []
        state = next((c for c in conditions if c["type"] == condition), None)
        if state is None:
            return f"no condition {condition} yet"
        return None if state["status"] == "True" else f"{state.get('reason')}: {state.get('message')}"

    _wait_until(missing, f"{resource.kind} {name} is not {condition} (see {hint})")


def register_data_planes(layout: Layout) -> None:
    """Make the data planes known as a user would: a Secret with a kubeconfig, and a DataPlane naming it."""
    for number, plane in enumerate(layout.plane_names[1:]):
        data_plane = layout.planes[plane]
        path = layout.credential(plane, f"{REMOTE_ACCOUNT}-remote")
        with data_plane.admin_client() as admin:
            _write_credential(layout, plane, admin, REMOTE_ACCOUNT, path)
        secret_name = f"{plane}-kubeconfig"
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret_name, "namespace": SYSTEM_NAMESPACE},
            "data": {"kubeconfig": base64.b64encode(path.read_bytes()).decode("ascii")},
        }
        region = _REGIONS[number % len(_REGIONS)]
        registration = {
            "apiVersion": r.DATA_PLANES.api_version,
            "kind": r.DATA_PLANES.kind,
            "metadata": {"name": plane, "labels": {"region": region}},
            "spec": {"region": region, "kubeconfigSecretRef": {"name": secret_name, "key": "kubeconfig"}},
        }
        with layout.planes[CONTROL_PLANE].admin_client() as admin:
            admin.apply(path_of(secret), secret)
            admin.apply(path_of(registration), registration)


def wait_data_planes_ready(layout: Layout) -> None:
    with layout.planes[CONTROL_PLANE].admin_client() as admin:
        for plane in layout.plane_names[1:]:
            _wait_condition(admin, r.DATA_PLANES, plane, "Ready", "logs/mission-control-operator.log")
