"""The discovery documents of the aggregated group: the older lists and the aggregated form.

They depend on the registry alone, so every replica serves the same bytes under the same ETag.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from missioncontrol.api.registry import KINDS, KindInfo, Subresource
from missioncontrol.api.resources import VERSION, VIRTUAL_GROUP, Resource

Document = dict[str, Any]

GROUP_VERSION = f"{VIRTUAL_GROUP}/{VERSION}"
AGGREGATED_CONTENT_TYPE = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as it goes over the wire. The ETag includes its quotes."""

    body: bytes
    etag: str
    content_type: str = "application/json"


def render(document: Document, content_type: str = "application/json") -> Rendered:
    """The bytes of a document, the same on every replica, and their hash."""
    body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hashlib.sha512(body).hexdigest().upper()
    return Rendered(body, f'"{digest}"', content_type)


def api_group() -> Document:
    """``GET /apis/missioncontrol.io``."""
    version = {"groupVersion": GROUP_VERSION, "version": VERSION}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": VIRTUAL_GROUP,
        "versions": [version],
        "preferredVersion": version,
    }


def api_group_list() -> Document:
    """``GET /apis`` in the older form."""
    group = {key: value for key, value in api_group().items() if key not in ("kind", "apiVersion")}
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}


def api_resource_list() -> Document:
    """``GET /apis/missioncontrol.io/v1alpha1``."""
    resources: list[Document] = []
    for kind in KINDS:
        resources.append(_resource(kind))
        resources.extend(_subresource(kind, subresource) for subresource in _sorted(kind))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": resources,
    }


def _sorted(kind: KindInfo) -> list[Subresource]:
    return sorted(kind.subresources, key=lambda subresource: subresource.name)


def _resource(kind: KindInfo) -> Document:
    resource: Document = {
        "name": kind.resource.plural,
        "singularName": kind.singular,
        "namespaced": kind.resource.namespaced,
        "kind": kind.resource.kind,
        "verbs": sorted(kind.verbs),
        "categories": sorted(kind.categories),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    return resource


def _subresource(kind: KindInfo, subresource: Subresource) -> Document:
    document: Document = {
        "name": f"{kind.resource.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": kind.resource.namespaced,
        "kind": subresource.kind.kind,
        "verbs": sorted(subresource.verbs),
    }
    if subresource.kind.group != VIRTUAL_GROUP:
        document |= {"group": subresource.kind.group, "version": subresource.kind.version}
    return document


def aggregated(version: str = "v2") -> Document:
    """``GET /apis`` in the aggregated form, v2 or v2beta1."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": VIRTUAL_GROUP},
                "versions": [
                    {
                        "version": VERSION,
                        "freshness": "Current",
                        "resources": [_aggregated_resource(kind) for kind in KINDS],
                    }
                ],
            }
        ],
    }


def _response_kind(resource: Resource) -> Document:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _aggregated_resource(kind: KindInfo) -> Document:
    resource: Document = {
        "resource": kind.resource.plural,
        "responseKind": _response_kind(kind.resource),
        "scope": "Namespaced" if kind.resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
        "categories": sorted(kind.categories),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.subresources:
        resource["subresources"] = [
            {
                "subresource": subresource.name,
                "responseKind": _response_kind(subresource.kind),
                "verbs": sorted(subresource.verbs),
            }
            for subresource in _sorted(kind)
        ]
    return resource


@functools.cache
def rendered_group() -> Rendered:
    """``GET /apis/missioncontrol.io``, as bytes."""
    return render(api_group())


@functools.cache
def rendered_group_list() -> Rendered:
    """``GET /apis`` in the older form, as bytes."""
    return render(api_group_list())


@functools.cache
def rendered_resource_list() -> Rendered:
    """``GET /apis/missioncontrol.io/v1alpha1``, as bytes."""
    return render(api_resource_list())


@functools.cache
def rendered_aggregated(version: str = "v2") -> Rendered:
    """``GET /apis`` in the aggregated form, as bytes."""
    return render(aggregated(version), AGGREGATED_CONTENT_TYPE.format(version=version))
