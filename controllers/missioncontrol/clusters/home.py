"""What controllers of clusters share: the caches of the control plane, and snapshots made from them."""

from __future__ import annotations

from dataclasses import dataclass

from controllers.missioncontrol.clusters.facts import Cluster, Snapshot
from controllers.missioncontrol.clusters.gather import cluster_of, snapshot_of
from controllers.missioncontrol.clusters.superuser import Superusers
from controllers.missioncontrol.dataplanes.fleet import Fleet
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, cluster_key
from controllers.runtime.outcome import HOME, Key
from missioncontrol.api.names import Annotation, OperationPhase, clean_label_value
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Object, Secret
from missioncontrol.planning.plans import describe
from missioncontrol.validation.cluster import spec_view

BY_DATABASE = "database"
BY_PLANE = "plane"
_BY_SPEC = frozenset({"DatacenterStop", "DatacenterStart"})
"""Operations that only change the cluster's spec: what follows for nodes is handed out like any change."""


@dataclass(frozen=True)
class Home:
    """The control plane as this operator sees it."""

    control_plane: str
    system_namespace: str
    fleet: Fleet
    clusters: Informer[Object]
    datacenters: Informer[Object]
    data_planes: Informer[Object]
    operations: Informer[Object]
    system_secrets: Informer[Secret]
    superusers: Superusers

    def declare_indexes(self) -> None:
        """Make everything findable by what it belongs to."""
        self.clusters.add_index(BY_DATABASE, _database_key)
        self.clusters.add_index(BY_PLANE, planes_of)
        self.datacenters.add_index(BY_CLUSTER, _named_cluster)
        self.operations.add_index(BY_CLUSTER, _named_cluster)

    def cluster(self, namespace: str, name: str) -> Cluster | None:
        """A cluster as stored now."""
        stored = self.clusters.get(namespace, name)
        return None if stored is None else cluster_of(stored, control_plane=self.control_plane)

    def snapshot(self, cluster: Cluster) -> Snapshot:
        """A cluster and everything known of it."""
        return snapshot_of(
            cluster,
            members={member.name: member for member in self.fleet},
            registered=[each.metadata.name for each in self.data_planes.all()],
            stored_datacenters=self.datacenters.by(BY_CLUSTER, cluster_key(cluster.namespace, cluster.name)),
            disruption=self._disruption(cluster),
        )

    def pending_planes(self, snapshot: Snapshot) -> list[str]:
        """Registered planes of a cluster of which it is too early to say anything."""
        return [
            name for name, facts in snapshot.planes.items() if facts.registered and self.fleet.pending(name)
        ]

    def other_users(self, cluster: Cluster, plane: str) -> bool:
        """Whether another cluster of the namespace keeps the namespace of a plane in use.

        Of several that are being deleted at once the one with the last name sees to the namespace.
        """
        for each in self.clusters.by(BY_PLANE, plane):
            meta = each.metadata
            if meta.namespace != cluster.namespace or meta.name == cluster.name:
                continue
            if meta.deletion_timestamp is None or meta.name > cluster.name:
                return True
        return False

    def keys_of(self, cluster: Cluster) -> list[Key]:
        """The cluster in the control plane and in every plane that may hold a part of it."""
        planes = dict.fromkeys((*cluster.planes, *cluster.recorded_planes))
        return [Key(each, cluster.namespace, cluster.name) for each in (HOME, *planes)]

    def _disruption(self, cluster: Cluster) -> str:
        """The operation that disturbs nodes now, where its plane answers; empty if there is none."""
        for each in self.operations.by(BY_CLUSTER, cluster_key(cluster.namespace, cluster.name)):
            if each.status.get("phase") != OperationPhase.RUNNING or each.spec.get("type") in _BY_SPEC:
                continue
            for entry in each.status.get("datacenters") or ():
                member = self.fleet.get(str(entry.get("dataPlane") or ""))
                if entry.get("phase") == OperationPhase.RUNNING and member is not None and member.usable:
                    told = {"metadata": {"name": each.metadata.name}, "spec": each.spec}
                    return f"{describe(told)} is running"
        return ""


def abandoned(cluster: Cluster) -> set[str]:
    """The planes that an annotation declares to be gone for good."""
    value = cluster.annotations.get(Annotation.ABANDON_DATA_PLANES, "")
    return {name.strip() for name in value.split(",") if name.strip()}


def planes_of(stored: Object) -> list[str]:
    """The planes that a stored cluster uses, or is recorded in."""
    view = spec_view({"metadata": {"name": stored.metadata.name}, "spec": stored.spec})
    named = [each.context for each in view.datacenters if each.context]
    recorded = [
        str(each.get("dataPlane")) for each in stored.status.get("datacenters") or () if each.get("dataPlane")
    ]
    return list(dict.fromkeys((*named, *recorded)))


def _database_key(stored: Object) -> list[str]:
    view = spec_view({"metadata": {"name": stored.metadata.name}, "spec": stored.spec})
    return [cluster_key(stored.metadata.namespace, clean_label_value(view.cluster_name))]


def _named_cluster(stored: Object) -> list[str]:
    return [cluster_key(stored.metadata.namespace, str(stored.spec.get("clusterName") or ""))]
