"""Stored operations and the K8ssandraTasks that carry them out, as immutable values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controllers.missioncontrol.conditions import find, holds
from controllers.missioncontrol.identity import Owner
from missioncontrol.api.names import Annotation, Condition, Label, OperationPhase, statefulset_name
from missioncontrol.kube.views import Meta, Object
from missioncontrol.planning.rolling_restart import FINISHED, describe

LABEL_LIMIT: Final = 63
DISRUPTIVE: Final = frozenset({"RollingRestart"})


@dataclass(frozen=True)
class Operation:
    """An operation as stored."""

    meta: Meta
    type: str
    cluster: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def phase(self) -> str:
        """status.phase; Pending while there is none."""
        return str(self.status.get("phase") or OperationPhase.PENDING)

    @property
    def finished(self) -> bool:
        """Whether it ended."""
        return self.phase in FINISHED

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation was asked for."""
        return bool(self.meta.annotations.get(Annotation.CANCEL))

    @property
    def requested_by(self) -> str:
        """Who asked for it."""
        return self.meta.annotations.get(Annotation.REQUESTED_BY, "")

    @property
    def started(self) -> bool:
        """Whether it was ever admitted: planes may hold tasks of it."""
        return bool(self.status.get("startTime"))

    @property
    def title(self) -> str:
        """Kind and name, as people know it."""
        return describe({"metadata": {"name": self.meta.name}, "spec": self.spec})

    def recorded(self, datacenter: str) -> Mapping[str, Any]:
        """What the status says of a datacenter."""
        entries = self.status.get("datacenters") or ()
        return next((each for each in entries if each.get("name") == datacenter), {})


@dataclass(frozen=True, slots=True)
class Unit:
    """One K8ssandraTask: one datacenter, or one rack of it."""

    datacenter: str
    plane: str
    task: str
    rack: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A K8ssandraTask as a plane has it."""

    meta: Meta
    finished: bool
    failed: bool
    cancelled: bool
    succeeded: int = 0
    failures: int = 0
    message: str = ""

    @property
    def cancel_asked(self) -> bool:
        """Whether the plane was told to stop it."""
        return bool(self.meta.annotations.get(Annotation.CANCEL))


@dataclass(frozen=True, slots=True)
class PlaneTasks:
    """The tasks of one operation in one plane, by name."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    known: bool = True
    absence: str = ""
    """Why nothing can be done in the plane now."""


def read_operation(stored: Object) -> Operation:
    """An operation from its stored object."""
    return Operation(
        meta=stored.metadata,
        type=str(stored.spec.get("type") or ""),
        cluster=str(stored.spec.get("clusterName") or ""),
        spec=stored.spec,
        status=stored.status,
    )


def read_task(obj: Object) -> Task:
    """A task from the object in a plane."""
    status = obj.status
    conditions = status.get("conditions") or ()
    invalid = holds(conditions, Condition.INVALID)
    complete = bool(status.get("completionTime")) or holds(conditions, Condition.COMPLETE)
    cancelled = holds(conditions, Condition.CANCELLED)
    told = next(
        (find(conditions, each) for each in (Condition.INVALID, Condition.FAILED) if holds(conditions, each)),
        None,
    )
    failures = int(status.get("failed") or 0)
    return Task(
        meta=obj.metadata,
        finished=complete or cancelled or invalid,
        failed=invalid or (holds(conditions, Condition.FAILED) and complete) or (complete and failures > 0),
        cancelled=cancelled,
        succeeded=int(status.get("succeeded") or 0),
        failures=failures,
        message=str((told or {}).get("message") or ""),
    )


def task_labels(owner: Owner, operation: str) -> dict[str, str]:
    """The labels of a task: whose it is, and which operation it carries out."""
    return {**owner.labels(), Label.MC_OPERATION: label_value(operation)}


def label_value(name: str) -> str:
    """A name as the value of a label: names may be longer than labels."""
    if len(name) <= LABEL_LIMIT:
        return name
    return f"{name[: LABEL_LIMIT - 9].rstrip('.-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def units(
    operation: Operation, *, database: str, planes: Mapping[str, str], racks: Mapping[str, Sequence[str]]
) -> list[Unit]:
    """What has to be done, in order: the datacenters as listed, named racks by their StatefulSets.

    ``planes`` maps the datacenters of the cluster, in its order, to planes; ``racks`` to their racks.
    """
    wanted = [str(each) for each in operation.spec.get("datacenters") or ()] or list(planes)
    arguments = operation.spec.get(operation.type.lower()) or {}
    only = [str(each) for each in arguments.get("racks") or ()]
    found = []
    for name in wanted:
        if name not in planes:
            continue
        base = f"{operation.meta.name}-{name}"
        if not only:
            found.append(Unit(name, planes[name], label_value(base)))
            continue
        chosen = [rack for rack in racks.get(name, ()) if rack in only]
        for rack in sorted(chosen, key=lambda each: statefulset_name(database, name, each)):
            found.append(Unit(name, planes[name], label_value(f"{base}-{rack}"), rack))
    return found


def render_task(operation: Operation, unit: Unit, owner: Owner) -> dict[str, Any]:
    """The K8ssandraTask of a unit. It is kept until the operation is deleted: a task that its plane cleared
    away while nobody looked would have to be started again to learn how it ended."""
    job: dict[str, Any] = {"name": operation.meta.name, "command": "restart"}
    if unit.rack:
        job["args"] = {"rack": unit.rack}
    return {
        "apiVersion": "control.k8ssandra.io/v1alpha1",
        "kind": "K8ssandraTask",
        "metadata": {
            "name": unit.task,
            "namespace": operation.meta.namespace,
            "labels": task_labels(owner, operation.meta.name),
        },
        "spec": {
            "cluster": {"name": owner.name, "namespace": owner.namespace},
            "datacenters": [unit.datacenter],
            "dcConcurrencyPolicy": "Forbid",
            "template": {"jobs": [job], "ttlSecondsAfterFinished": 0},
        },
    }
