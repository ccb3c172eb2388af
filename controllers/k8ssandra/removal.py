"""A datacenter that the spec does not name any more: its nodes leave the ring, and then it goes.

First nothing may be replicated to it any more. Keyspaces of users are theirs to alter; those of the system
follow once it is gone, or before, where Cassandra would not let a replicated datacenter go.
"""

from __future__ import annotations

from typing import Final

from controllers.k8ssandra.cluster import replication_of
from controllers.k8ssandra.deletion import release
from controllers.k8ssandra.jvm import is_old_cassandra
from controllers.k8ssandra.keyspaces import Keyspaces
from controllers.k8ssandra.state import Snapshot
from controllers.k8ssandra.views import is_initialized
from missioncontrol.api.names import Annotation, Component, Finalizer
from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.views import Object, Pod
from missioncontrol.validation.values import text

MANAGER: Final = Component.K8SSANDRA_OPERATOR.value


def leaving(snapshot: Snapshot) -> Object | None:
    """The datacenter that has to go next: one after the other, those first that are going already."""
    wanted = {each.name for each in snapshot.cluster.datacenters}
    gone = [each for each in snapshot.owned if each.metadata.name not in wanted]
    return min(
        gone, key=lambda each: (each.metadata.deletion_timestamp is None, each.metadata.name), default=None
    )


class DatacenterRemoval:
    """Lets datacenters go."""

    def __init__(self, client: Client, keyspaces: Keyspaces) -> None:
        self._client = client
        self._keyspaces = keyspaces

    async def objection(self, snapshot: Snapshot, live: Object) -> str:
        """What a user has to do before it may go; empty when nothing is in the way, or it goes already."""
        if live.metadata.deletion_timestamp is not None or not is_initialized(live):
            return ""
        ring_name = text(live.spec.get("datacenterName")) or live.metadata.name
        return await self._keyspaces.held_by(
            snapshot.cluster, ring_name, _remaining_pods(snapshot), snapshot.materials
        )

    async def step(self, snapshot: Snapshot, live: Object) -> str:
        """Do what can be done now; the sentence says what is waited for."""
        name = live.metadata.name
        if live.metadata.deletion_timestamp is not None:
            await release(self._client, CASSANDRA_DATACENTERS, live, Finalizer.K8SSANDRA_CLUSTER)
            return f"datacenter {name} is removed: waiting until its nodes have left the ring"
        if _goes_only_when_unreplicated(snapshot) and is_initialized(live):
            cluster, present = snapshot.cluster, snapshot.datacenters
            rest = [
                each
                for each in cluster.datacenters
                if each.name in present and is_initialized(present[each.name])
            ]
            factors = replication_of(cluster, rest)
            pods = _remaining_pods(snapshot)
            waiting = await self._keyspaces.ensure(cluster, factors, pods, snapshot.materials)
            if waiting:
                return f"datacenter {name} is removed: {waiting}"
        await self._delete(live)
        return f"datacenter {name} is removed: its nodes are told to leave the ring"

    async def _delete(self, live: Object) -> None:
        metadata = live.metadata
        annotations = {Annotation.DECOMMISSION_ON_DELETE: "true"}
        patch = {"metadata": {"uid": metadata.uid, "annotations": annotations}}
        resource, name, namespace = CASSANDRA_DATACENTERS, metadata.name, metadata.namespace
        try:
            await self._client.merge_patch(resource, name, patch, namespace=namespace, field_manager=MANAGER)
            await self._client.delete(resource, name, namespace=namespace, uid=metadata.uid)
        except NotFound:
            return


def _remaining_pods(snapshot: Snapshot) -> list[Pod]:
    return [pod for each in snapshot.cluster.datacenters for pod in snapshot.pods_of(each.name)]


def _goes_only_when_unreplicated(snapshot: Snapshot) -> bool:
    """Cassandra 4 and later let nodes leave that system keyspaces are still replicated to."""
    cluster = snapshot.cluster
    versions = [text(each.options.get("serverVersion")) for each in cluster.datacenters]
    return cluster.server_type != "cassandra" or any(is_old_cassandra("cassandra", each) for each in versions)
