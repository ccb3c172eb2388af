"""Writes of whole objects, every field of which is ours from then on.

Server-side apply does it, for it takes away what is left out. But it refuses lists in which two items have
one key, which a pod template may have (a port under a second name, a pull secret named twice): such an object
is put in the place of the stored one, and what that wrote is counted as applied.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from controllers.cassandra.secrets import MANAGER
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

Json = dict[str, Any]

_KEYS = {
    "containers": ("name",),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""What server-side apply tells the items of a pod template's lists apart by."""
_DEFAULTS = {"protocol": "TCP"}


async def write(client: Client, resource: Resource, body: Json, *, dry_run: bool = False) -> Json:
    """Make the stored object what `body` says; a metadata.resourceVersion in it fences."""
    if not repeats(body):
        return await client.apply(resource, body, field_manager=MANAGER, dry_run=dry_run)
    try:
        live = await client.get(resource, body["metadata"]["name"], namespace=body["metadata"]["namespace"])
    except NotFound:
        found = await client.create(resource, body, dry_run=dry_run, field_manager=MANAGER)
    else:
        found = await client.replace(resource, _over(body, live), dry_run=dry_run, field_manager=MANAGER)
    return found if dry_run else await _count_as_applied(client, resource, found)


def repeats(value: Any, name: str = "") -> bool:
    """Whether a list in it has two items with one key."""
    if isinstance(value, dict):
        return any(repeats(each, key) for key, each in value.items())
    if not isinstance(value, list):
        return False
    if name in _KEYS and all(isinstance(each, dict) and _KEYS[name][0] in each for each in value):
        keys = [tuple(each.get(key, _DEFAULTS.get(key)) for key in _KEYS[name]) for each in value]
        if len(set(keys)) < len(keys):
            return True
    return any(repeats(each) for each in value)


def _over(body: Json, live: Json) -> Json:
    """The body with what others have written into the metadata of the stored object."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    wanted = body["metadata"]
    for key in ("labels", "annotations"):
        metadata[key] = {**(metadata.get(key) or {}), **(wanted.get(key) or {})}
    kept = {key: value for key, value in wanted.items() if key not in ("labels", "annotations")}
    return {**body, "metadata": {**metadata, **kept}}


async def _count_as_applied(client: Client, resource: Resource, found: Json) -> Json:
    metadata = found["metadata"]
    entries = metadata.get("managedFields") or []
    mine = [entry for entry in entries if entry.get("manager") == MANAGER and not entry.get("subresource")]
    patch = {
        "metadata": {
            "managedFields": as_applied(entries, mine),
            "resourceVersion": metadata["resourceVersion"],
        }
    }
    return await client.merge_patch(
        resource, metadata["name"], patch, namespace=metadata["namespace"], field_manager=MANAGER
    )


def as_applied(entries: Iterable[Json], taken: Iterable[Json]) -> list[Json]:
    """The entries of managedFields with those of `taken` made one, of what this operator has applied."""
    parts = list(taken)
    others = [entry for entry in entries if entry not in parts]
    if not parts:
        return others
    fields: Json = {}
    for part in parts:
        _add(fields, part.get("fieldsV1") or {})
    return [*others, {**parts[-1], "manager": MANAGER, "operation": "Apply", "fieldsV1": fields}]


def _add(fields: Json, more: Json) -> None:
    for key, value in more.items():
        if key in fields:
            _add(fields[key], value)
        else:
            fields[key] = copy.deepcopy(value)
