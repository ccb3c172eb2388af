"""Taking over objects that upstream's operator made, without changing anything in them.

Upstream writes whole objects, so that it owns every field of them; if it stayed the owner, a field that we
leave out one day would never go away. The entry of whoever wrote upstream's hash is made ours, once.
An object that then proves to be what we would make keeps upstream's hash and gets ours beside it; any other
is changed in the ordinary way, with the ordinary caution.
"""

from __future__ import annotations

from typing import Any

from controllers.cassandra.secrets import MANAGER
from controllers.cassandra.whole import as_applied, write
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
    # labels and annotations that we would not make go with the next change, not with the change of hands
    kept = {key: live["metadata"].get(key) or {} for key in ("labels", "annotations")}
    notes = {**kept["annotations"], **desired["metadata"]["annotations"], Annotation.RESOURCE_HASH: theirs}
    if theirs != ours:
        notes[Annotation.ADOPTED_HASH] = ours
    metadata = {
        **desired["metadata"],
        "labels": {**kept["labels"], **(desired["metadata"].get("labels") or {})},
        "annotations": notes,
        "resourceVersion": live["metadata"]["resourceVersion"],
    }
    body = {**desired, "metadata": metadata}
    found = await write(client, resource, body, dry_run=True)
    if _content(found) != _content(live):
        return False
    await write(client, resource, body)
    return True


def is_ours(live: Json) -> bool:
    """Whether this operator has applied the object before."""
    return any(_is_applied_by_us(entry) for entry in live["metadata"].get("managedFields") or ())


def _is_applied_by_us(entry: Json) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply"


async def _take_fields(client: Client, resource: Resource, live: Json) -> Json:
    """Make the fields of upstream's operator ours: the manager that wrote its hash."""
    metadata = live["metadata"]
    entries: list[Json] = metadata.get("managedFields") or []
    made = [entry for entry in entries if _wrote_hash(entry)][:1]
    if not made:
        return live
    patch = {
        "metadata": {
            "managedFields": as_applied(entries, made),
            "resourceVersion": metadata["resourceVersion"],
        }
    }
    return await client.merge_patch(
        resource, metadata["name"], patch, namespace=metadata["namespace"], field_manager=MANAGER
    )


def _wrote_hash(entry: Json) -> bool:
    notes = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
    return entry.get("operation") == "Update" and not entry.get("subresource") and _HASH_FIELD in notes


def _content(body: Json) -> Json:
    """What an object does, without its metadata and status."""
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}
