"""What is there before the first case: one namespace full of objects, the same on both sides.

They are made on our side, Operations, Datacenters and DatabaseNodes included, and copied to the other one,
so that whatever only reads finds the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from missioncontrol.api import resources as r
from missioncontrol.api.emit.rbac import user_roles
from missioncontrol.api.resources import Resource
from missioncontrol.local.control_plane import ControlPlane
from tests.conformance.api import MERGE
from tests.conformance.kinds import CLUSTER, DATA_PLANE
from tests.conformance.kubectl.terminal import Side, Terminal

Obj = dict[str, Any]

STAGE: Final = "stage"
"""The namespace, and a label of all objects in it."""
_READ_ONLY: Final = (r.OPERATIONS, r.DATACENTERS, r.DATABASE_NODES)
_COPIED: Final = (r.MISSION_CONTROL_CLUSTERS, r.DATA_PLANES, r.ROLLING_RESTARTS, *_READ_ONLY)


@dataclass(frozen=True)
class Twin:
    """The kube-apiserver that the kinds are custom resources of."""

    plane: ControlPlane
    folder: Path


async def set_up(sides: Sequence[Side]) -> None:
    """Make everything on our side, and then the same on the other."""
    native, ours = (Terminal(side, CLUSTER, STAGE) for side in sides)
    for terminal in (native, ours):
        await terminal.namespace(STAGE)
    for role in user_roles():  # our side has them
        await native.quietly("POST", r.CLUSTER_ROLES.path(), role)
    for resource, document, status in _documents():
        path = resource.path(STAGE if resource.namespaced else None)
        await ours.quietly("POST", path, document)
        if status:
            name = document["metadata"]["name"]
            await ours.quietly("PATCH", f"{path}/{name}/status", {"status": status}, type=MERGE)
    for resource in _COPIED:
        path = resource.path(STAGE if resource.namespaced else None)
        listed = await ours.quietly(
            "GET", f"{path}?labelSelector={'' if resource in _READ_ONLY else 'stage'}"
        )
        for item in listed.body["items"]:
            await native.quietly("POST", path, _copied(item, resource))
            if item.get("status"):
                name = item["metadata"]["name"]
                body = {"status": item["status"]}
                await native.quietly("PATCH", f"{path}/{name}/status", body, type=MERGE)


def _copied(item: Obj, resource: Resource) -> Obj:
    metadata = item["metadata"]
    kept = {key: metadata[key] for key in ("name", "labels", "annotations", "finalizers") if key in metadata}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": kept,
        "spec": copy.deepcopy(item["spec"]),
    }


def _documents() -> Iterator[tuple[Resource, Obj, Obj]]:
    """Every object with its status."""
    ready = {
        "type": "Ready", "status": "True", "reason": "Ready", "message": "All nodes are ready.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    for number, name in enumerate(("alpha", "beta", "gamma"), 1):
        labels = {STAGE: "yes", "number": str(number), "tier": "one" if number == 1 else "two"}
        document = _object(r.MISSION_CONTROL_CLUSTERS, name, labels, CLUSTER.spec(STAGE))
        phase = "Ready" if number == 1 else "Updating"
        yield r.MISSION_CONTROL_CLUSTERS, document, {"phase": phase, "conditions": [ready], "message": phase}
        yield r.STORED_DATACENTERS, _datacenter(name, labels), _datacenter_status(name, ready)
        spec = {"clusterName": name, "racks": ["r1"], "ttlSecondsAfterFinished": 60 * number}
        yield (
            r.ROLLING_RESTARTS,
            _object(r.ROLLING_RESTARTS, f"restart-{number}", labels, spec),
            {"phase": "Running", "message": "One node after the other."} if number == 2 else {},
        )
        yield (
            r.DATA_PLANES,
            _object(r.DATA_PLANES, f"stage-{number}", labels, DATA_PLANE.spec(STAGE)),
            {"conditions": [ready], "server": "https://there.example:6443"},
        )


def _object(resource: Resource, name: str, labels: Obj, spec: Obj) -> Obj:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": copy.deepcopy(spec),
    }


def _datacenter(cluster: str, labels: Obj) -> Obj:
    own = {"missioncontrol.io/cluster-name": cluster, "missioncontrol.io/datacenter": "dc1"}
    racks = [{"name": rack, "size": 1} for rack in ("r1", "r2", "r3")]
    spec = {"clusterName": cluster, "name": "dc1", "dataPlane": "stage-1", "size": 3, "racks": racks}
    return _object(r.STORED_DATACENTERS, f"{cluster}.dc1", {**labels, **own}, spec)


def _datacenter_status(cluster: str, ready: Obj) -> Obj:
    return {
        "phase": "Ready",
        "conditions": [ready],
        "replicas": 3,
        "readyReplicas": 3,
        "version": "5.0.5",
        "nodes": [
            {
                "name": f"{cluster}-dc1-{rack}-sts-0", "rack": rack, "ip": "10.0.0.1", "state": "Started",
                "ready": True, "hostID": f"00000000-0000-0000-0000-00000000000{rack[1]}",
            }
            for rack in ("r1", "r2", "r3")
        ],
    }  # fmt: skip
