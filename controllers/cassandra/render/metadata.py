"""Metadata that all rendered objects share."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import Datacenter
from missioncontrol.api.resources import Resource


def rendered(
    resource: Resource,
    name: str,
    datacenter: Datacenter,
    identity: dict[str, str],
    *,
    annotations: dict[str, str] | None = None,
    owned: bool = True,
) -> dict[str, Any]:
    """The skeleton of an object: kind, name, labels, annotations, owner."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": datacenter.namespace,
        "labels": datacenter.labels(identity),
    }
    notes = {**datacenter.annotations, **(annotations or {})}
    if notes:
        metadata["annotations"] = notes
    if owned:
        metadata["ownerReferences"] = [datacenter.owner_reference]
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
