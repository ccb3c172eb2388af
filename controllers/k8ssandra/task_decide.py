"""What to do about a K8ssandraTask now: which CassandraTasks to make, and what its status is.

Datacenters come in the order in which they are listed (upstream works through an explicit list backwards).
One by one, a datacenter in which the task failed ends it: the others are not put at the same risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controllers.k8ssandra.render import COMPONENT_LABELS
from controllers.k8ssandra.task_state import TaskSnapshot, is_failed, is_finished
from controllers.k8ssandra.views import condition, holds
from missioncontrol.api.names import Annotation, Condition, Label
from missioncontrol.validation.values import integer, mapping, sequence


@dataclass(slots=True)
class TaskPlan:
    """What is to be written."""

    create: list[dict[str, Any]] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    """CassandraTasks that are to learn that the task was cancelled."""
    status: dict[str, Any] = field(default_factory=dict)
    invalid: str = ""
    message: str = ""


def decide(snapshot: TaskSnapshot, *, now: datetime) -> TaskPlan:
    """The next step for a task that is neither finished nor being deleted."""
    plan = TaskPlan(invalid=_objection(snapshot))
    if plan.invalid:
        plan.status = _invalid_status(snapshot, plan.invalid, now)
        return plan
    _decide_parts(snapshot, plan)
    plan.status = _status(snapshot, plan, now)
    return plan


def _objection(snapshot: TaskSnapshot) -> str:
    reference = mapping(snapshot.task.spec.get("cluster"))
    if snapshot.cluster is None:
        return f"there is no K8ssandraCluster {reference.get('name') or '(spec.cluster.name is empty)'}"
    known = [each.name for each in snapshot.cluster.datacenters]
    unknown = [each for each in snapshot.datacenters if each not in known]
    if unknown:
        has = ", ".join(known)
        return f"cluster {snapshot.cluster.name} has no datacenter {', '.join(unknown)}; it has {has}"
    jobs = len(sequence(snapshot.template.get("jobs")))
    if jobs != 1:
        return f"spec.template.jobs must hold exactly one job, not {jobs}"
    for datacenter in snapshot.datacenters:
        part = snapshot.parts.get(snapshot.part_name(datacenter))
        if part is not None and not _is_ours(snapshot, part.metadata.labels):
            return f"CassandraTask {part.metadata.name} exists already and belongs to somebody else"
    return ""


def _is_ours(snapshot: TaskSnapshot, labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in _task_labels(snapshot).items())


def _task_labels(snapshot: TaskSnapshot) -> dict[str, str]:
    return {Label.TASK_NAME: snapshot.name, Label.TASK_NAMESPACE: snapshot.namespace}


def _decide_parts(snapshot: TaskSnapshot, plan: TaskPlan) -> None:
    for datacenter in snapshot.datacenters:
        status = snapshot.part_status(datacenter)
        if status is None:
            if snapshot.cancelled:
                continue
            plan.create.append(_part(snapshot, datacenter))
            plan.message = f"datacenter {datacenter} begins"
            if snapshot.one_by_one:
                return
        elif not is_finished(status):
            plan.message = f"datacenter {datacenter} is worked on"
            _pass_cancel_on(snapshot, plan, datacenter)
            if snapshot.one_by_one:
                return
        elif is_failed(status) and snapshot.one_by_one:
            return


def _pass_cancel_on(snapshot: TaskSnapshot, plan: TaskPlan, datacenter: str) -> None:
    name = snapshot.part_name(datacenter)
    part = snapshot.parts.get(name)
    if snapshot.cancelled and part is not None and Annotation.CANCEL not in part.metadata.annotations:
        plan.cancel.append(name)


def _part(snapshot: TaskSnapshot, datacenter: str) -> dict[str, Any]:
    assert snapshot.cluster is not None
    return {
        "apiVersion": "control.k8ssandra.io/v1alpha1",
        "kind": "CassandraTask",
        "metadata": {
            "name": snapshot.part_name(datacenter),
            "namespace": snapshot.cluster.namespace,
            "labels": {**snapshot.cluster.ownership_labels, **COMPONENT_LABELS, **_task_labels(snapshot)},
        },
        "spec": {
            **snapshot.template,
            "datacenter": {"name": datacenter, "namespace": snapshot.cluster.namespace},
            # the whole task has the time to live; its parts must not vanish while it runs
            "ttlSecondsAfterFinished": 0,
        },
    }


# --- Status --------------------------------------------------------------------------------------


def _status(snapshot: TaskSnapshot, plan: TaskPlan, now: datetime) -> dict[str, Any]:
    parts = {name: part for name in snapshot.datacenters if (part := snapshot.part_status(name)) is not None}
    begun = list(parts.values())
    done = _is_over(snapshot, plan, parts)
    failed = any(map(is_failed, begun))
    stopped = bool(snapshot.cancelled) and (
        len(parts) < len(snapshot.datacenters) or any(holds(each, Condition.CANCELLED) for each in begun)
    )
    status: dict[str, Any] = {"datacenters": {name: dict(each) for name, each in parts.items()}}
    for counter in ("active", "succeeded", "failed"):
        # upstream stores no zero
        status[counter] = sum(integer(each.get(counter)) or 0 for each in begun) or None
    started = [each["startTime"] for each in begun if each.get("startTime")]
    if started:
        status["startTime"] = min(started)
    if done:
        ended = [each["completionTime"] for each in begun if each.get("completionTime")]
        status["completionTime"] = max(ended) if ended else _timestamp(now)
    running = not done and any(not is_finished(each) and integer(each.get("active")) for each in begun)
    told = [(Condition.RUNNING, running), (Condition.FAILED, failed), (Condition.COMPLETE, done)]
    if stopped and done:
        told.append((Condition.CANCELLED, True))
    message = _summary(snapshot, parts) if done and (failed or stopped) else ""
    status["conditions"] = [
        _condition(snapshot, now, kind, value, message if value else "") for kind, value in told
    ]
    return status


def _is_over(snapshot: TaskSnapshot, plan: TaskPlan, parts: Mapping[str, Mapping[str, Any]]) -> bool:
    if plan.create or not all(map(is_finished, parts.values())):
        return False
    if len(parts) == len(snapshot.datacenters) or snapshot.cancelled:
        return True
    return snapshot.one_by_one and any(map(is_failed, parts.values()))


def _summary(snapshot: TaskSnapshot, parts: Mapping[str, Mapping[str, Any]]) -> str:
    told = []
    failed = [name for name, each in parts.items() if is_failed(each)]
    untouched = [name for name in snapshot.datacenters if name not in parts]
    if failed:
        reasons = [
            f"{name}: {condition(parts[name], Condition.FAILED).get('message') or 'failed'}"
            for name in failed
        ]
        told.append("; ".join(reasons))
    if untouched:
        told.append(f"not begun: {', '.join(untouched)}")
    return "; ".join(told)


def _invalid_status(snapshot: TaskSnapshot, message: str, now: datetime) -> dict[str, Any]:
    kinds = ((Condition.INVALID, True), (Condition.FAILED, True), (Condition.RUNNING, False))
    return {
        "completionTime": snapshot.task.status.get("completionTime") or _timestamp(now),
        "conditions": [
            _condition(snapshot, now, kind, value, message if value else "") for kind, value in kinds
        ],
    }


def _condition(
    snapshot: TaskSnapshot, now: datetime, kind: Condition, value: bool, message: str
) -> dict[str, Any]:
    status = "True" if value else "False"
    before = condition(snapshot.task.status, kind)
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind.value,
        "status": status,
        "reason": kind.value,
        "message": message,
        "lastTransitionTime": since or _timestamp(now),
    }


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
