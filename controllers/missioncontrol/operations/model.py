"""Stored operations and the K8ssandraTasks that carry them out, as immutable values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controllers.missioncontrol.conditions import find, holds
from controllers.missioncontrol.identity import Owner
from missioncontrol.api.names import Annotation, Condition, Label, OperationPhase
from missioncontrol.kube.views import Meta, Object
from missioncontrol.planning.catalog import CATALOG
from missioncontrol.planning.plans import FINISHED, describe

LABEL_LIMIT: Final = 63
MOST_FAILURES: Final = 100


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

    @property
    def exclusive(self) -> bool:
        """Whether no other such operation may work on the cluster at the same time."""
        return self.type not in CATALOG or CATALOG[self.type].exclusive

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of its own kind."""
        found = self.spec.get(self.type.lower())
        return found if isinstance(found, Mapping) else {}

    @property
    def done(self) -> str:
        """What was done to a node that is done: "restarted"."""
        return CATALOG[self.type].done if self.type in CATALOG else "done"

    def recorded(self, datacenter: str) -> Mapping[str, Any]:
        """What the status says of a datacenter."""
        entries = self.status.get("datacenters") or ()
        return next((each for each in entries if each.get("name") == datacenter), {})


@dataclass(frozen=True, slots=True)
class Unit:
    """One K8ssandraTask: one datacenter, or one rack or some pods of it."""

    datacenter: str
    plane: str
    task: str
    rack: str = ""
    pods: tuple[str, ...] = ()


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
    failed_nodes: tuple[tuple[str, str], ...] = ()
    """The nodes on which it failed, and what they said."""

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
        failed_nodes=_failed_nodes(status),
    )


def _failed_nodes(status: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    states = {
        pod: state
        for each in (status.get("datacenters") or {}).values()
        for pod, state in (each.get("podStatuses") or {}).items()
    }
    failed = [
        (pod, str(state.get("error") or "failed"))
        for pod, state in sorted(states.items())
        if state.get("status") == "ERROR"
    ]
    return tuple(failed[:MOST_FAILURES])


def task_labels(owner: Owner, operation: str) -> dict[str, str]:
    """The labels of a task: whose it is, and which operation it carries out."""
    return {**owner.labels(), Label.MC_OPERATION: label_value(operation)}


def label_value(name: str) -> str:
    """A name as the value of a label: names may be longer than labels."""
    if len(name) <= LABEL_LIMIT:
        return name
    return f"{name[: LABEL_LIMIT - 9].rstrip('.-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
