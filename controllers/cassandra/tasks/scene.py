"""A task with all that is needed to bring it forward, for the modules that carry its command out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controllers.cassandra.caches import BY_DATACENTER, Caches
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.gather import ask_health, from_caches
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.state import PodState, Snapshot
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.calls import TaskMemory
from controllers.cassandra.tasks.commands import Facts
from controllers.cassandra.tasks.task import Task
from controllers.runtime import EventRecorder
from controllers.runtime.events import EventType
from missioncontrol.api.names import Component, EventReason, Label, pod_name
from missioncontrol.api.resources import CASSANDRA_TASKS
from missioncontrol.kube.client import Client
from missioncontrol.kube.views import Object

MANAGER = Component.CASS_OPERATOR.value


@dataclass(frozen=True, slots=True)
class Tools:
    """What the operator works with."""

    client: Client
    caches: Caches
    api: ManagementApi
    recorder: EventRecorder
    images: ImageConfig


@dataclass(frozen=True, slots=True)
class Scene:
    """One task in one pass."""

    tools: Tools
    view: Object
    task: Task
    datacenter: Datacenter
    memory: TaskMemory
    shared: DatacenterMemory
    now: datetime
    wake: Callable[[], None]

    def pods(self) -> tuple[PodState, ...]:
        """The pods of the datacenter that are not being deleted."""
        found = (PodState.of(pod) for pod in self.tools.caches.pods.by(BY_DATACENTER, self.task.datacenter))
        return tuple(pod for pod in found if not pod.deleting)

    def facts(self) -> Facts:
        """What the arguments of the task may name."""
        racks = tuple(rack.name for rack in self.datacenter.racks)
        views = self.tools.caches.statefulsets.by(BY_DATACENTER, self.task.datacenter)
        # also the pods that are not there at this moment
        expected = {
            pod_name(view.metadata.name, n): view.metadata.labels.get(Label.RACK, "")
            for view in views
            for n in range(view.spec.replicas)
        }
        return Facts(racks, expected | {pod.name: pod.rack for pod in self.pods()})

    def snapshot(self) -> Snapshot:
        """The whole datacenter, from caches."""
        tools = self.tools
        return from_caches(self.datacenter, tools.caches, self.shared, tools.images, self.now)

    async def with_health(self, snapshot: Snapshot) -> Snapshot:
        """The same, with what the nodes see of each other."""
        return replace(snapshot, observed=await ask_health(snapshot, self.tools.api))

    async def write(self, after: dict[str, Any]) -> None:
        """Write what differs of the status; nothing if nothing does."""
        patch = statuses.changed(self.view.status, after)
        if not patch:
            return
        metadata = self.view.metadata
        written = await self.tools.client.merge_patch(
            CASSANDRA_TASKS,
            metadata.name,
            {"metadata": {"resourceVersion": metadata.resource_version}, "status": patch},
            namespace=metadata.namespace,
            subresource="status",
            field_manager=MANAGER,
        )
        # the next pass must know which jobs run, or it would begin them again
        self.tools.caches.tasks.observe(written)

    async def end(self, after: dict[str, Any]) -> None:
        """Write the status of a task that is over, and tell of it."""
        await self.write(after)
        conditions = {each["type"]: each for each in after["conditions"] if each["status"] == "True"}
        title = f"{self.task.job.command}: " if self.task.spec.jobs else ""
        if "Failed" in conditions:
            self.tell(EventReason.TASK_FAILED, title + conditions["Failed"]["message"], warning=True)
        elif "Cancelled" in conditions:
            self.tell(EventReason.TASK_CANCELLED, title + conditions["Cancelled"]["message"])
        else:
            done = after.get("succeeded", 0)
            self.tell(EventReason.TASK_COMPLETE, f"{title}{done} node{'' if done == 1 else 's'} done")

    def tell(self, reason: EventReason, note: str, *, warning: bool = False) -> None:
        """An event of the task."""
        kind: EventType = "Warning" if warning else "Normal"
        self.tools.recorder.event(
            CASSANDRA_TASKS, self.task.metadata, reason=reason, note=note, type=kind, action=reason
        )
