"""What a plane is to hold of a cluster: the spec of its K8ssandraCluster, and the revision that names it.

The revision leaves out what is handed out step by step (sizes, which datacenters are made already) and what
follows from other planes (seeds): two specs of one revision differ in nothing that a rollout has to order.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from controllers.missioncontrol.clusters.facts import Datacenter, Placed, Snapshot
from controllers.missioncontrol.clusters.seeds import outside_seeds
from missioncontrol.api.names import Annotation


def fingerprint(body: Any) -> str:
    """A short hash of what is applied: it shows a dropped field, which comparing members does not."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def revision(snapshot: Snapshot, plane: str) -> str:
    """The name of what a plane is to hold in the end."""
    cluster = snapshot.cluster
    spec = copy.deepcopy(dict(cluster.spec.get("k8ssandra") or {}))
    cassandra = dict(spec.get("cassandra") or {})
    local = [_body(each) for each in cluster.datacenters if each.plane == plane]
    cassandra["datacenters"] = [{key: each[key] for key in each if key != "size"} for each in local]
    cassandra.pop("additionalSeeds", None)
    return fingerprint({**spec, "cassandra": cassandra})


def changed(snapshot: Snapshot, plane: str) -> bool:
    """Whether a plane holds another revision of the cluster than it is to hold."""
    placed = snapshot.plane(plane).placed
    if placed is None or not snapshot.cluster.owner.owns(placed.labels):
        return False
    return placed.annotations.get(Annotation.SPEC_REVISION) != revision(snapshot, plane)


def spec_of(snapshot: Snapshot, plane: str, sizes: Mapping[str, int]) -> dict[str, Any] | None:
    """The spec with the datacenters of these sizes; None while none of the plane's may be made."""
    cluster = snapshot.cluster
    local = [each for each in cluster.datacenters if each.plane == plane and each.name in sizes]
    if not local:
        return None
    spec = copy.deepcopy(dict(cluster.spec.get("k8ssandra") or {}))
    cassandra = dict(spec.get("cassandra") or {})
    first, placed = cluster.datacenters[0].name, snapshot.plane(plane).placed
    cassandra["datacenters"] = [
        _datacenter(each, sizes[each.name], first=first, placed=placed) for each in local
    ]
    if not cluster.external_secrets:
        cassandra["superuserSecretRef"] = {"name": cluster.superuser_secret}
    spec["cassandra"] = _with_seeds(cassandra, seeds(snapshot, plane))
    return spec


def held_spec(snapshot: Snapshot, plane: str, placed: Placed) -> dict[str, Any]:
    """The spec as the plane has it, with the seeds of today."""
    spec = copy.deepcopy(dict(placed.spec))
    spec["cassandra"] = _with_seeds(dict(spec.get("cassandra") or {}), seeds(snapshot, plane))
    return spec


def seeds(snapshot: Snapshot, plane: str) -> list[str]:
    """The seeds outside the plane: those that the user names and those of the other planes."""
    cassandra = (snapshot.cluster.spec.get("k8ssandra") or {}).get("cassandra") or {}
    return sorted({*(cassandra.get("additionalSeeds") or ()), *outside_seeds(snapshot, plane)})


def _with_seeds(cassandra: dict[str, Any], found: list[str]) -> dict[str, Any]:
    cassandra.pop("additionalSeeds", None)
    return {**cassandra, "additionalSeeds": found} if found else cassandra


def _body(datacenter: Datacenter) -> dict[str, Any]:
    body = copy.deepcopy(dict(datacenter.body))
    body.pop("k8sContext", None)
    return body


def _datacenter(datacenter: Datacenter, size: int, *, first: str, placed: Placed | None) -> dict[str, Any]:
    body = _body(datacenter)
    body["size"] = size
    before = placed.racks(datacenter.name) if placed is not None else []
    if size != datacenter.size and before and len(before) < len(datacenter.racks):
        body["racks"] = before  # a new rack comes with its nodes, not before them
    metadata = dict(body.get("metadata") or {})
    if datacenter.name != first:
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            Annotation.SKIP_USER_CREATION: "true",
        }
    body["metadata"] = metadata
    return body
