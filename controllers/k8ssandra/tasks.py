"""The reconciler of K8ssandraTasks: one CassandraTask in each datacenter, and their sum as its status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.deletion import release
from controllers.k8ssandra.sources import BY_TASK, Sources, cluster_of_task
from controllers.k8ssandra.status import changes
from controllers.k8ssandra.task_decide import TaskPlan, decide
from controllers.k8ssandra.task_state import TaskSnapshot
from controllers.runtime.events import EventRecorder
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.names import Annotation, Component, EventReason, Finalizer
from missioncontrol.api.resources import CASSANDRA_TASKS, K8SSANDRA_CLUSTERS, K8SSANDRA_TASKS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.views import Meta, Object

MANAGER: Final = Component.K8SSANDRA_OPERATOR.value


class TaskReconciler:
    """Reconciles K8ssandraTasks of the operator's own plane."""

    def __init__(self, client: Client, sources: Sources, recorder: EventRecorder) -> None:
        self._client = client
        self._sources = sources
        self._recorder = recorder

    async def reconcile(self, key: Key) -> Outcome:
        task = self._sources.tasks.get(key.namespace, key.name)
        if task is None:
            return Done()
        snapshot = await self._snapshot(key, task)
        if task.metadata.deletion_timestamp is not None:
            return await self._delete(snapshot)
        if snapshot.completed_at is not None:
            return await self._expire(snapshot, snapshot.completed_at)
        await self._adopt(snapshot)
        plan = decide(snapshot, now=datetime.now(UTC))
        await self._act(snapshot, plan)
        return Terminal(plan.invalid) if plan.invalid else Done(plan.message)

    async def _snapshot(self, key: Key, task: Object) -> TaskSnapshot:
        namespace, name = cluster_of_task(task)
        view = self._sources.clusters.get(namespace, name)
        cluster = Cluster(view.metadata, view.spec) if view else await self._look_up(namespace, name)
        parts = {each.metadata.name: each for each in self._sources.cassandra_tasks.by(BY_TASK, str(key))}
        if cluster is not None:
            # names of other people's tasks matter too: they are never taken over
            for datacenter in cluster.datacenters:
                other = self._sources.cassandra_tasks.get(
                    namespace, f"{task.metadata.name}-{datacenter.name}"
                )
                if other is not None:
                    parts.setdefault(other.metadata.name, other)
        return TaskSnapshot(task, cluster, parts)

    async def _look_up(self, namespace: str, name: str) -> Cluster | None:
        """Ask the server itself before a task is called invalid: the cache may be a moment behind."""
        if not name:
            return None
        try:
            found = await self._client.get(K8SSANDRA_CLUSTERS, name, namespace=namespace)
        except NotFound:
            return None
        metadata = found["metadata"]
        meta = Meta(
            name=name, namespace=namespace, uid=metadata.get("uid", ""), labels=metadata.get("labels") or {}
        )
        return Cluster(meta, found.get("spec") or {})

    async def _adopt(self, snapshot: TaskSnapshot) -> None:
        metadata, cluster = snapshot.task.metadata, snapshot.cluster
        if Finalizer.K8SSANDRA_TASK in metadata.finalizers:
            return
        patch: dict[str, Any] = {
            "resourceVersion": metadata.resource_version,
            "finalizers": [*metadata.finalizers, Finalizer.K8SSANDRA_TASK],
        }
        if cluster is not None and cluster.namespace == metadata.namespace and not metadata.owner_references:
            patch["ownerReferences"] = [cluster.owner_reference]
        await self._client.merge_patch(
            K8SSANDRA_TASKS,
            metadata.name,
            {"metadata": patch},
            namespace=metadata.namespace,
            field_manager=MANAGER,
        )

    async def _act(self, snapshot: TaskSnapshot, plan: TaskPlan) -> None:
        for body in plan.create:
            await self._create(snapshot, body)
        for name in plan.cancel:
            await self._cancel(snapshot, name)
        if plan.invalid:
            self._event(snapshot, EventReason.INVALID_SPEC, plan.invalid, warning=True)
        told = changes(snapshot.task.status, plan.status)
        if told:
            await self._client.merge_patch(
                K8SSANDRA_TASKS,
                snapshot.name,
                {"status": told},
                namespace=snapshot.namespace,
                subresource="status",
                field_manager=MANAGER,
            )

    async def _create(self, snapshot: TaskSnapshot, body: dict[str, Any]) -> None:
        # Created and not applied: a name that is taken is an error that the next look explains.
        await self._client.create(CASSANDRA_TASKS, body, field_manager=MANAGER)
        name = body["metadata"]["name"]
        note = f"Created CassandraTask {body['metadata']['namespace']}.{name}"
        self._event(snapshot, EventReason.CREATE_CASSANDRA_TASK, note)

    async def _cancel(self, snapshot: TaskSnapshot, name: str) -> None:
        part = snapshot.parts[name].metadata
        patch = {"metadata": {"annotations": {Annotation.CANCEL: snapshot.cancelled}}}
        await self._client.merge_patch(
            CASSANDRA_TASKS, name, patch, namespace=part.namespace, field_manager=MANAGER
        )

    async def _expire(self, snapshot: TaskSnapshot, completed: datetime) -> Outcome:
        if snapshot.ttl_seconds <= 0:
            return Done()
        left = (completed + timedelta(seconds=snapshot.ttl_seconds) - datetime.now(UTC)).total_seconds()
        if left > 0:
            return RequeueAfter(left)
        metadata = snapshot.task.metadata
        try:
            await self._client.delete(
                K8SSANDRA_TASKS, metadata.name, namespace=metadata.namespace, uid=metadata.uid
            )
        except NotFound:
            return Done()
        return Done("its time to live is over")

    async def _delete(self, snapshot: TaskSnapshot) -> Outcome:
        mine = [
            part.metadata
            for part in self._sources.cassandra_tasks.by(BY_TASK, f"{snapshot.namespace}/{snapshot.name}")
        ]
        for metadata in mine:
            if metadata.deletion_timestamp is None:
                await self._delete_part(metadata)
        if mine:
            return Done(f"waiting until the tasks of {len(mine)} datacenters are gone")
        await release(self._client, K8SSANDRA_TASKS, snapshot.task, Finalizer.K8SSANDRA_TASK)
        return Done()

    async def _delete_part(self, metadata: Meta) -> None:
        try:
            await self._client.delete(
                CASSANDRA_TASKS, metadata.name, namespace=metadata.namespace, uid=metadata.uid
            )
        except NotFound:
            return

    def _event(
        self, snapshot: TaskSnapshot, reason: EventReason, note: str, *, warning: bool = False
    ) -> None:
        self._recorder.event(
            K8SSANDRA_TASKS,
            snapshot.task.metadata,
            reason=reason,
            note=note,
            type="Warning" if warning else "Normal",
            action=reason,
        )
