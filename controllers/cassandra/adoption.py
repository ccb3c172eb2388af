"""Taking over objects that upstream's operator made, without changing anything in them.

Upstream writes whole objects, so that it owns every field of them; if it stayed the owner, a field that we
leave out one day would never go away. The entry of whoever wrote upstream's hash is made ours, once.
An object that then proves to be what we would make keeps upstream's hash and gets ours beside it; any other
is changed in the ordinary way, with the ordinary caution.
"""

from __future__ import annotations

import copy
from typing import Any

from controllers.cassandra.secrets import MANAGER
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client

Json = dict[str, Any]

_HASH_FIELD = f"f:{Annotation.RESOURCE_HASH}"


async def adopt(client: Client, resource: Resource, desired: Json, live: Json) -> bool:
    """Make the object ours if it is what we want already; False if it differs, or was ours before."""
    if is_ours(live):
        return False
    live = await _take_fields(client, resource, live)
    ours = desired["metadata"]["annotations"][Annotation.RESOURCE_HASH]
    theirs = live["metadata"].get("annotations", {}).get(Annotation.RESOURCE_HASH, ours)
    notes = {**desired["metadata"]["annotations"], Annotation.RESOURCE_HASH: theirs}
    if theirs != ours:
        notes[Annotation.ADOPTED_HASH] = ours
    metadata = {
        **desired["metadata"],
        "annotations": notes,
        "resourceVersion": live["metadata"]["resourceVersion"],
    }
    body = {**desired, "metadata": metadata}
    found = await client.apply(resource, body, field_manager=MANAGER, dry_run=True)
    if _content(found) != _content(live):
        return False
    await client.apply(resource, body, field_manager=MANAGER)
    return True


def is_ours(live: Json) -> bool:
    """Whether this operator has applied the object before."""
    return any(_is_applied_by_us(entry) for entry in live["metadata"].get("managedFields") or ())


def _is_applied_by_us(entry: Json) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply"


async def _take_fields(client: Client, resource: Resource, live: Json) -> Json:
    """Make the fields of upstream's operator ours: the manager that wrote its hash."""
    metadata = live["metadata"]
    entries: list[Json] = copy.deepcopy(metadata.get("managedFields") or [])
    for entry in entries:
        notes = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
        if entry.get("operation") == "Update" and not entry.get("subresource") and _HASH_FIELD in notes:
            entry |= {"manager": MANAGER, "operation": "Apply"}
            break
    else:
        return live
    patch = {"metadata": {"managedFields": entries, "resourceVersion": metadata["resourceVersion"]}}
    return await client.merge_patch(
        resource, metadata["name"], patch, namespace=metadata["namespace"], field_manager=MANAGER
    )


def _content(body: Json) -> Json:
    """What an object does, without its metadata and status."""
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}
