"""What a plan is, and what a planner sees: an operation, its cluster, and what is stored of its datacenters.

It works from stored objects alone, so that a dry run in the API server and the operator give the same plan.
Field paths are those of the stored operation.
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
from missioncontrol.validation.causes import Cause, sentence
from missioncontrol.validation.values import integer, mapping, sequence, text

FINISHED: Final = frozenset({OperationPhase.COMPLETE, OperationPhase.FAILED, OperationPhase.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to the pods of one rack, in their order."""

    datacenter: str
    rack: str
    pods: tuple[str, ...]
    action: str
    availability: str

    def as_dict(self) -> dict[str, Any]:
        """An entry of status.plan.steps."""
        return {
            "datacenter": self.datacenter,
            "rack": self.rack,
            "pods": list(self.pods),
            "action": self.action,
            "availability": self.availability,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operation does, in order, and why it cannot begin now."""

    cluster: str
    does: str
    """What is done to nodes: "restarts"."""
    steps: tuple[Step, ...]
    blocking: tuple[str, ...] = ()
    pace: str = "one at a time"
    more: str = ""
    """What else is to be known."""

    @property
    def pods_touched(self) -> int:
        """How many pods are touched."""
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
            racks = dict.fromkeys(step.rack for step in self.steps if step.datacenter == name)
            parts.append(f"{name} ({', '.join(racks)})")
        nodes = "1 node" if self.pods_touched == 1 else f"{self.pods_touched} nodes, {self.pace}"
        told = f"{self.does} {nodes}, of {self.cluster}: {', then '.join(parts)}"
        if not self.steps:
            told = f"{self.does} no node of {self.cluster}"
        return f"{told}; {self.more}" if self.more else told

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


@dataclass(frozen=True)
class Outlook:
    """What a planner sees."""

    spec: Mapping[str, Any]
    cluster: Mapping[str, Any]
    known: Mapping[str, Mapping[str, Any]]
    """The stored Datacenter of each datacenter of the cluster, in its order; empty if there is none yet."""

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        cluster: Mapping[str, Any],
        datacenters: Sequence[Mapping[str, Any]],
    ) -> Outlook:
        """From stored objects; the datacenters may be those of a whole namespace."""
        return cls(spec, cluster, dict(_of_cluster(cluster, datacenters)))

    @property
    def kind(self) -> str:
        """The type of the operation."""
        return text(self.spec.get("type"))

    @property
    def member(self) -> str:
        """The path of the operation's own arguments."""
        return f"spec.{self.kind.lower()}"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The operation's own arguments."""
        return mapping(self.spec.get(self.kind.lower()))

    @property
    def wanted(self) -> list[str]:
        """The datacenters that the operation lists."""
        return [text(name) for name in sequence(self.spec.get("datacenters"))]

    @property
    def stopped(self) -> list[str]:
        """The datacenters whose nodes are not to run."""
        entries = at(self.cluster, "spec", "k8ssandra", "cassandra").get("datacenters") or ()
        return [
            str((each.get("metadata") or {}).get("name")) for each in entries if each.get("stopped") is True
        ]

    @property
    def running(self) -> list[str]:
        """The other ones."""
        return [name for name in self.known if name not in self.stopped]

    @property
    def racks(self) -> list[str]:
        """The racks that the operation lists."""
        return [text(rack) for rack in sequence(self.arguments.get("racks"))]

    @property
    def database(self) -> str:
        """The name of the Cassandra cluster."""
        named = at(self.cluster, "spec", "k8ssandra", "cassandra").get("clusterName")
        return str(named or at(self.cluster, "metadata").get("name") or "")

    def size(self, datacenter: str) -> int:
        """How many nodes a datacenter has."""
        body = self.known[datacenter]
        return integer(at(body, "spec").get("size")) or len(list(self.nodes(datacenter)))

    def rack_sizes(self, datacenter: str) -> list[tuple[str, int]]:
        """The racks of a datacenter in the order of their StatefulSets, with their sizes."""
        found = [
            (text(each.get("name")), integer(each.get("size")) or 0)
            for each in at(self.known.get(datacenter, {}), "spec").get("racks") or ()
        ]
        return sorted(found, key=lambda rack: statefulset_name(self.database, datacenter, rack[0]))

    def nodes(self, datacenter: str) -> Iterator[Mapping[str, Any]]:
        """What is stored of the nodes of a datacenter."""
        return (
            node
            for node in at(self.known.get(datacenter, {}), "status").get("nodes") or ()
            if node.get("name")
        )

    def pods(self, datacenter: str, rack: str, size: int) -> list[str]:
        """The pods of a rack, by ordinal; from its size as long as none is known."""
        found = [str(node["name"]) for node in self.nodes(datacenter) if node.get("rack") == rack]
        if not found:
            name = statefulset_name(self.database, datacenter, rack)
            found = [pod_name(name, ordinal) for ordinal in range(size)]
        return sorted(found, key=_ordinal)

    def places(self) -> dict[str, tuple[str, str]]:
        """Datacenter and rack of every pod of the cluster."""
        return {
            pod: (datacenter, rack)
            for datacenter in self.known
            for rack, size in self.rack_sizes(datacenter)
            for pod in self.pods(datacenter, rack, size)
        }


def unfit(outlook: Outlook, chosen: Sequence[str]) -> Iterator[str]:
    """Why the cluster is in no state to be worked on."""
    metadata = outlook.cluster.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        yield f"the cluster {metadata.get('name')} is being deleted"
    for name in chosen:
        status = at(outlook.known[name], "status")
        if not _holds(status, Condition.READY):
            yield f"{name} is not ready: {status.get('message') or 'nothing is known of it yet'}"


def busy(others: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The operations that come first."""
    for other in others:
        phase = at(other, "status").get("phase") or OperationPhase.PENDING
        if phase not in FINISHED:
            yield f"{describe(other)} is {str(phase).lower()}"


def describe(operation: Mapping[str, Any]) -> str:
    """An operation by its kind and name: RollingRestart r1."""
    stored = str((operation.get("metadata") or {}).get("name") or "")
    try:
        _, name = split_operation_name(stored)
    except ValueError:
        name = stored
    return f"{at(operation, 'spec').get('type') or 'operation'} {name}"


def at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object under a path; empty where there is none."""
    for key in path:
        value = value.get(key) or {}
    return value


def _holds(status: Mapping[str, Any], kind: Condition) -> bool:
    conditions = status.get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def _of_cluster(
    cluster: Mapping[str, Any], datacenters: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    metadata = cluster.get("metadata") or {}
    stored = {
        str(at(each, "spec").get("name")): each
        for each in datacenters
        if at(each, "spec").get("clusterName") == metadata.get("name")
    }
    for entry in at(cluster, "spec", "k8ssandra", "cassandra").get("datacenters") or ():
        name = str((entry.get("metadata") or {}).get("name"))
        yield name, stored.get(name, {})


def _ordinal(pod: str) -> int:
    tail = pod.rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1
