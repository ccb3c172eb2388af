"""The cleanup after growth: nodes that were there before drop what has moved to the new ones.

It is a CassandraTask, named after the moment at which the growth began, so that it is made once however often
this is decided. With the annotation track-cleanup-tasks the datacenter is ready when the task has ended.
"""

from __future__ import annotations

from datetime import datetime

from controllers.cassandra.actions import CreateCleanupTask, Plan
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Annotation, Condition

PAUSE = 30.0


def task_due(snapshot: Snapshot) -> str:
    """The name of the task that is to be made; empty when nothing has grown."""
    datacenter = snapshot.datacenter
    scaled = next((c for c in datacenter.status.conditions if c.type == Condition.SCALING_UP), None)
    if scaled is None or scaled.status != "True" or datacenter.annotated(Annotation.NO_CLEANUP):
        return ""
    began = datetime.fromisoformat(scaled.last_transition_time) if scaled.last_transition_time else None
    return f"cleanup-{int(began.timestamp()) if began else datacenter.metadata.generation}"


def untracked(snapshot: Snapshot) -> list[CreateCleanupTask]:
    """The task, where nobody waits for it."""
    name = task_due(snapshot)
    return [CreateCleanupTask(name)] if name and not _tracks(snapshot) else []


def tracked(snapshot: Snapshot) -> Plan | None:
    """Make the task and wait for its end, where that is asked for."""
    name = task_due(snapshot)
    if not name or not _tracks(snapshot) or snapshot.tasks.get(name):
        return None
    if name in snapshot.tasks:
        return Plan(f"waiting for the task {name}", wait=PAUSE, updating=True)
    reference = {"name": name, "namespace": snapshot.datacenter.namespace}
    return Plan(
        f"waiting for the task {name}",
        (CreateCleanupTask(name),),
        wait=PAUSE,
        updating=True,
        status={"trackedTasks": [reference]},
    )


def _tracks(snapshot: Snapshot) -> bool:
    return snapshot.datacenter.annotated(Annotation.TRACK_CLEANUP_TASKS)
