"""The end of a K8ssandraCluster: everything that was made for it goes, and only then its own finalizer.

Upstream leaves EndpointSlices behind; here nothing stays. Databases are taken down by cass-operator, which
holds each CassandraDatacenter with a finalizer of its own until its volumes are gone.
"""

from __future__ import annotations

from typing import Final

from controllers.k8ssandra.sources import Sources
from controllers.k8ssandra.state import Snapshot
from missioncontrol.api.names import Component, Finalizer
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    SECRETS,
    SERVICES,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.views import Meta, Object

MANAGER: Final = Component.K8SSANDRA_OPERATOR.value


class ClusterDeletion:
    """Takes a cluster down step by step."""

    def __init__(self, client: Client, sources: Sources) -> None:
        self._client = client
        self._sources = sources

    async def step(self, snapshot: Snapshot) -> str:
        """Do what can be done now; the sentence says what is waited for, and is empty once all is done."""
        cluster = snapshot.cluster
        tasks = self._sources.tasks_of_cluster(cluster.namespace, cluster.name)
        for task in tasks:
            await self._delete(K8SSANDRA_TASKS, task.metadata)
        for datacenter in snapshot.owned:
            if datacenter.metadata.deletion_timestamp is None:
                await self._delete(CASSANDRA_DATACENTERS, datacenter.metadata)
            else:
                await release(self._client, CASSANDRA_DATACENTERS, datacenter, Finalizer.K8SSANDRA_CLUSTER)
        if snapshot.owned:
            names = ", ".join(sorted(each.metadata.name for each in snapshot.owned))
            return f"waiting until the datacenters are gone: {names}"
        for config_map in snapshot.config_maps.values():
            await self._delete(CONFIG_MAPS, config_map.metadata)
        for endpoint_slice in snapshot.slices.values():
            await self._delete(ENDPOINT_SLICES, endpoint_slice.metadata)
        for service in snapshot.services.values():
            await self._delete(SERVICES, service.metadata)
        await self._delete_secret(snapshot)
        if tasks:
            return f"waiting until the tasks are gone: {', '.join(each.metadata.name for each in tasks)}"
        view = Object(metadata=cluster.metadata)
        await release(self._client, K8SSANDRA_CLUSTERS, view, Finalizer.K8SSANDRA_CLUSTER)
        return ""

    async def _delete_secret(self, snapshot: Snapshot) -> None:
        """Only the Secret that this operator made for this very cluster."""
        cluster = snapshot.cluster
        secret = self._sources.secrets.get(cluster.namespace, cluster.superuser_secret)
        if secret is not None and any(
            each.uid == cluster.metadata.uid for each in secret.metadata.owner_references
        ):
            await self._delete(SECRETS, secret.metadata)

    async def _delete(self, resource: Resource, metadata: Meta) -> None:
        if metadata.deletion_timestamp is not None:
            return
        try:
            await self._client.delete(resource, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        except NotFound:
            return


async def release(client: Client, resource: Resource, view: Object, finalizer: str) -> None:
    """Take our finalizer off an object that may already be gone."""
    metadata = view.metadata
    if finalizer not in metadata.finalizers:
        return
    remaining = [each for each in metadata.finalizers if each != finalizer]
    # a list in a merge patch replaces the whole list: the uid and version make sure that it is the one we saw
    patch = {
        "metadata": {
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
            "finalizers": remaining,
        }
    }
    try:
        await client.merge_patch(
            resource, metadata.name, patch, namespace=metadata.namespace, field_manager=MANAGER
        )
    except NotFound:
        return
