"""The status of a task: conditions and counters, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks.jobs import Statuses
from controllers.cassandra.tasks.task import Task
from missioncontrol.api.names import Condition

Json = dict[str, Any]


def waiting(task: Task, sentence: str, now: datetime) -> Json:
    """The status of a task that cannot begin, although nothing is before it."""
    return {"conditions": with_conditions(task, {Condition.RUNNING: (False, sentence)}, now)}


def begun(task: Task, now: datetime) -> Json:
    """The status of a task that begins."""
    return {
        "startTime": task.status.start_time or timestamp(now),
        "active": 1,
        "conditions": with_conditions(task, {Condition.RUNNING: (True, "")}, now),
    }


def running(
    task: Task,
    *,
    succeeded: int,
    failed: int,
    sentence: str,
    now: datetime,
    more: Mapping[Condition, tuple[bool, str]] | None = None,
) -> Json:
    """The status of a task that goes on."""
    conditions = {Condition.RUNNING: (True, sentence), **(more or {})}
    return {**counters(task, succeeded, failed), "conditions": with_conditions(task, conditions, now)}


def ended(
    task: Task,
    *,
    now: datetime,
    succeeded: int = 0,
    failed: int = 0,
    error: str = "",
    stopped: str = "",
) -> Json:
    """The status of a task that is over: complete, perhaps failed, perhaps cancelled before its end."""
    conditions = {Condition.RUNNING: (False, ""), Condition.COMPLETE: (True, "")}
    if stopped:
        conditions[Condition.CANCELLED] = (True, stopped)
    if failed or error:
        message = error or f"{failed} pods failed during processing"
        conditions[Condition.FAILED] = (True, message)
    return {
        "startTime": task.status.start_time or timestamp(now),
        "completionTime": timestamp(now),
        "active": None,
        # who counts failures must see one, also where no pod was touched
        **counters(task, succeeded, failed or (1 if error else 0)),
        "conditions": with_conditions(task, conditions, now),
    }


def pod_states(states: Statuses) -> Json:
    """The member of the status that says how far the job is on each pod."""
    return {"podStatuses": {name: state.to_dict() for name, state in states.items()}} if states else {}


def counters(task: Task, succeeded: int, failed: int) -> Json:
    """How many nodes are done. What was told once is not taken back: a node that is done stays done."""
    found = {"succeeded": max(succeeded, task.status.succeeded or 0), "failed": failed}
    return {key: value for key, value in found.items() if value}


def with_conditions(task: Task, wanted: Mapping[Condition, tuple[bool, str]], now: datetime) -> list[Json]:
    """The conditions with these in them; the reason of each is its type, as upstream has it."""
    merged = {each.type: each.to_dict() for each in task.status.conditions}
    for kind, (holds, message) in wanted.items():
        old = merged.get(kind.value)
        status = "True" if holds else "False"
        since = old["lastTransitionTime"] if old and old["status"] == status else timestamp(now)
        merged[kind.value] = {
            "type": kind.value,
            "status": status,
            "reason": kind.value,
            "message": message,
            "lastTransitionTime": since,
        }
    return list(merged.values())


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """What a merge patch has to say; empty when nothing differs. What ``after`` lacks stays as it is, but
    inside a member that it has, what it lacks goes."""
    found: Json = {}
    for key, value in after.items():
        old = before.get(key)
        if old == value or (value is None and key not in before):
            continue
        found[key] = _difference(old, value)
    return found


def _difference(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    told = {key: _difference(old.get(key), value) for key, value in new.items() if old.get(key) != value}
    return {**dict.fromkeys(old.keys() - new.keys()), **told}
