"""Roles and bindings: for our components from their rules, for users from the registry of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from missioncontrol.api import resources as r
from missioncontrol.api.emit.component_rules import READ, ComponentRules, Rule
from missioncontrol.api.emit.crds import UPSTREAM_KINDS
from missioncontrol.api.names import SYSTEM_NAMESPACE, Component, Label
from missioncontrol.api.registry import KINDS, KindInfo
from missioncontrol.api.resources import Resource

Document = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_AGGREGATE = f"{_RBAC}/aggregate-to-"
_EDIT_VERBS = frozenset({"create", "delete", "deletecollection", "patch", "update"})


def _document(
    resource: Resource, name: str, *, namespace: str = "", labels: Document | None = None
) -> Document:
    metadata: Document = {"name": name, "labels": {Label.APP_PART_OF: "missioncontrol", **(labels or {})}}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
    }


def namespace() -> Document:
    """The namespace that our components run in."""
    return _document(r.NAMESPACES, SYSTEM_NAMESPACE)


def service_account(component: Component) -> Document:
    """The identity of a component."""
    return _document(r.SERVICE_ACCOUNTS, component.value, namespace=SYSTEM_NAMESPACE)


def _subject(component: Component) -> Document:
    return {"kind": "ServiceAccount", "name": component.value, "namespace": SYSTEM_NAMESPACE}


def _binding(
    binding: Resource, name: str, role: Resource, role_name: str, component: Component, *, namespace: str = ""
) -> Document:
    return _document(binding, name, namespace=namespace) | {
        "roleRef": {"apiGroup": _RBAC, "kind": role.kind, "name": role_name},
        "subjects": [_subject(component)],
    }


def component_roles(components: Iterable[ComponentRules]) -> list[Document]:
    """The roles of components and their bindings."""
    return [document for rules in components for document in _component(rules)]


def _component(rules: ComponentRules) -> Iterator[Document]:
    name, component = rules.role_name, rules.component
    yield _document(r.CLUSTER_ROLES, name) | {"rules": [rule.to_dict() for rule in rules.rules]}
    yield _binding(r.CLUSTER_ROLE_BINDINGS, name, r.CLUSTER_ROLES, name, component)
    for where, namespaced in rules.namespaced:
        role = _document(r.ROLES, name, namespace=where)
        yield role | {"rules": [rule.to_dict() for rule in namespaced]}
        yield _binding(r.ROLE_BINDINGS, name, r.ROLES, name, component, namespace=where)
    if component is Component.APISERVER:
        # to learn which certificates the front proxy presents, and which clients' it vouches for
        reader = "extension-apiserver-authentication-reader"
        yield _binding(r.ROLE_BINDINGS, name, r.ROLES, reader, component, namespace="kube-system")


def _user_role(name: str, rules: list[Rule], *, aggregate_to: str = "") -> Document:
    labels = {_AGGREGATE + aggregate_to: "true"} if aggregate_to else {}
    role = _document(r.CLUSTER_ROLES, f"missioncontrol:{name}", labels=labels)
    return role | {"rules": [rule.to_dict() for rule in rules]}


def _on(resource: Resource, verbs: Iterable[str], subresource: str = "") -> Rule:
    name = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return Rule(resource.group, (name,), tuple(verbs))


def _view_rules(kind: KindInfo) -> Iterator[Rule]:
    verbs = [verb for verb in READ if verb in kind.verbs]
    yield _on(kind.resource, verbs)
    for subresource in kind.subresources:
        if "get" in subresource.verbs:
            yield _on(kind.resource, ("get",), subresource.name)


def _edit_rules(kind: KindInfo) -> Iterator[Rule]:
    if verbs := [verb for verb in kind.verbs if verb in _EDIT_VERBS]:
        yield _on(kind.resource, verbs)
    for subresource in kind.subresources:
        # a status is written by operators, not by people
        verbs = [verb for verb in subresource.verbs if verb in _EDIT_VERBS]
        if verbs and subresource.name != "status":
            yield _on(kind.resource, verbs, subresource.name)


def user_roles() -> list[Document]:
    """Roles for people in the control plane, one rule for each resource and subresource.

    What lies in namespaces joins Kubernetes' own view, edit and admin. Data planes are infrastructure:
    registering and using them is granted by roles of their own.
    """
    view = [rule for kind in KINDS for rule in _view_rules(kind)]
    edit = [rule for kind in KINDS if kind.resource.namespaced for rule in _edit_rules(kind)]
    cluster_scoped = [kind for kind in KINDS if not kind.resource.namespaced]
    infrastructure = [rule for kind in cluster_scoped for rule in (*_view_rules(kind), *_edit_rules(kind))]
    return [
        _user_role("view", view, aggregate_to="view"),
        _user_role("edit", edit, aggregate_to="edit"),
        _user_role("admin", [*view, *edit], aggregate_to="admin"),
        _user_role("data-plane-admin", infrastructure),
        _user_role("data-plane-user", [_on(r.DATA_PLANES, ("use",))]),
    ]


def data_plane_user_roles() -> list[Document]:
    """Roles for people in a data plane. Changes are made in the control plane, so there is only a view."""
    rules = [
        rule
        for kind in UPSTREAM_KINDS
        for rule in (_on(kind.resource, READ), _on(kind.resource, ("get",), "status"))
    ]
    return [_user_role("data-plane-view", rules, aggregate_to="view")]
