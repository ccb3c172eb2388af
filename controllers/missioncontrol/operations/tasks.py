"""The tasks of one operation in one plane: made, stopped, deleted, from the queue of that plane alone."""

from __future__ import annotations

from controllers.missioncontrol import act
from controllers.missioncontrol.clusters.home import Home
from controllers.missioncontrol.dataplanes.member import Member
from controllers.missioncontrol.identity import FIELD_MANAGER, describe_owner
from controllers.missioncontrol.operations.decide import advance
from controllers.missioncontrol.operations.gather import Scene, scene_of
from controllers.missioncontrol.operations.jobs import render_task
from controllers.missioncontrol.operations.model import Task, Unit, label_value
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter
from missioncontrol.api.names import Annotation, Label, OperationPhase
from missioncontrol.api.resources import K8SSANDRA_TASKS
from missioncontrol.kube.errors import AlreadyExists, Conflict, NotFound

TAKEN_SECONDS = 30.0


class Tasks:
    """Reconciles operations in planes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def reconcile(self, key: Key) -> Outcome:
        """Do in one plane what an operation wants done there now."""
        member = self._home.fleet.get(key.cluster)
        stored = self._home.operations.get(key.namespace, key.name)
        if member is None or not member.usable or stored is None:
            return Done()
        scene = scene_of(self._home, stored)
        operation = scene.operation
        mine = scene.planes.get(member.name)
        if mine is None:
            return Done()
        if operation.meta.deletion_timestamp is not None:
            for task in mine.tasks.values():
                await self._delete(member, task)
            return Done("its tasks are deleted" if mine.tasks else "")
        if operation.cancelled:
            for task in mine.tasks.values():
                if not task.finished and not task.cancel_asked:
                    await self._cancel(member, task, operation.meta.annotations[Annotation.CANCEL])
        if operation.phase != OperationPhase.RUNNING or scene.cluster is None or scene.cluster.deleting:
            return Done()
        if scene.switches:
            return Done()  # no task carries it out
        start = advance(operation, scene.units, scene.planes, scene.totals).start
        if start is None or start.plane != member.name:
            return Done()
        return await self._start(scene, member, start)

    async def _start(self, scene: Scene, member: Member, unit: Unit) -> Outcome:
        assert scene.cluster is not None
        body = render_task(scene.operation, unit, scene.cluster)
        try:
            await act.create(member.cluster.client, K8SSANDRA_TASKS, body)
        except AlreadyExists:
            namespace = scene.operation.meta.namespace
            found = await member.cluster.client.get(K8SSANDRA_TASKS, unit.task, namespace=namespace)
            labels = found["metadata"].get("labels") or {}
            mine = scene.cluster.owner.owns(labels)
            if mine and labels.get(Label.MC_OPERATION) == label_value(scene.operation.meta.name):
                return RequeueAfter(1.0, "the task exists; its plane's cache will show it")
            where = f"the K8ssandraTask {unit.task} in the data plane {member.name}"
            return RequeueAfter(TAKEN_SECONDS, f"{where} {describe_owner(labels)} and is left alone")
        return Done(f"the K8ssandraTask {unit.task} is made")

    async def _cancel(self, member: Member, task: Task, value: str) -> None:
        annotations = {Annotation.CANCEL: value}
        patch = {"metadata": {"resourceVersion": task.meta.resource_version, "annotations": annotations}}
        await member.cluster.client.merge_patch(
            K8SSANDRA_TASKS, task.meta.name, patch, namespace=task.meta.namespace, field_manager=FIELD_MANAGER
        )

    async def _delete(self, member: Member, task: Task) -> None:
        if task.meta.deletion_timestamp is not None:
            return
        try:
            await member.cluster.client.delete(
                K8SSANDRA_TASKS, task.meta.name, namespace=task.meta.namespace, uid=task.meta.uid
            )
        except (NotFound, Conflict):
            return
