"""A data plane that has joined: its connection, what is watched there, what was last found when trying it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from controllers.missioncontrol.dataplanes.checks import Finding, Identity
from controllers.runtime.cluster import Cluster
from missioncontrol.api.names import Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    NAMESPACES,
    PODS,
    SECRETS,
)
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Namespace, Object, Pod, Secret

PODS_BY_DATACENTER = "datacenter"
BY_CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Watches:
    """What is kept of a plane."""

    clusters: Informer[Object]
    datacenters: Informer[Object]
    pods: Informer[Pod]
    secrets: Informer[Secret]
    namespaces: Informer[Namespace]
    tasks: Informer[Object]

    def hurry(self) -> None:
        """What was refused may work now: do not wait for the next attempt."""
        for informer in (self.clusters, self.datacenters, self.tasks):
            informer.hurry()
        for other in (self.pods, self.secrets, self.namespaces):
            other.hurry()


@dataclass(slots=True)
class Member:
    """One plane. ``fingerprint`` tells whether its credentials are still those that it joined with."""

    cluster: Cluster
    identity: Identity
    fingerprint: str
    watches: Watches
    finding: Finding | None = None
    """What the last check found; None until the first one."""
    recheck: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """The name of the DataPlane."""
        return self.cluster.name

    @property
    def pending(self) -> bool:
        """Whether it is too early to say anything: it has just joined."""
        if self.cluster.health.available is False:
            return False
        return self.finding is None or (self.finding.ok and not self.cluster.synced)

    @property
    def known(self) -> bool:
        """Whether its caches tell of the right cluster, be it as it was when it was last seen."""
        return self.cluster.synced and (self.finding is None or self.finding.ok)

    @property
    def usable(self) -> bool:
        """Whether it answers, accepts us, has what we need, and its caches are the truth."""
        return (
            bool(self.cluster.health.available)
            and self.finding is not None
            and self.finding.ok
            and self.cluster.synced
        )


def watch(cluster: Cluster, *, control_plane: str) -> Watches:
    """Declare what is watched in a plane."""
    mine = f"{Label.CONTROL_PLANE}={control_plane}"
    watches = Watches(
        clusters=cluster.informer(K8SSANDRA_CLUSTERS, Object),
        datacenters=cluster.informer(CASSANDRA_DATACENTERS, Object),
        pods=cluster.informer(PODS, Pod, label_selector=Label.CLUSTER),
        secrets=cluster.informer(SECRETS, Secret, label_selector=mine),
        namespaces=cluster.informer(NAMESPACES, Namespace),
        tasks=cluster.informer(K8SSANDRA_TASKS, Object, label_selector=mine),
    )
    watches.pods.add_index(PODS_BY_DATACENTER, _pod_keys)
    watches.pods.add_index(BY_CLUSTER, _pod_cluster)
    for informer in (watches.secrets, watches.tasks):
        informer.add_index(BY_CLUSTER, _owner_key)
    watches.datacenters.add_index(BY_CLUSTER, _k8ssandra_key)
    return watches


def pods_key(namespace: str, cluster_label: str, datacenter_label: str) -> str:
    """The key of the index of pods by datacenter."""
    return f"{namespace}/{cluster_label}/{datacenter_label}"


def cluster_key(namespace: str, name: str) -> str:
    """The key of the indexes by cluster."""
    return f"{namespace}/{name}"


def _pod_keys(pod: Pod) -> list[str]:
    labels = pod.metadata.labels
    datacenter = labels.get(Label.DATACENTER)
    return [pods_key(pod.metadata.namespace, labels.get(Label.CLUSTER, ""), datacenter)] if datacenter else []


def _pod_cluster(pod: Pod) -> list[str]:
    return [cluster_key(pod.metadata.namespace, pod.metadata.labels.get(Label.CLUSTER, ""))]


def _owner_key(obj: Secret | Object) -> list[str]:
    labels = obj.metadata.labels
    name = labels.get(Label.MC_CLUSTER_NAME)
    return [cluster_key(labels.get(Label.MC_CLUSTER_NAMESPACE, ""), name)] if name else []


def _k8ssandra_key(obj: Object) -> list[str]:
    labels = obj.metadata.labels
    name = labels.get(Label.K8SSANDRA_CLUSTER_NAME)
    namespace = labels.get(Label.K8SSANDRA_CLUSTER_NAMESPACE, obj.metadata.namespace)
    return [cluster_key(namespace, name)] if name else []
