"""One operation in the control plane: planned, queued, admitted, followed to its end, cleared away.

Its tasks are written by the task controller of each plane; here only the control plane is written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from controllers.missioncontrol.clusters.facts import Cluster
from controllers.missioncontrol.clusters.home import Home, abandoned
from controllers.missioncontrol.clusters.superuser import owner_reference
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, cluster_key
from controllers.missioncontrol.dataplanes.status import stamp
from controllers.missioncontrol.identity import FIELD_MANAGER
from controllers.missioncontrol.operations import switches
from controllers.missioncontrol.operations.decide import advance
from controllers.missioncontrol.operations.gather import Scene, scene_of
from controllers.missioncontrol.operations.model import Operation, read_operation
from controllers.missioncontrol.operations.queue import ahead
from controllers.missioncontrol.operations.status import (
    admitted_status,
    deleting_status,
    ended_status,
    running_status,
    waiting_status,
)
from controllers.runtime.events import EventRecorder, EventType
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter
from missioncontrol.api.names import EventReason, Finalizer, OperationPhase, Reason
from missioncontrol.api.resources import STORED_CLUSTERS, STORED_OPERATIONS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Conflict, NotFound
from missioncontrol.planning.catalog import plan
from missioncontrol.planning.plans import Plan, Refusal

QUEUE_SECONDS = 15.0
"""Queued operations are asked for when a cluster or another operation changes; this is for what is missed."""
_EVENTS: dict[str, tuple[EventType, EventReason]] = {
    OperationPhase.RUNNING: ("Normal", EventReason.OPERATION_STARTED),
    OperationPhase.COMPLETE: ("Normal", EventReason.OPERATION_COMPLETE),
    OperationPhase.FAILED: ("Warning", EventReason.OPERATION_FAILED),
    OperationPhase.CANCELLED: ("Normal", EventReason.OPERATION_CANCELLED),
}


class Operations:
    """Reconciles stored operations."""

    def __init__(
        self,
        home: Home,
        client: Client,
        recorder: EventRecorder,
        *,
        wake: Callable[[Sequence[str], Key], None],
    ) -> None:
        self._home = home
        self._client = client
        self._recorder = recorder
        self._wake = wake

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one operation forward."""
        try:
            return await self._reconcile(key)
        except NotFound:
            return Done()  # deleted while it was looked at

    async def _reconcile(self, key: Key) -> Outcome:
        stored = self._home.operations.get(key.namespace, key.name)
        if stored is None:
            return Done()
        scene = scene_of(self._home, stored)
        operation = scene.operation
        if operation.meta.deletion_timestamp is not None:
            return await self._delete(scene, key)
        if operation.finished:
            return await self._expire(operation)
        if await self._adopt(scene):
            return RequeueAfter(0.01)
        if operation.phase == OperationPhase.RUNNING:
            return await self._follow(scene, key)
        return await self._queue(scene, key)

    # Before it begins -----------------------------------------------------------------------------

    async def _queue(self, scene: Scene, key: Key) -> Outcome:
        operation, now = scene.operation, stamp(datetime.now(UTC))
        others = self._others(operation)
        before = ahead(operation, others)
        outcome = plan(
            operation.spec,
            scene.stored_cluster,
            scene.stored_datacenters,
            others=[
                {"metadata": {"name": each.meta.name}, "spec": each.spec, "status": each.status}
                for each in before
            ],
        )
        if isinstance(outcome, Refusal):
            reason = Reason.CLUSTER_NOT_FOUND if scene.cluster is None else Reason.REFUSED
            return await self._end(operation, reason, outcome.message, planned=False)
        if operation.cancelled:
            status = ended_status(
                operation,
                OperationPhase.CANCELLED,
                Reason.CANCELLED,
                "was cancelled before it began",
                now=now,
            )
            return await self._write(operation, status)
        if scene.cluster is not None and scene.cluster.deleting:
            text = f"the cluster {operation.cluster} is being deleted"
            return await self._end(operation, Reason.REFUSED, text, planned=True)
        if before and operation.spec.get("onConflict") == "Reject":
            text = f"onConflict is Reject, and {before[0].title} is {before[0].phase.lower()}"
            return await self._end(operation, Reason.REFUSED, text, planned=True)
        if outcome.blocking:
            await self._write(
                operation, waiting_status(operation, outcome, "; ".join(outcome.blocking), now=now)
            )
            return RequeueAfter(QUEUE_SECONDS, f"waits: {'; '.join(outcome.blocking)}")
        return await self._admit(scene, outcome, key)

    async def _admit(self, scene: Scene, outcome: Plan, key: Key) -> Outcome:
        totals: dict[str, int] = {}
        for step in outcome.steps:
            totals[step.datacenter] = totals.get(step.datacenter, 0) + len(step.pods)
        entries: dict[str, dict[str, Any]] = {}
        for unit in scene.units:
            entries[unit.datacenter] = {
                "name": unit.datacenter,
                "dataPlane": unit.plane,
                "total": totals.get(unit.datacenter, 0),
                "succeeded": 0,
                "failed": 0,
                "phase": str(OperationPhase.PENDING),
            }
        now = stamp(datetime.now(UTC))
        status = admitted_status(scene.operation, outcome, list(entries.values()), now=now)
        # Two operations must not both be admitted from one look: the write is fenced by what was looked at.
        await self._write(scene.operation, status, fenced=True)
        self._wake(list(scene.planes), key)
        return Done(f"begins: {outcome.message}")

    def _others(self, operation: Operation) -> list[Operation]:
        key = cluster_key(operation.meta.namespace, operation.cluster)
        return [read_operation(each) for each in self._home.operations.by(BY_CLUSTER, key)]

    async def _adopt(self, scene: Scene) -> bool:
        """Our finalizer, and the cluster as owner, with which it goes. True when that was missing."""
        meta, cluster = scene.operation.meta, scene.cluster
        patch: dict[str, Any] = {}
        if Finalizer.MISSION_CONTROL not in meta.finalizers:
            patch["finalizers"] = [*meta.finalizers, Finalizer.MISSION_CONTROL]
        if cluster is not None and not any(each.uid == cluster.uid for each in meta.owner_references):
            patch["ownerReferences"] = [owner_reference(cluster)]
        if not patch:
            return False
        patch["resourceVersion"] = meta.resource_version
        await self._client.merge_patch(
            STORED_OPERATIONS,
            meta.name,
            {"metadata": patch},
            namespace=meta.namespace,
            field_manager=FIELD_MANAGER,
        )
        return True

    # While it runs --------------------------------------------------------------------------------

    async def _follow(self, scene: Scene, key: Key) -> Outcome:
        operation = scene.operation
        if scene.cluster is None:
            text = f"the cluster {operation.cluster} does not exist any more"
            return await self._end(operation, Reason.CLUSTER_NOT_FOUND, text)
        if scene.cluster.deleting:
            return await self._end(
                operation, Reason.REFUSED, f"the cluster {operation.cluster} is being deleted"
            )
        progress = advance(operation, scene.units, scene.planes, scene.totals, scene.switches)
        if scene.switches and progress.start is not None:
            await self._switch(scene, scene.cluster, progress.start.datacenter)
        status = running_status(operation, progress, now=stamp(datetime.now(UTC)))
        outcome = await self._write(operation, status)
        self._wake(list(scene.planes), key)
        return outcome

    async def _switch(self, scene: Scene, cluster: Cluster, datacenter: str) -> None:
        """Change the cluster, from which everything else follows."""
        written = await self._client.json_patch(
            STORED_CLUSTERS,
            cluster.name,
            switches.patch(scene.operation.type, cluster, datacenter),
            namespace=cluster.namespace,
            field_manager=FIELD_MANAGER,
        )
        self._home.clusters.observe(written)

    async def _end(
        self, operation: Operation, reason: Reason, message: str, *, planned: bool | None = None
    ) -> Outcome:
        now = stamp(datetime.now(UTC))
        status = ended_status(operation, OperationPhase.FAILED, reason, message, now=now, planned=planned)
        return await self._write(operation, status)

    async def _write(self, operation: Operation, status: dict[str, Any], *, fenced: bool = False) -> Outcome:
        message = f"{status['phase']}: {status['message']}"
        if status == dict(operation.status):
            return Done(message)
        metadata = {"name": operation.meta.name, "namespace": operation.meta.namespace}
        if fenced:
            metadata["resourceVersion"] = operation.meta.resource_version
        body = {"metadata": metadata, "status": status}
        await self._client.apply(STORED_OPERATIONS, body, field_manager=FIELD_MANAGER, subresource="status")
        phase = str(status["phase"])
        if phase != operation.phase and phase in _EVENTS:
            kind, reason = _EVENTS[phase]
            self._recorder.event(
                STORED_OPERATIONS, operation.meta, reason=str(reason), note=str(status["message"]), type=kind
            )
        return Done(message)

    # After it ended -------------------------------------------------------------------------------

    async def _expire(self, operation: Operation) -> Outcome:
        ttl, ended = operation.spec.get("ttlSecondsAfterFinished"), operation.status.get("completionTime")
        if ttl is None or not ended:
            return Done()
        due = datetime.fromisoformat(str(ended).replace("Z", "+00:00")) + timedelta(seconds=int(ttl))
        left = (due - datetime.now(UTC)).total_seconds()
        if left > 0:
            return RequeueAfter(left)
        meta = operation.meta
        try:
            await self._client.delete(STORED_OPERATIONS, meta.name, namespace=meta.namespace, uid=meta.uid)
        except (NotFound, Conflict):
            return Done()
        return Done(f"is deleted: ttlSecondsAfterFinished ({ttl}) is over")

    async def _delete(self, scene: Scene, key: Key) -> Outcome:
        operation = scene.operation
        if Finalizer.MISSION_CONTROL not in operation.meta.finalizers:
            return Done()
        waits = self._waits(scene)
        if waits:
            message = f"is being deleted: {'; '.join(waits)}"
            await self._write(operation, deleting_status(operation, message, now=stamp(datetime.now(UTC))))
            self._wake(list(scene.planes), key)
            return RequeueAfter(QUEUE_SECONDS, message)
        rest = [each for each in operation.meta.finalizers if each != Finalizer.MISSION_CONTROL]
        metadata = {"resourceVersion": operation.meta.resource_version, "finalizers": rest}
        await self._client.merge_patch(
            STORED_OPERATIONS,
            operation.meta.name,
            {"metadata": metadata},
            namespace=operation.meta.namespace,
            field_manager=FIELD_MANAGER,
        )
        return Done("none of its tasks is left")

    def _waits(self, scene: Scene) -> list[str]:
        """What still holds an operation. Without its cluster nothing does: its deletion took the tasks."""
        if scene.cluster is None or not scene.operation.started:
            return []
        waits = []
        for name, plane in scene.planes.items():
            if plane.absence and name in abandoned(scene.cluster):
                continue
            if plane.tasks:
                names = ", ".join(plane.tasks)
                waits.append(
                    f"the data plane {name} still has {names}{f' ({plane.absence})' if plane.absence else ''}"
                )
            elif not plane.known:
                waits.append(f"waits for what is there, as {plane.absence}")
        return waits
