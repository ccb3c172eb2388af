"""One cluster in the control plane: its superuser, its status, its Datacenter objects, its deletion.

Nothing here waits for a plane: what is told comes from caches, and what is to be done in a plane is done by
the placement controller of that plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from controllers.missioncontrol.clusters.cleanup import leftovers
from controllers.missioncontrol.clusters.datacenters import View, datacenter_spec, datacenter_status, view
from controllers.missioncontrol.clusters.facts import Cluster, Snapshot
from controllers.missioncontrol.clusters.guard import Objection, object_to
from controllers.missioncontrol.clusters.home import Home, abandoned
from controllers.missioncontrol.clusters.render import differs
from controllers.missioncontrol.clusters.rollout import plan_rollout
from controllers.missioncontrol.clusters.status import cluster_status, deleting_status
from controllers.missioncontrol.clusters.superuser import owner_reference
from controllers.missioncontrol.conditions import merge
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, cluster_key
from controllers.missioncontrol.dataplanes.status import stamp
from controllers.missioncontrol.identity import FIELD_MANAGER
from controllers.runtime.events import EventRecorder
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter
from missioncontrol.api.names import Annotation, EventReason, Finalizer, Label, Phase, Reason
from missioncontrol.api.resources import STORED_CLUSTERS, STORED_DATACENTERS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import KubeError

PENDING_SECONDS = 1.0
WAITING_SECONDS = 10.0


class Clusters:
    """Reconciles stored clusters."""

    def __init__(
        self, home: Home, client: Client, recorder: EventRecorder, *, place: Callable[[Cluster], None]
    ) -> None:
        self._home = home
        self._client = client
        self._recorder = recorder
        self._place = place

    async def reconcile(self, key: Key) -> Outcome:
        """Bring what is stored and told about one cluster up to date."""
        cluster = self._home.cluster(key.namespace, key.name)
        if cluster is None:
            return Done()
        snapshot = self._home.snapshot(cluster)
        if cluster.deleting:
            return await self._delete(snapshot)
        if Finalizer.MISSION_CONTROL not in cluster.finalizers:
            await self._set_finalizers(cluster, (*cluster.finalizers, Finalizer.MISSION_CONTROL))
            return RequeueAfter(0.01)
        if pending := self._home.pending_planes(snapshot):
            return RequeueAfter(PENDING_SECONDS, f"waits for the first look at {', '.join(pending)}")
        objection = object_to(snapshot) or await self._superuser(snapshot)
        rollout = plan_rollout(snapshot)
        views = [view(snapshot, rollout, each) for each in cluster.datacenters]
        status = cluster_status(snapshot, rollout, views, objection, now=stamp(datetime.now(UTC)))
        accepted = {str(each["name"]) for each in status["datacenters"]}
        failure: KubeError | None = None
        try:
            for each in views:
                if each.datacenter.name in accepted:
                    await self._tell_datacenter(snapshot, each)
        except KubeError as error:
            failure = error
        # Last: who waited for the cluster to be Ready finds its datacenters so, too.
        await self._tell(cluster, status)
        if failure is not None:
            raise failure
        if objection is not None:
            # a missing Secret is not watched for
            wait = objection.reason in (Reason.WAITING, Reason.INVALID_SPEC)
            return RequeueAfter(WAITING_SECONDS, status["message"]) if wait else Done(status["message"])
        self._place(cluster)
        return Done(f"{status['phase']}: {status['message']}")

    async def _superuser(self, snapshot: Snapshot) -> Objection | None:
        cluster = snapshot.cluster
        if cluster.external_secrets:
            return None
        key = cluster_key(cluster.namespace, cluster.name)
        copies = [
            secret.data
            for member in self._home.fleet
            for secret in member.watches.secrets.by(BY_CLUSTER, key)
            if secret.metadata.name == cluster.superuser_secret and cluster.owner.owns(secret.metadata.labels)
        ]
        return await self._home.superusers.ensure(cluster, copies, exists=bool(cluster.placed_datacenters))

    # Telling --------------------------------------------------------------------------------------

    async def _tell(self, cluster: Cluster, status: dict[str, Any]) -> None:
        if status == dict(cluster.status):
            return
        await self._client.apply(
            STORED_CLUSTERS,
            {"metadata": {"name": cluster.name, "namespace": cluster.namespace}, "status": status},
            field_manager=FIELD_MANAGER,
            subresource="status",
        )
        before, after = cluster.status.get("phase"), status["phase"]
        if before != after:
            self._announce(cluster, str(after), str(status["message"]))

    def _announce(self, cluster: Cluster, phase: str, message: str) -> None:
        stored = self._home.clusters.get(cluster.namespace, cluster.name)
        if stored is None:
            return
        reasons = {
            Phase.READY: EventReason.READY,
            Phase.DELETING: EventReason.DELETING,
            Phase.DEGRADED: EventReason.WAITING,
            Phase.PENDING: EventReason.WAITING,
        }
        reason = reasons.get(Phase(phase), EventReason.PLACED)
        kind = "Warning" if phase == Phase.DEGRADED else "Normal"
        self._recorder.event(
            STORED_CLUSTERS,
            stored.metadata,
            reason=str(reason),
            note=message,
            type=kind,  # type: ignore[arg-type]
        )

    async def _tell_datacenter(self, snapshot: Snapshot, seen: View) -> None:
        cluster = snapshot.cluster
        name = cluster.datacenter_object(seen.datacenter.name)
        stored = self._home.datacenters.get(cluster.namespace, name)
        labels = {Label.MC_CLUSTER_NAME: cluster.name, Label.MC_DATACENTER: seen.datacenter.name}
        identity = {"name": name, "namespace": cluster.namespace}
        spec = datacenter_spec(snapshot, seen.datacenter)
        owners = [each.uid for each in stored.metadata.owner_references] if stored else []
        fresh = stored is None or cluster.uid not in owners
        if fresh or stored is None or spec != stored.spec or differs(labels, stored.metadata.labels):
            metadata = {**identity, "labels": labels, "ownerReferences": [owner_reference(cluster)]}
            body = {"metadata": metadata, "spec": spec}
            await self._client.apply(STORED_DATACENTERS, body, field_manager=FIELD_MANAGER)
        before = stored.status if stored else {}
        status = datacenter_status(snapshot, seen, before)
        now = stamp(datetime.now(UTC))
        status["conditions"] = merge(before.get("conditions") or (), seen.verdicts(), now=now)
        if status != before:
            body = {"metadata": identity, "status": status}
            await self._client.apply(
                STORED_DATACENTERS, body, field_manager=FIELD_MANAGER, subresource="status"
            )

    # Deletion -------------------------------------------------------------------------------------

    async def _delete(self, snapshot: Snapshot) -> Outcome:
        cluster = snapshot.cluster
        if Finalizer.MISSION_CONTROL not in cluster.finalizers:
            return Done()
        if pending := self._home.pending_planes(snapshot):
            return RequeueAfter(PENDING_SECONDS, f"waits for the first look at {', '.join(pending)}")
        waits = [text for name in snapshot.planes if (text := self._left_in(snapshot, name))]
        if waits:
            await self._tell(cluster, deleting_status(cluster, waits, now=stamp(datetime.now(UTC))))
            self._place(cluster)
            return RequeueAfter(WAITING_SECONDS, "; ".join(waits))
        rest = tuple(each for each in cluster.finalizers if each != Finalizer.MISSION_CONTROL)
        await self._set_finalizers(cluster, rest)
        return Done("nothing of it is left in any data plane")

    def _left_in(self, snapshot: Snapshot, plane: str) -> str:
        """What is still to go in a plane; empty when nothing is, or when nobody waits for that plane."""
        cluster = snapshot.cluster
        member = self._home.fleet.get(plane)
        if plane in abandoned(cluster) and (member is None or not member.usable):
            return ""
        placed = plane in cluster.placed_datacenters.values()
        if member is not None and member.known:
            last = not self._home.other_users(cluster, plane)
            left = leftovers(cluster, member, last_in_namespace=last).sentence()
            absence = snapshot.plane(plane).absence() if left and not member.usable else ""
            return f"{absence}, {_abandon(plane)}" if absence else left
        absence = snapshot.plane(plane).absence()
        return f"{absence}, {_abandon(plane)}" if placed and absence else ""

    async def _set_finalizers(self, cluster: Cluster, finalizers: Sequence[str]) -> None:
        stored = self._home.clusters.get(cluster.namespace, cluster.name)
        if stored is None:
            return
        metadata = {"resourceVersion": stored.metadata.resource_version, "finalizers": list(finalizers)}
        patch = {"metadata": metadata}
        await self._client.merge_patch(
            STORED_CLUSTERS, cluster.name, patch, namespace=cluster.namespace, field_manager=FIELD_MANAGER
        )


def _abandon(plane: str) -> str:
    annotation = f"{Annotation.ABANDON_DATA_PLANES}={plane}"
    return f"and what is there is waited for; if it is gone for good, annotate {annotation}"
