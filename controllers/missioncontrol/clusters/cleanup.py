"""Taking a cluster out of a plane: what is left there, and what to do next.

Order matters: tasks first, so that nothing restarts a node that is going; then the K8ssandraCluster, whose
operators take down what they made; the Secret only when no node needs it any more; the namespace last, if
this operator made it and nothing of anybody else is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.missioncontrol.clusters.facts import Cluster
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, Member, cluster_key
from controllers.missioncontrol.identity import namespace_labels
from missioncontrol.api.names import clean_label_value
from missioncontrol.kube.views import Meta


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a plane still holds of a cluster."""

    plane: str
    cluster: Meta | None = None
    tasks: Sequence[Meta] = ()
    secrets: Sequence[Meta] = ()
    datacenters: Sequence[str] = ()
    pods: int = 0
    namespace: Meta | None = None
    """The namespace, if it is for this cluster to remove."""

    def sentence(self) -> str:
        """What is waited for, the first thing of the order; empty when nothing is left."""
        where = f"in the data plane {self.plane}"
        if self.tasks:
            return f"waits for the tasks {_names(self.tasks)} {where}"
        if self.cluster is not None or self.datacenters or self.pods:
            parts = [f"the datacenter {name}" for name in self.datacenters]
            parts += [f"{self.pods} pods" if self.pods != 1 else "1 pod"] if self.pods else []
            return f"waits for {' and '.join(parts) or 'the K8ssandraCluster'} {where}"
        if self.secrets:
            return f"waits for the Secrets {_names(self.secrets)} {where}"
        return f"waits for the namespace {self.namespace.name} {where}" if self.namespace else ""


def leftovers(cluster: Cluster, member: Member, *, last_in_namespace: bool) -> Leftovers:
    """What the caches of a plane know of a cluster. ``last_in_namespace``: no other cluster uses it there."""
    watches, key = member.watches, cluster_key(cluster.namespace, cluster.name)
    placed = watches.clusters.get(cluster.namespace, cluster.name)
    mine = placed is not None and cluster.owner.owns(placed.metadata.labels)
    datacenters = [
        each.metadata.name
        for each in watches.datacenters.by(BY_CLUSTER, key)
        if mine
        or each.metadata.deletion_timestamp is not None
        or each.metadata.name in cluster.placed_datacenters
    ]
    foreign = placed is not None and not mine
    pods = watches.pods.by(
        BY_CLUSTER, cluster_key(cluster.namespace, clean_label_value(cluster.database_name))
    )
    return Leftovers(
        plane=member.name,
        cluster=placed.metadata if placed is not None and mine else None,
        tasks=[
            each.metadata
            for each in watches.tasks.by(BY_CLUSTER, key)
            if cluster.owner.owns(each.metadata.labels)
        ],
        secrets=[
            each.metadata
            for each in watches.secrets.by(BY_CLUSTER, key)
            if cluster.owner.owns(each.metadata.labels)
        ],
        datacenters=() if foreign else datacenters,
        pods=0 if foreign else len(pods),
        namespace=_namespace(cluster, member) if last_in_namespace else None,
    )


def _namespace(cluster: Cluster, member: Member) -> Meta | None:
    """The namespace, if this control plane made it and it is not going already."""
    namespace = member.watches.namespaces.get("", cluster.namespace)
    if namespace is None or namespace.metadata.deletion_timestamp is not None:
        return None
    ours = namespace_labels(cluster.owner.control_plane)
    labels = namespace.metadata.labels
    return namespace.metadata if all(labels.get(key) == value for key, value in ours.items()) else None


def foreign_contents(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[list[str], list[str]]:
    """What a namespace holds, as (stays, goes): objects of others, and objects that are about to be gone.

    ``found`` maps plurals to objects. What Kubernetes itself puts into every namespace does not count.
    """
    stays: list[str] = []
    goes: list[str] = []
    for plural, objects in found.items():
        for each in objects:
            metadata = each.get("metadata") or {}
            name = str(metadata.get("name"))
            if plural == "configmaps" and name == "kube-root-ca.crt":
                continue
            if plural == "serviceaccounts" and name == "default":
                continue
            going = metadata.get("deletionTimestamp") or metadata.get("ownerReferences")
            (goes if going else stays).append(f"{plural}/{name}")
    return stays, goes


def _names(objects: Sequence[Meta]) -> str:
    return ", ".join(each.name for each in objects)
