"""What connects our servers to kube-apiserver: APIService, Services, flow control, webhook configurations."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Final, Literal

from missioncontrol.api import resources as r
from missioncontrol.api.emit.crds import UPSTREAM_KINDS, Plane
from missioncontrol.api.names import API_SERVICE_NAME, SYSTEM_NAMESPACE, Component, Label, WebhookPath
from missioncontrol.api.resources import STORAGE_GROUP, VERSION, VIRTUAL_GROUP, Resource

Document = dict[str, Any]

GROUP_PRIORITY: Final = 2000
WEBHOOK_TIMEOUT_SECONDS: Final = 5
_PART_OF: Final = {Label.APP_PART_OF: "missioncontrol"}

# Kubernetes' own controllers must be able to clean up whatever state our webhooks are in; without
# credentials of their own they act as kube-controller-manager
_ALWAYS_PASS: Final = (
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:kube-controller-manager",
)


def _document(resource: Resource, name: str, namespace: str = "") -> Document:
    metadata: Document = {"name": name, "labels": dict(_PART_OF)}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
    }


def _encode(ca_bundle: bytes) -> str:
    return base64.b64encode(ca_bundle).decode()


def api_service(*, ca_bundle: bytes | None, port: int = 443) -> Document:
    """The registration of our group with kube-apiserver. ``ca_bundle`` is PEM."""
    spec: Document = {
        "group": VIRTUAL_GROUP,
        "version": VERSION,
        "groupPriorityMinimum": GROUP_PRIORITY,
        "versionPriority": 15,
        "service": {"namespace": SYSTEM_NAMESPACE, "name": Component.APISERVER.value, "port": port},
    }
    if ca_bundle is not None:
        spec["caBundle"] = _encode(ca_bundle)
    return _document(r.API_SERVICES, API_SERVICE_NAME) | {"spec": spec}


def cluster_service(component: Component) -> Document:
    """The Service of one of our servers that runs in the cluster."""
    return _document(r.SERVICES, component.value, SYSTEM_NAMESPACE) | {
        "spec": {
            "type": "ClusterIP",
            "selector": {Label.APP_NAME: component.value, **_PART_OF},
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"}],
        }
    }


def local_service(component: Component) -> Document:
    """The Service of one of our servers that runs beside kube-apiserver on the same machine."""
    return _document(r.SERVICES, component.value, SYSTEM_NAMESPACE) | {
        "spec": {"type": "ExternalName", "externalName": "localhost"}
    }


def flow_schemas(components: Iterable[Component]) -> list[Document]:
    """A priority level of our own.

    A user's request waits inside kube-apiserver while our server asks kube-apiserver in turn. Were both
    of one level, waiting users could take every seat that serving them needs.
    """
    name = "missioncontrol"
    level = _document(r.PRIORITY_LEVEL_CONFIGURATIONS, name) | {
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 40,
                "lendablePercent": 50,
                "limitResponse": {
                    "type": "Queue",
                    "queuing": {"queues": 64, "handSize": 6, "queueLengthLimit": 50},
                },
            },
        }
    }
    rules = {
        "subjects": [
            {
                "kind": "ServiceAccount",
                "serviceAccount": {"name": component.value, "namespace": SYSTEM_NAMESPACE},
            }
            for component in sorted(components)
        ],
        "resourceRules": [
            {
                "apiGroups": ["*"],
                "resources": ["*"],
                "verbs": ["*"],
                "clusterScope": True,
                "namespaces": ["*"],
            }
        ],
        "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
    }
    schema = _document(r.FLOW_SCHEMAS, name) | {
        "spec": {
            "priorityLevelConfiguration": {"name": name},
            "matchingPrecedence": 850,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [rules],
        }
    }
    return [level, schema]


def webhook_configurations(
    plane: Plane, *, ca_bundle: bytes | None, base_url: str | None = None
) -> list[Document]:
    """The mutating and the validating webhook of a plane.

    ``base_url`` (``https://127.0.0.1:40123``) reaches a local process; without it the Service in the
    cluster is meant. Both fail closed, and see nothing but objects of our own groups.
    """
    mutating = _webhook(plane, "mutate", WebhookPath.MUTATE, ca_bundle, base_url)
    validating = _webhook(plane, "validate", WebhookPath.VALIDATE, ca_bundle, base_url)
    name = f"missioncontrol-{plane}"
    return [
        _document(r.MUTATING_WEBHOOK_CONFIGURATIONS, name)
        | {"webhooks": [mutating | {"reinvocationPolicy": "IfNeeded"}]},
        _document(r.VALIDATING_WEBHOOK_CONFIGURATIONS, name) | {"webhooks": [validating]},
    ]


def _webhook(
    plane: Plane,
    verb: Literal["mutate", "validate"],
    path: str,
    ca_bundle: bytes | None,
    base_url: str | None,
) -> Document:
    client: Document = {"url": base_url.rstrip("/") + path} if base_url else {"service": _service(path)}
    if ca_bundle is not None:
        client["caBundle"] = _encode(ca_bundle)
    return {
        "name": f"{verb}.{plane}.missioncontrol.io",
        "clientConfig": client,
        "rules": _rules(plane, verb),
        "matchConditions": _match_conditions(),
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        # a dry run charges no quota
        "sideEffects": "NoneOnDryRun" if verb == "validate" else "None",
        "timeoutSeconds": WEBHOOK_TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _service(path: str) -> Document:
    return {"namespace": SYSTEM_NAMESPACE, "name": Component.WEBHOOKS.value, "port": 443, "path": path}


def _rules(plane: Plane, verb: Literal["mutate", "validate"]) -> list[Document]:
    operations = ["CREATE", "UPDATE"] + (["DELETE"] if verb == "validate" else [])
    if plane == "control-plane":
        resources = ["*"] if verb == "mutate" else ["*/*"]
        return [_rule(STORAGE_GROUP, VERSION, resources, operations)]
    groups: dict[tuple[str, str], list[str]] = {}
    for kind in UPSTREAM_KINDS:
        groups.setdefault((kind.resource.group, kind.resource.version), []).append(kind.resource.plural)
    return [
        _rule(group, version, sorted(plurals), operations)
        for (group, version), plurals in sorted(groups.items())
    ]


def _rule(group: str, version: str, resources: list[str], operations: list[str]) -> Document:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": operations,
        "resources": resources,
        "scope": "*",
    }


def _match_conditions() -> list[Document]:
    ours = f"system:serviceaccount:{SYSTEM_NAMESPACE}:"
    names = ", ".join(f"'{name}'" for name in _ALWAYS_PASS)
    return [
        {"name": "not-kubernetes-own-cleanup", "expression": f"!(request.userInfo.username in [{names}])"},
        {
            # a status says what was seen; reporting it must not depend on the webhook
            "name": "not-our-status",
            # absent, not empty, where a request is for the object itself
            "expression": "!(has(request.subResource) && request.subResource == 'status' && "
            f"request.userInfo.username.startsWith('{ours}'))",
        },
    ]
