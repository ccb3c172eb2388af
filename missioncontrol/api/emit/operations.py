"""The paths of the aggregated API and what can be done at each: common to OpenAPI v2 and v3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from missioncontrol.api.registry import KINDS, KindInfo, Subresource
from missioncontrol.api.resources import VERSION, VIRTUAL_GROUP, Resource

Method = Literal["get", "post", "put", "patch", "delete"]

_GROUP_TAG = "missioncontrol_v1alpha1"
_OPERATION_PREFIX = "MissioncontrolV1alpha1"

# verb -> (method, x-kubernetes-action, on the collection)
_VERBS: dict[str, tuple[Method, str, bool]] = {
    "list": ("get", "list", True),
    "create": ("post", "post", True),
    "deletecollection": ("delete", "deletecollection", True),
    "get": ("get", "get", False),
    "update": ("put", "put", False),
    "patch": ("patch", "patch", False),
    "delete": ("delete", "delete", False),
}
_SENTENCES = {
    "list": "List objects of kind {kind}; with watch=true, watch them.",
    "create": "Create a {kind}.",
    "deletecollection": "Delete many objects of kind {kind}.",
    "get": "Read a {kind}.",
    "update": "Replace a {kind}.",
    "patch": "Change parts of a {kind}.",
    "delete": "Delete a {kind}.",
}
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method does at one path. ``body`` and ``answer`` are kinds; ``answer`` may be a list of it."""

    method: Method
    verb: str
    action: str
    operation_id: str
    description: str
    kind: Resource
    parameters: tuple[str, ...]
    body: Resource | Literal["DeleteOptions", "Patch"] | None
    answer: Resource | Literal["Status"]
    answers_list: bool = False
    created: bool = False
    tag: str = _GROUP_TAG


@dataclass(frozen=True, slots=True)
class Path:
    """A path, the parameters in it, and its operations."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...] = field(default=())


def paths() -> list[Path]:
    """All paths of the group and version, in order."""
    found = [path for kind in KINDS for path in _paths_of_kind(kind)]
    return sorted(found, key=lambda path: path.path)


def _paths_of_kind(kind: KindInfo) -> Iterator[Path]:
    base = f"/apis/{VIRTUAL_GROUP}/{VERSION}"
    scope = "/namespaces/{namespace}" if kind.resource.namespaced else ""
    place = ("namespace",) if kind.resource.namespaced else ()
    collection = f"{base}{scope}/{kind.resource.plural}"
    if kind.resource.namespaced and "list" in kind.verbs:
        everywhere = _operation(kind, "list", suffix="ForAllNamespaces", namespaced=False)
        yield Path(f"{base}/{kind.resource.plural}", (), (everywhere,))
    on_collection = tuple(_operation(kind, verb) for verb in kind.verbs if verb in _VERBS and _VERBS[verb][2])
    if on_collection:
        yield Path(collection, place, on_collection)
    on_object = tuple(_operation(kind, verb) for verb in kind.verbs if verb in _VERBS and not _VERBS[verb][2])
    yield Path(f"{collection}/{{name}}", (*place, "name"), on_object)
    for subresource in kind.subresources:
        operations = tuple(_subresource_operation(kind, subresource, verb) for verb in subresource.verbs)
        yield Path(f"{collection}/{{name}}/{subresource.name}", (*place, "name"), operations)


_SELECTING = (
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
)
_WATCHING = ("allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds", "watch")
_DELETING = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_QUERIES: dict[str, tuple[str, ...]] = {
    "get": ("resourceVersion",),
    "list": (*_SELECTING, *_WATCHING),
    "create": ("dryRun", "fieldManager", "fieldValidation"),
    "update": ("dryRun", "fieldManager", "fieldValidation"),
    "patch": ("dryRun", "fieldManager", "fieldValidation", "force"),
    "delete": _DELETING,
    "deletecollection": (*_SELECTING, "timeoutSeconds", *_DELETING),
}


def _parameters(verb: str) -> tuple[str, ...]:
    return _QUERIES.get(verb, ())


def _operation(kind: KindInfo, verb: str, *, suffix: str = "", namespaced: bool | None = None) -> Operation:
    method, action, _ = _VERBS[verb]
    scoped = kind.resource.namespaced if namespaced is None else namespaced
    name = {"get": "read", "update": "replace", "deletecollection": "delete"}.get(verb, verb)
    collection = "Collection" if verb == "deletecollection" else ""
    place = "Namespaced" if scoped else ""
    resource = kind.resource
    return Operation(
        method=method,
        verb=verb,
        action=action,
        operation_id=f"{name}{_OPERATION_PREFIX}{collection}{place}{resource.kind}{suffix}",
        description=_SENTENCES[verb].format(kind=resource.kind),
        kind=resource,
        parameters=("pretty", *_parameters(verb)),
        body=_body(verb, resource),
        answer="Status" if verb == "deletecollection" else resource,
        answers_list=verb == "list",
        created=verb == "create",
    )


def _body(verb: str, resource: Resource) -> Resource | Literal["DeleteOptions", "Patch"] | None:
    if verb in ("delete", "deletecollection"):
        return "DeleteOptions"
    if verb == "patch":
        return "Patch"
    return resource if verb in ("create", "update") else None


def _subresource_operation(kind: KindInfo, subresource: Subresource, verb: str) -> Operation:
    method, action, _ = _VERBS[verb]
    name = {"get": "read", "update": "replace"}.get(verb, verb)
    place = "Namespaced" if kind.resource.namespaced else ""
    title = subresource.name.capitalize()
    # a cancellation carries no body: the path says everything
    empty = verb == "create" and not subresource.creates_operation
    return Operation(
        method=method,
        verb=verb,
        action=action,
        operation_id=f"{name}{_OPERATION_PREFIX}{place}{kind.resource.kind}{title}",
        description=_SENTENCES[verb].format(kind=f"{kind.resource.kind}'s {subresource.name}"),
        kind=subresource.kind,
        parameters=("pretty", *_parameters(verb)),
        body=None if empty else _body(verb, subresource.kind),
        answer=subresource.kind,
        created=verb == "create",
    )
