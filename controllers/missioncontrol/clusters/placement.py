"""One cluster in one plane: the controller that writes there, working from the queue of that plane alone.

It makes the same snapshot and the same decisions as every other, and carries out only the part of its
plane; so planes need no word from each other, and one that answers slowly delays nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta

from controllers.missioncontrol import act
from controllers.missioncontrol.clusters.cleanup import Leftovers, foreign_contents, leftovers
from controllers.missioncontrol.clusters.facts import Cluster, Snapshot
from controllers.missioncontrol.clusters.guard import object_to
from controllers.missioncontrol.clusters.home import Home
from controllers.missioncontrol.clusters.render import (
    APPLIED_HASH,
    differs,
    render_k8ssandra_cluster,
    render_namespace,
    render_superuser_copy,
)
from controllers.missioncontrol.clusters.rollout import plan_rollout
from controllers.missioncontrol.dataplanes.member import Member, cluster_key
from controllers.missioncontrol.identity import describe_owner
from controllers.runtime.outcome import Done, Key, Outcome, RequeueAfter
from missioncontrol.api.names import Label
from missioncontrol.api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
)
from missioncontrol.kube.errors import AlreadyExists, Conflict, NotFound

PENDING_SECONDS = 1.0
CLEANUP_SECONDS = 2.0
NAMESPACE_PATIENCE = timedelta(seconds=60)
_CONTENTS = (PODS, PERSISTENT_VOLUME_CLAIMS, SERVICES, CONFIG_MAPS, SECRETS, STATEFUL_SETS, DEPLOYMENTS)


class Placement:
    """Reconciles clusters in planes."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one plane to what it is to hold of one cluster."""
        member = self._home.fleet.get(key.cluster)
        cluster = self._home.cluster(key.namespace, key.name)
        if member is None or not member.usable or cluster is None:
            # a plane that comes back, and a cluster that is made, ask for this again
            return Done()
        if cluster.deleting:
            return await self._clean_up(cluster, member)
        snapshot = self._home.snapshot(cluster)
        if pending := self._home.pending_planes(snapshot):
            return RequeueAfter(PENDING_SECONDS, f"waits for the first look at {', '.join(pending)}")
        objection = object_to(snapshot)
        if objection is not None:
            return Done(f"left as it is: {objection.message}")
        return await self._place(snapshot, member)

    async def _place(self, snapshot: Snapshot, member: Member) -> Outcome:
        cluster, plane = snapshot.cluster, snapshot.plane(member.name)
        rollout = plan_rollout(snapshot)
        body = render_k8ssandra_cluster(snapshot, rollout, member.name)
        if plane.absence() or body is None:
            return Done("; ".join(f"{name} waits: {why}" for name, why in rollout.waiting.items()))
        for entry in body["spec"]["cassandra"]["datacenters"]:
            if entry["metadata"]["name"] not in cluster.placed_datacenters:
                return Done("waits until the status of the cluster says that this plane holds a part of it")
        data: Mapping[str, str] | None = {}
        if not cluster.external_secrets:
            data = await self._home.superusers.data(cluster)
        if data is None:
            return RequeueAfter(
                CLEANUP_SECONDS, f"waits for the Secret {cluster.namespace}/{cluster.superuser_secret}"
            )
        await self._ensure_namespace(cluster, member)
        refusal = await self._ensure_superuser(cluster, member, dict(data)) if data else ""
        if refusal:
            return RequeueAfter(30, refusal)
        client, placed = member.cluster.client, plane.placed
        if placed is None:
            await act.create(client, K8SSANDRA_CLUSTERS, body)
            return Done("the K8ssandraCluster is made")
        if placed.deleting:
            return Done("the K8ssandraCluster is being deleted there, by somebody else")
        live = {"metadata": {"labels": placed.labels, "annotations": placed.annotations}, "spec": placed.spec}
        wanted = {**body, "metadata": {key: body["metadata"][key] for key in ("labels", "annotations")}}
        if differs({key: wanted[key] for key in ("metadata", "spec")}, live):
            await act.apply(client, K8SSANDRA_CLUSTERS, body, resource_version=placed.resource_version)
            return Done(
                f"the K8ssandraCluster is changed ({wanted['metadata']['annotations'][APPLIED_HASH]})"
            )
        return Done()

    async def _ensure_namespace(self, cluster: Cluster, member: Member) -> None:
        if member.watches.namespaces.get("", cluster.namespace) is not None:
            return
        try:
            await act.create(member.cluster.client, NAMESPACES, render_namespace(cluster))
        except AlreadyExists:
            return

    async def _ensure_superuser(self, cluster: Cluster, member: Member, data: dict[str, str]) -> str:
        """Bring the copy up to date; a sentence when its name is somebody else's there."""
        client, body = member.cluster.client, render_superuser_copy(cluster, data)
        copy = member.watches.secrets.get(cluster.namespace, cluster.superuser_secret)
        if copy is None:
            try:
                await act.create(client, SECRETS, body)
            except AlreadyExists:
                found = await client.get(SECRETS, cluster.superuser_secret, namespace=cluster.namespace)
                labels = found["metadata"].get("labels") or {}
                if not cluster.owner.owns(labels):
                    where = f"{cluster.namespace}/{cluster.superuser_secret} in the data plane {member.name}"
                    return f"the Secret {where} {describe_owner(labels)} and is left alone"
            return ""
        live = {"metadata": {"labels": copy.metadata.labels}, "data": copy.data}
        if differs({"metadata": {"labels": body["metadata"]["labels"]}, "data": body["data"]}, live):
            if not cluster.owner.owns(copy.metadata.labels):
                whose = describe_owner(copy.metadata.labels)
                return f"the Secret {cluster.superuser_secret} {whose} and is left alone"
            await act.apply(client, SECRETS, body, resource_version=copy.metadata.resource_version)
        return ""

    # Deletion -------------------------------------------------------------------------------------

    async def _clean_up(self, cluster: Cluster, member: Member) -> Outcome:
        last = not self._home.other_users(cluster, member.name)
        left = leftovers(cluster, member, last_in_namespace=last)
        client = member.cluster.client
        sentence = left.sentence()
        for task in left.tasks:
            if task.deletion_timestamp is None:
                await _delete(
                    client.delete(K8SSANDRA_TASKS, task.name, namespace=task.namespace, uid=task.uid)
                )
        if left.cluster is not None:
            if left.cluster.deletion_timestamp is None:
                meta = left.cluster
                await _delete(
                    client.delete(K8SSANDRA_CLUSTERS, meta.name, namespace=meta.namespace, uid=meta.uid)
                )
            return Done(sentence)
        if left.tasks or left.datacenters or left.pods:
            return Done(sentence)
        for secret in left.secrets:
            if secret.deletion_timestamp is None:
                await _delete(client.delete(SECRETS, secret.name, namespace=secret.namespace, uid=secret.uid))
        if left.secrets or left.namespace is None:
            return Done(sentence)
        return await self._remove_namespace(cluster, member, left)

    async def _remove_namespace(self, cluster: Cluster, member: Member, left: Leftovers) -> Outcome:
        """Delete the namespace if nothing is left in it; else hand it over by taking our labels off."""
        client, meta = member.cluster.client, left.namespace
        assert meta is not None
        owners = {_owner(each.metadata.labels) for each in member.watches.secrets.all()}
        others = sorted(each for each in owners if each.startswith(f"{cluster.namespace}/"))
        if others:
            return RequeueAfter(
                CLEANUP_SECONDS, f"{left.sentence()}, which {', '.join(others)} must leave before"
            )
        found = {}
        for resource in _CONTENTS:
            found[resource.plural] = await client.list(resource, namespace=cluster.namespace)
        stays, goes = foreign_contents(found)
        stored = self._home.clusters.get(cluster.namespace, cluster.name)
        since = stored.metadata.deletion_timestamp if stored else None
        patient = since is None or datetime.now(UTC) - since < NAMESPACE_PATIENCE
        if goes and patient and not stays:
            return RequeueAfter(CLEANUP_SECONDS, f"{left.sentence()}: {', '.join(goes)} are still going")
        if stays or goes:
            labels = {Label.CONTROL_PLANE: None, Label.APP_MANAGED_BY: None}
            patch = {"metadata": {"resourceVersion": meta.resource_version, "labels": labels}}
            await client.merge_patch(NAMESPACES, meta.name, patch)
            return Done(f"the namespace {meta.name} stays, for others use it: {', '.join((*stays, *goes))}")
        await _delete(client.delete(NAMESPACES, meta.name, uid=meta.uid))
        return Done(f"the namespace {meta.name} is deleted")


def _owner(labels: dict[str, str]) -> str:
    return cluster_key(labels.get(Label.MC_CLUSTER_NAMESPACE, ""), labels.get(Label.MC_CLUSTER_NAME, ""))


async def _delete(call: Awaitable[object]) -> None:
    """Gone is gone: somebody else may have deleted it, and what took its name is not meant."""
    try:
        await call
    except (NotFound, Conflict):
        return
