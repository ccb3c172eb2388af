"""The reconciler of K8ssandraClusters: reads a snapshot, asks for a decision, writes what was decided."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from controllers.k8ssandra import status, superuser
from controllers.k8ssandra.cluster import Cluster, initial_replication
from controllers.k8ssandra.decide import Plan, decide
from controllers.k8ssandra.deletion import ClusterDeletion
from controllers.k8ssandra.keyspaces import Keyspaces
from controllers.k8ssandra.materials import MaterialSource
from controllers.k8ssandra.monitors import ServiceMonitors
from controllers.k8ssandra.removal import DatacenterRemoval
from controllers.k8ssandra.sources import Sources
from controllers.k8ssandra.state import Snapshot
from controllers.runtime.events import EventRecorder
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.names import Annotation, Component, EventReason, Finalizer
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    K8SSANDRA_CLUSTERS,
    SECRETS,
    SERVICES,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, ApiError, Conflict, LeaseLost, NotFound
from missioncontrol.kube.views import Object

log = logging.getLogger(__name__)

MANAGER: Final = Component.K8SSANDRA_OPERATOR.value
KEYSPACE_RETRY_SECONDS: Final = 2.0
OUTSIDE_SECONDS: Final = 60.0


class ClusterReconciler:
    """Reconciles K8ssandraClusters of the operator's own plane."""

    def __init__(
        self,
        client: Client,
        sources: Sources,
        materials: MaterialSource,
        keyspaces: Keyspaces,
        monitors: ServiceMonitors,
        recorder: EventRecorder,
    ) -> None:
        self._client = client
        self._sources = sources
        self._materials = materials
        self._keyspaces = keyspaces
        self._monitors = monitors
        self._recorder = recorder
        self._deletion = ClusterDeletion(client, sources)
        self._removal = DatacenterRemoval(client, keyspaces)

    async def reconcile(self, key: Key) -> Outcome:
        view = self._sources.clusters.get(key.namespace, key.name)
        if view is None:
            self._keyspaces.forget(key.namespace, key.name)
            return Done()
        if view.metadata.deletion_timestamp is not None:
            return await self._delete(self._sources.snapshot(view))
        # read first: the snapshot is to be of one moment, after everything that takes time
        materials = await self._materials.of(Cluster(view.metadata, view.spec))
        snapshot = self._sources.snapshot(view, materials)
        if Finalizer.K8SSANDRA_CLUSTER not in view.metadata.finalizers:
            await self._adopt(snapshot.cluster)
        plan = decide(snapshot)
        try:
            outcome = await self._act(snapshot, plan)
        except (LeaseLost, Conflict):
            raise
        except ApiError as error:
            # what an API server or webhook refuses must be seen on the object, not only in our log
            plan.error = error.message
            await self._report(snapshot, plan)
            raise
        if plan.error and plan.leaving is None:
            return Terminal(plan.error)
        return outcome

    async def _adopt(self, cluster: Cluster) -> None:
        """Take a new cluster on: nothing may be made before the finalizer holds it."""
        annotations = {}
        if (
            not cluster.is_managed
            and Annotation.INITIAL_SYSTEM_REPLICATION not in cluster.metadata.annotations
        ):
            text = json.dumps(initial_replication(cluster), sort_keys=True, separators=(",", ":"))
            annotations[Annotation.INITIAL_SYSTEM_REPLICATION] = text
        metadata: dict[str, Any] = {
            "resourceVersion": cluster.metadata.resource_version,
            "finalizers": [*cluster.metadata.finalizers, Finalizer.K8SSANDRA_CLUSTER],
        }
        if annotations:
            metadata["annotations"] = annotations
        await self._client.merge_patch(
            K8SSANDRA_CLUSTERS,
            cluster.name,
            {"metadata": metadata},
            namespace=cluster.namespace,
            field_manager=MANAGER,
        )

    async def _act(self, snapshot: Snapshot, plan: Plan) -> Outcome:
        cluster = snapshot.cluster
        if not snapshot.has_secret and not plan.error:
            await self._make_secret(cluster)
        for body in plan.config_maps:
            await self._client.apply(CONFIG_MAPS, body, field_manager=MANAGER)
        await self._remove(CONFIG_MAPS, cluster.namespace, plan.stale_config_maps)
        await self._write_endpoints(snapshot, plan)
        if plan.leaving is not None:
            return await self._let_go(snapshot, plan, plan.leaving)
        waiting = ""
        if plan.keyspaces:
            waiting = await self._keyspaces.ensure(cluster, plan.keyspaces, snapshot.pods, snapshot.materials)
        if plan.create is not None and not waiting:
            await self._annotate(cluster, plan.notes)
            await self._create(plan.create)
        if plan.rebuild is not None and not waiting:
            await self._make_rebuild(plan.rebuild)
        if plan.create is None:
            await self._annotate(cluster, plan.notes)
        if plan.update is not None:
            await self._client.apply(CASSANDRA_DATACENTERS, plan.update, field_manager=MANAGER)
        live = {each.metadata.name: each for each in snapshot.owned}
        lacking = await self._monitors.ensure(cluster, live) if plan.settled else ""
        await self._report(snapshot, plan, waiting=waiting or lacking)
        if waiting:
            return RequeueAfter(KEYSPACE_RETRY_SECONDS, waiting)
        if lacking:
            # kinds that are installed wake nobody
            return RequeueAfter(OUTSIDE_SECONDS, lacking)
        absent = self._keyspaces.absent_outside(cluster)
        if absent:
            # nobody here watches them, so that the ring has to be asked again
            return RequeueAfter(OUTSIDE_SECONDS, f"the ring does not know {', '.join(absent)} yet")
        return Done(plan.waiting)

    async def _let_go(self, snapshot: Snapshot, plan: Plan, leaving: Object) -> Outcome:
        plan.error = await self._removal.objection(snapshot, leaving)
        if not plan.error:
            plan.waiting = await self._removal.step(snapshot, leaving)
        await self._report(snapshot, plan)
        if leaving.metadata.deletion_timestamp is not None:
            return Done(plan.waiting)
        # keyspaces wake nobody
        return RequeueAfter(KEYSPACE_RETRY_SECONDS, plan.error or plan.waiting)

    async def _annotate(self, cluster: Cluster, notes: dict[str, str | None]) -> None:
        present = cluster.metadata.annotations
        new = {key: value for key, value in notes.items() if present.get(key) != value}
        if new:
            await self._client.merge_patch(
                K8SSANDRA_CLUSTERS,
                cluster.name,
                {"metadata": {"annotations": new}},
                namespace=cluster.namespace,
                field_manager=MANAGER,
            )

    async def _make_rebuild(self, body: dict[str, Any]) -> None:
        try:
            await self._client.create(CASSANDRA_TASKS, body, field_manager=MANAGER)
        except AlreadyExists:
            log.info("the task %s is there already", body["metadata"]["name"])

    async def _make_secret(self, cluster: Cluster) -> None:
        """The superuser's Secret of a cluster of its own; where somebody is to bring it, it is waited for."""
        if cluster.is_managed or cluster.named_secret:
            return
        body = superuser.render(cluster, password=superuser.new_password())
        try:
            await self._client.create(SECRETS, body, field_manager=MANAGER)
        except AlreadyExists:
            log.info("the Secret %s exists already and is used as it is", cluster.superuser_secret)

    async def _write_endpoints(self, snapshot: Snapshot, plan: Plan) -> None:
        namespace = snapshot.cluster.namespace
        for body in plan.services:
            await self._client.apply(SERVICES, body, field_manager=MANAGER)
        for body in plan.slices:
            await self._client.apply(ENDPOINT_SLICES, body, field_manager=MANAGER)
        await self._remove(ENDPOINT_SLICES, namespace, plan.stale_slices)
        await self._remove(SERVICES, namespace, plan.stale_services)

    async def _remove(self, resource: Resource, namespace: str, names: list[str]) -> None:
        for name in names:
            # it may be gone already
            with suppress(NotFound):
                await self._client.delete(resource, name, namespace=namespace)

    async def _create(self, body: dict[str, Any]) -> None:
        """Make a CassandraDatacenter, and never become a second owner of one that exists.

        Applying without force makes it if it is absent; if somebody else was faster, our fields conflict with
        theirs, the server refuses, and the next look sees whose it is.
        """
        metadata = body["metadata"]
        try:
            await self._client.get(CASSANDRA_DATACENTERS, metadata["name"], namespace=metadata["namespace"])
        except NotFound:
            await self._client.apply(CASSANDRA_DATACENTERS, body, field_manager=MANAGER, force=False)

    async def _report(self, snapshot: Snapshot, plan: Plan, *, waiting: str = "") -> None:
        wanted = status.cluster_status(snapshot, plan, now=datetime.now(UTC), waiting=waiting)
        before = snapshot.status.get("error")
        if plan.error and plan.error != before:
            self._recorder.event(
                K8SSANDRA_CLUSTERS,
                snapshot.cluster.metadata,
                reason=EventReason.RECONCILE_ERROR,
                note=plan.error,
                type="Warning",
                action=EventReason.RECONCILE_ERROR,
            )
        await self._patch_status(snapshot, wanted)

    async def _patch_status(self, snapshot: Snapshot, wanted: dict[str, Any]) -> None:
        changes = status.changes(snapshot.status, wanted)
        if not changes:
            return
        cluster = snapshot.cluster
        await self._client.merge_patch(
            K8SSANDRA_CLUSTERS,
            cluster.name,
            {"status": changes},
            namespace=cluster.namespace,
            subresource="status",
            field_manager=MANAGER,
        )

    async def _delete(self, snapshot: Snapshot) -> Outcome:
        if Finalizer.K8SSANDRA_CLUSTER not in snapshot.cluster.metadata.finalizers:
            return Done()
        waiting = await self._deletion.step(snapshot)
        if not waiting:
            return Done("everything of the cluster is gone")
        wanted = status.deleting_status(snapshot, now=datetime.now(UTC), waiting=waiting)
        await self._patch_status(snapshot, wanted)
        return Done(waiting)
