"""What an installation consists of, put into a real control plane: kinds, accounts, roles, certificates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from missioncontrol.api import resources as r
from missioncontrol.api.emit import component_rules
from missioncontrol.api.emit.crds import Plane, crds
from missioncontrol.api.emit.rbac import component_roles, namespace, service_account
from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.api.resources import Resource
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.waiting import eventually

Obj = dict[str, Any]
_RESOURCES = {(each.api_version, each.kind): each for each in vars(r).values() if isinstance(each, Resource)}


def install(admin: AdminClient, *documents: Obj) -> None:
    """Apply, as often as it takes a new kube-apiserver to know its own kinds; new kinds are then served."""
    for document in documents:
        path = _path(document)
        eventually(lambda path=path, document=document: _applied(admin, path, document), f"{path} applied")
    for document in documents:
        if document["kind"] == r.CRDS.kind:
            name = document["metadata"]["name"]
            eventually(lambda name=name: established(admin, name), f"{name} is served")


def _path(document: Obj) -> str:
    metadata = document["metadata"]
    resource = _RESOURCES[document["apiVersion"], document["kind"]]
    return resource.path(metadata.get("namespace"), metadata["name"])


def _applied(admin: AdminClient, path: str, document: Obj) -> bool:
    try:
        admin.apply(path, document)
    except AdminError as error:
        if error.status in (400, 422):
            raise
        return False
    return True


def established(admin: AdminClient, name: str) -> bool:
    """Whether the kinds of a CustomResourceDefinition are served."""
    conditions = admin.get(r.CRDS.path(name=name)).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def install_operator(plane: ControlPlane, component: Component, *, kind: Plane = "data-plane") -> None:
    """The kinds of a plane, and the account of an operator with the rights of its role there."""
    everybody = component_rules.DATA_PLANE if kind == "data-plane" else component_rules.CONTROL_PLANE
    rules = [rule for rule in everybody if rule.component is component]
    with plane.admin_client() as admin:
        install(admin, namespace(), service_account(component), *crds(kind), *component_roles(rules))


def credential(plane: ControlPlane, component: Component) -> bytes:
    """A kubeconfig with the rights of the component's generated role, and no others."""
    with plane.admin_client() as admin:
        token = admin.issue_token(SYSTEM_NAMESPACE, component, lifetime=86400)
    return plane.kubeconfig(token=token)


def component_kubeconfig(plane: ControlPlane, component: Component, path: Path) -> Path:
    """The same in a file."""
    path.write_bytes(credential(plane, component))
    return path


def server_certificate(folder: Path, name: str, *dns_names: str) -> bytes:
    """Write `tls.crt` and `tls.key` of a server on this machine, and `ca.crt`, whose content it returns."""
    now, lifetime = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    ca = new_ca(f"{name} test", now=now, lifetime=lifetime)
    leaf = issue(
        ca,
        common_name=name,
        usages=[Usage.SERVER],
        dns_names=[*dns_names, "localhost"],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=lifetime,
    )
    save(leaf, folder / "tls.crt", folder / "tls.key")
    (folder / "ca.crt").write_bytes(ca.cert_pem)
    return ca.cert_pem
