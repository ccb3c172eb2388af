"""Writes into a plane that cannot undo what somebody newer did.

An object that exists is changed by server-side apply with the resourceVersion that the change was decided on;
one that does not is created by POST, which fails where an apply would silently overwrite. What was created is
then owned under another kind of entry in managedFields than what is applied, so the entry is rewritten once:
otherwise fields that are dropped later would stay for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controllers.missioncontrol.identity import FIELD_MANAGER
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client


async def create(client: Client, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """Create an object; AlreadyExists when anybody was faster."""
    return await client.create(resource, body, field_manager=FIELD_MANAGER)


async def apply(
    client: Client, resource: Resource, body: Mapping[str, Any], *, resource_version: str
) -> dict[str, Any]:
    """Apply to an object as it was at a resourceVersion; Conflict when it changed since, or is gone."""
    metadata = body["metadata"]
    live = await client.get(resource, metadata["name"], namespace=metadata.get("namespace"))
    version = resource_version
    entries = applied_entries(live["metadata"].get("managedFields") or [])
    if entries is not None and live["metadata"]["resourceVersion"] == resource_version:
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        ]
        rewritten = await client.json_patch(
            resource,
            metadata["name"],
            patch,
            namespace=metadata.get("namespace"),
            field_manager=FIELD_MANAGER,
        )
        version = rewritten["metadata"]["resourceVersion"]
    fenced = {**body, "metadata": {**metadata, "resourceVersion": version}}
    return await client.apply(resource, fenced, field_manager=FIELD_MANAGER)


def applied_entries(entries: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """managedFields with our creation turned into an application; None when there is nothing to turn."""
    mine = [each for each in entries if each.get("manager") == FIELD_MANAGER and not each.get("subresource")]
    created = next((each for each in mine if each.get("operation") == "Update"), None)
    if created is None or any(each.get("operation") == "Apply" for each in mine):
        return None
    return [{**each, "operation": "Apply"} if each is created else each for each in entries]
