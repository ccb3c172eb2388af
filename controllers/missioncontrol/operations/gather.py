"""An operation with everything that decides about it, from caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from controllers.missioncontrol.clusters.facts import Cluster, PlaneFacts
from controllers.missioncontrol.clusters.home import Home
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, Member, cluster_key
from controllers.missioncontrol.dataplanes.status import stamp
from controllers.missioncontrol.operations.jobs import units
from controllers.missioncontrol.operations.model import (
    Operation,
    PlaneTasks,
    Unit,
    label_value,
    read_operation,
    read_task,
)
from controllers.missioncontrol.operations.switches import Switch, switches
from missioncontrol.api.names import Label, OperationPhase
from missioncontrol.kube.views import Object
from missioncontrol.planning.catalog import CATALOG
from missioncontrol.planning.plans import Outlook


@dataclass(frozen=True, slots=True)
class Scene:
    """An operation, its cluster, what it consists of and how far the planes are."""

    operation: Operation
    cluster: Cluster | None
    stored_cluster: dict[str, Any] | None
    stored_datacenters: list[dict[str, Any]]
    units: list[Unit]
    planes: dict[str, PlaneTasks]
    totals: dict[str, int]
    switches: dict[str, Switch]


def scene_of(home: Home, stored: Object) -> Scene:
    """The scene of a stored operation."""
    operation = read_operation(stored)
    key = cluster_key(operation.meta.namespace, operation.cluster)
    kept = home.clusters.get(operation.meta.namespace, operation.cluster)
    cluster = home.cluster(operation.meta.namespace, operation.cluster)
    datacenters = [_plain(each) for each in home.datacenters.by(BY_CLUSTER, key)]
    stored_cluster = _plain(kept) if kept else None
    parts: list[Unit] = []
    if cluster is not None and stored_cluster is not None:
        parts = units(operation, cluster, _chosen(operation, stored_cluster, datacenters))
    names = dict.fromkeys((*(unit.plane for unit in parts), *_recorded_planes(operation)))
    steps = (operation.status.get("plan") or {}).get("steps") or ()
    totals: dict[str, int] = {}
    for step in steps:
        name = str(step.get("datacenter"))
        totals[name] = totals.get(name, 0) + len(step.get("pods") or ())
    planes = {name: plane_tasks(home, operation, name) for name in names}
    switched = switches(operation.type, cluster, datacenters) if cluster is not None else {}
    return Scene(operation, cluster, stored_cluster, datacenters, parts, planes, totals, switched)


def _chosen(operation: Operation, cluster: dict[str, Any], datacenters: list[dict[str, Any]]) -> list[str]:
    """The datacenters to work on; none for a kind that a later release knows and this one does not.

    Once it runs they are those of its plan: its own work may change which ones would be chosen anew.
    """
    steps = (operation.status.get("plan") or {}).get("steps") or ()
    if operation.phase == OperationPhase.RUNNING and steps:
        return list(dict.fromkeys(str(step.get("datacenter")) for step in steps))
    entry = CATALOG.get(operation.type)
    return entry.choose(Outlook.of(operation.spec, cluster, datacenters)) if entry is not None else []


def plane_tasks(home: Home, operation: Operation, plane: str) -> PlaneTasks:
    """The tasks of an operation in a plane."""
    member = home.fleet.get(plane)
    if member is None:
        registered = home.data_planes.get("", plane) is not None
        facts = PlaneFacts(plane, registered=registered, reachable=False, known=False)
        return PlaneTasks(known=False, absence=facts.absence())
    tasks = {
        each.metadata.name: read_task(each)
        for each in member.watches.tasks.by(
            BY_CLUSTER, cluster_key(operation.meta.namespace, operation.cluster)
        )
        if each.metadata.labels.get(Label.MC_OPERATION) == label_value(operation.meta.name)
    }
    return PlaneTasks(tasks, known=member.known, absence=_absence(member))


def _absence(member: Member) -> str:
    if member.usable:
        return ""
    if member.finding is not None and not member.finding.ok:
        return f"the data plane {member.name} cannot be used: {member.finding.message}"
    health = member.cluster.health
    if health.available is False:
        since = f" since {stamp(health.since)}" if health.since else ""
        return f"the data plane {member.name} is away{since}"
    return f"the data plane {member.name} has not been read yet"


def _recorded_planes(operation: Operation) -> list[str]:
    entries = operation.status.get("datacenters") or ()
    return [str(each["dataPlane"]) for each in entries if each.get("dataPlane")]


def _plain(obj: Object) -> dict[str, Any]:
    return {"metadata": msgspec.to_builtins(obj.metadata), "spec": obj.spec, "status": obj.status}
