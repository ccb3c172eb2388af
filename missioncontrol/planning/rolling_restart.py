"""The planner of RollingRestart: which pods restart, in which order, and what stays available meanwhile.

It works from stored objects alone, so that a dry run in the API server and the operator give the same plan.
The order is the one in which the operators of a data plane then work: datacenters as listed, racks by the
name of their StatefulSet, within a rack the highest ordinal first. Field paths are those of the stored
operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from missioncontrol.api.names import (
    Condition,
    OperationPhase,
    pod_name,
    split_operation_name,
    statefulset_name,
)
from missioncontrol.validation.causes import Cause, duplicate, not_found, sentence

ACTION: Final = "restart"
FINISHED: Final = frozenset({OperationPhase.COMPLETE, OperationPhase.FAILED, OperationPhase.CANCELLED})
_RACKS_FIELD: Final = "spec.rollingrestart.racks"


@dataclass(frozen=True, slots=True)
class Step:
    """The restart of one rack, one pod after the other."""

    datacenter: str
    rack: str
    pods: tuple[str, ...]
    availability: str

    def as_dict(self) -> dict[str, Any]:
        """An entry of status.plan.steps."""
        return {
            "datacenter": self.datacenter,
            "rack": self.rack,
            "pods": list(self.pods),
            "action": ACTION,
            "availability": self.availability,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restart does, in order, and why it cannot begin now."""

    cluster: str
    steps: tuple[Step, ...]
    blocking: tuple[str, ...] = ()

    @property
    def pods_touched(self) -> int:
        """How many pods are restarted."""
        return sum(len(step.pods) for step in self.steps)

    @property
    def datacenters(self) -> tuple[str, ...]:
        """The datacenters that are touched, in order."""
        return tuple(dict.fromkeys(step.datacenter for step in self.steps))

    @property
    def message(self) -> str:
        """The plan in a sentence."""
        parts = []
        for name in self.datacenters:
            racks = ", ".join(step.rack for step in self.steps if step.datacenter == name)
            parts.append(f"{name} ({racks})")
        nodes = "1 node" if self.pods_touched == 1 else f"{self.pods_touched} nodes, one at a time"
        return f"restarts {nodes}, of {self.cluster}: {', then '.join(parts)}"

    def as_dict(self) -> dict[str, Any]:
        """The value of status.plan."""
        return {
            "steps": [step.as_dict() for step in self.steps],
            "podsTouched": self.pods_touched,
            "blocking": list(self.blocking),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no plan, with the fields at fault."""

    causes: tuple[Cause, ...] = field(default_factory=tuple)

    @property
    def message(self) -> str:
        """All causes in one text."""
        return sentence(self.causes)


def plan(
    spec: Mapping[str, Any],
    cluster: Mapping[str, Any] | None,
    datacenters: Sequence[Mapping[str, Any]],
    *,
    others: Sequence[Mapping[str, Any]] = (),
) -> Plan | Refusal:
    """The plan of a restart.

    ``spec`` is the spec of the stored operation, ``cluster`` the stored cluster (None: there is none),
    ``datacenters`` the stored Datacenter objects of its namespace, ``others`` the operations before it.
    """
    cluster_name = str(spec.get("clusterName") or "")
    if cluster is None:
        return Refusal(
            (not_found("spec.clusterName", cluster_name, "there is no such MissionControlCluster here"),)
        )
    known = dict(_of_cluster(cluster, datacenters))
    wanted = [str(name) for name in spec.get("datacenters") or ()]
    racks = [str(rack) for rack in (spec.get("rollingrestart") or {}).get("racks") or ()]
    causes = [*_datacenter_causes(wanted, known), *_rack_causes(racks, wanted or list(known), known)]
    if causes:
        return Refusal(tuple(causes))
    chosen = wanted or list(known)
    database = str(_at(cluster, "spec", "k8ssandra", "cassandra").get("clusterName") or cluster_name)
    steps = tuple(
        step
        for name in chosen
        for step in _steps(known[name], datacenter=name, database=database, only=racks)
    )
    blocking = (*_unfit(cluster, chosen, known), *_busy(others))
    return Plan(cluster_name, steps, blocking)


def _of_cluster(
    cluster: Mapping[str, Any], datacenters: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The datacenters of the spec in its order; one that has no object yet is known by its name only."""
    metadata = cluster.get("metadata") or {}
    stored = {
        str(_at(each, "spec").get("name")): each
        for each in datacenters
        if _at(each, "spec").get("clusterName") == metadata.get("name")
    }
    for entry in _at(cluster, "spec", "k8ssandra", "cassandra").get("datacenters") or ():
        name = str((entry.get("metadata") or {}).get("name"))
        yield name, stored.get(name, {})


def _datacenter_causes(wanted: Sequence[str], known: Mapping[str, Any]) -> Iterator[Cause]:
    for index, name in enumerate(wanted):
        path = f"spec.datacenters[{index}]"
        if name in wanted[:index]:
            yield duplicate(path, name)
        elif name not in known:
            yield not_found(path, name, f"the datacenters of the cluster are: {', '.join(known) or 'none'}")


def _rack_causes(
    racks: Sequence[str], datacenters: Sequence[str], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[Cause]:
    present = {rack for name in datacenters for rack, _ in _racks(known.get(name, {}))}
    for index, rack in enumerate(racks):
        if rack not in present:
            listed = ", ".join(sorted(present)) or "not known yet"
            yield not_found(f"{_RACKS_FIELD}[{index}]", rack, f"the racks of these datacenters are: {listed}")


def _steps(body: Mapping[str, Any], *, datacenter: str, database: str, only: Sequence[str]) -> Iterator[Step]:
    nodes = [node for node in _at(body, "status").get("nodes") or () if node.get("name")]
    total = int(_at(body, "spec").get("size") or len(nodes))
    racks = sorted(_racks(body), key=lambda rack: statefulset_name(database, datacenter, rack[0]))
    for rack, size in racks:
        if only and rack not in only:
            continue
        pods = [str(node["name"]) for node in nodes if node.get("rack") == rack]
        if not pods:
            statefulset = statefulset_name(database, datacenter, rack)
            pods = [pod_name(statefulset, ordinal) for ordinal in range(size)]
        ordered = tuple(sorted(pods, key=_ordinal, reverse=True))
        yield Step(
            datacenter, rack, ordered, f"{max(total - 1, 0)} of {total} nodes of {datacenter} stay available"
        )


def _racks(body: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(str(each["name"]), int(each.get("size") or 0)) for each in _at(body, "spec").get("racks") or ()]


def _unfit(
    cluster: Mapping[str, Any], chosen: Sequence[str], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    metadata = cluster.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        yield f"the cluster {metadata.get('name')} is being deleted"
    for name in chosen:
        status = _at(known[name], "status")
        conditions = status.get("conditions") or ()
        ready = any(
            each.get("type") == Condition.READY and each.get("status") == "True" for each in conditions
        )
        if not ready:
            yield f"{name} is not ready: {status.get('message') or 'nothing is known of it yet'}"


def _busy(others: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for other in others:
        phase = _at(other, "status").get("phase") or OperationPhase.PENDING
        if phase not in FINISHED:
            yield f"{describe(other)} is {str(phase).lower()}"


def describe(operation: Mapping[str, Any]) -> str:
    """An operation by its kind and name: RollingRestart r1."""
    stored = str((operation.get("metadata") or {}).get("name") or "")
    try:
        _, name = split_operation_name(stored)
    except ValueError:
        name = stored
    return f"{_at(operation, 'spec').get('type') or 'operation'} {name}"


def _ordinal(pod: str) -> int:
    tail = pod.rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


def _at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        value = value.get(key) or {}
    return value
