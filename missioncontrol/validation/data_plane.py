"""Rules of DataPlane, and of the kubeconfig that its Secret holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from missioncontrol.validation.causes import Cause, duplicate, forbidden, invalid, not_found, required
from missioncontrol.validation.values import (
    at,
    is_dns_1123_label,
    is_dns_1123_subdomain,
    mapping,
    sequence,
    text,
)

_FILE_REFERENCES: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
_COMMANDS: Final = ("exec", "auth-provider")


def create_causes(plane: Mapping[str, Any]) -> list[Cause]:
    return list(_shape_causes(plane))


def update_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """A plane may change its credentials and namespaces at any time; only the shape is judged."""
    if old.get("spec") == new.get("spec") or at(new, "metadata", "deletionTimestamp"):
        return []
    return list(_shape_causes(new))


def deletion_causes(plane: Mapping[str, Any], users: Mapping[str, list[str]]) -> list[Cause]:
    """A plane in use stays. `users` maps "namespace/cluster" to its datacenters on this plane."""
    if not users:
        return []
    holders = "; ".join(
        f"{', '.join(datacenters)} of {cluster}" for cluster, datacenters in sorted(users.items())
    )
    name = text(at(plane, "metadata", "name"))
    return [
        forbidden(
            "metadata.name",
            f"data plane {name} still holds datacenters: {holders}; delete these clusters first",
        )
    ]


def _shape_causes(plane: Mapping[str, Any]) -> Iterator[Cause]:
    name = text(at(plane, "metadata", "name"))
    if len(name) > 63:
        yield invalid("metadata.name", name, "must have at most 63 characters")
    reference = mapping(at(plane, "spec", "kubeconfigSecretRef"))
    secret = text(reference.get("name"))
    if not secret:
        yield required(
            "spec.kubeconfigSecretRef.name", "the Secret in the system namespace that holds the kubeconfig"
        )
    elif not is_dns_1123_subdomain(secret):
        yield invalid("spec.kubeconfigSecretRef.name", secret, "must be the name of a Secret")
    seen: set[str] = set()
    for index, namespace in enumerate(sequence(at(plane, "spec", "allowedNamespaces"))):
        field = f"spec.allowedNamespaces[{index}]"
        if not is_dns_1123_label(text(namespace)):
            yield invalid(field, namespace, "must be the name of a namespace")
        elif namespace in seen:
            yield duplicate(field, namespace)
        seen.add(text(namespace))


def kubeconfig_causes(data: bytes, *, context: str, field: str) -> list[Cause]:
    """What is wrong with a kubeconfig for use by a server: it must be whole in itself and run nothing."""
    try:
        config = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [forbidden(field, f"is no YAML: {' '.join(str(error).split())[:200]}")]
    if not isinstance(config, dict) or not isinstance(config.get("clusters"), list):
        return [forbidden(field, "is no kubeconfig: it has no list of clusters")]
    return list(_kubeconfig_causes(config, context or text(config.get("current-context")), field))


def _kubeconfig_causes(config: Mapping[str, Any], context: str, field: str) -> Iterator[Cause]:
    if not context:
        yield required(f"{field}.current-context", "set it, or name the context in spec.context")
        return
    chosen = _named(config, "contexts", context, "context")
    if chosen is None:
        yield not_found(f"{field}.contexts", context, "no such context")
        return
    for member in ("cluster", "user"):
        name = text(chosen.get(member))
        body = _named(config, f"{member}s", name, member)
        at_member = f"{field}.{member}s[{name}].{member}"
        if body is None:
            yield not_found(f"{field}.{member}s", name, f"context {context!r} names this {member}")
            continue
        for key in _FILE_REFERENCES[member]:
            if body.get(key):
                yield forbidden(
                    f"{at_member}.{key}", "files of this machine are not read: give the data inline"
                )
        if member == "cluster":
            yield from _server_causes(text(body.get("server")), f"{at_member}.server")
        else:
            for key in _COMMANDS:
                if body.get(key):
                    yield forbidden(
                        f"{at_member}.{key}",
                        "programs are not run: use a token or an inline client certificate",
                    )


def _server_causes(server: str, field: str) -> Iterator[Cause]:
    if not server:
        yield required(field, "the address of the API server")
        return
    try:
        parts = urlsplit(server)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme != "https":
        yield invalid(field, server, "must be an https address")


def _named(config: Mapping[str, Any], group: str, name: str, member: str) -> Mapping[str, Any] | None:
    for entry in sequence(config.get(group)):
        if text(mapping(entry).get("name")) == name:
            return mapping(mapping(entry).get(member))
    return None
