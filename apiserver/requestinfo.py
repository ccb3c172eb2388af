"""What a request is about, read from its method and path once and used by everybody after.

A parser of our own instead of a router's patterns: exact prefixes, percent-decoding once, no redirects
(through the aggregator any redirect is an error), and the verbs of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_VERBS_OF_METHODS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "GET": "get",
    "HEAD": "get",
}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The attributes that authorization, dispatch, metrics and logs work with."""

    method: str
    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    rest: tuple[str, ...] = ()
    """Segments after the subresource: none of ours has any."""

    @property
    def mutating(self) -> bool:
        return self.verb in ("create", "update", "patch", "delete", "deletecollection")


def parse(method: str, raw_path: str, query: Mapping[str, str]) -> RequestInfo:
    """Read method, path (still percent-encoded, without the query) and query."""
    path = unquote(raw_path)
    # as kube-apiserver reads it: a slash that came encoded parts segments as well, for it will there
    segments = path.removeprefix("/").rstrip("/").split("/")
    if len(segments) < 4 or segments[0] != "apis":
        return RequestInfo(method=method, path=path, verb=method.lower())
    _, group, version, *rest = segments
    legacy_watch = rest[0] == "watch" and len(rest) > 1
    if legacy_watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest[:3], "", "", "")[:3]
    return RequestInfo(
        method=method,
        path=path,
        verb=_verb(method, name, subresource, query, legacy_watch=legacy_watch),
        is_resource=True,
        group=group,
        version=version,
        namespace=namespace,
        resource=resource,
        name=name,
        subresource=subresource,
        rest=tuple(rest[3:]),
    )


def complaint(name: str) -> str:
    """Why this can be no name in a path, where it would mean another place; or nothing."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    return next((f"may not contain '{each}'" for each in "/%" if each in name), "")


def is_true(value: str | None) -> bool:
    """How Kubernetes reads a boolean parameter: present and not false."""
    return value is not None and value.lower() not in ("false", "0")


def _verb(method: str, name: str, subresource: str, query: Mapping[str, str], *, legacy_watch: bool) -> str:
    verb = _VERBS_OF_METHODS.get(method, method.lower())
    if verb == "get" and not subresource and (legacy_watch or is_true(query.get("watch"))):
        # a single object with ?watch=true is watched through its collection's selector only in old clients
        return "watch" if not name or legacy_watch else "get"
    if verb == "get" and not name:
        return "list"
    if verb == "delete" and not name:
        return "deletecollection"
    return verb
