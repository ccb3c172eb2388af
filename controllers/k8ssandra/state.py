"""What a decision about a K8ssandraCluster is made on: one snapshot of it and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.materials import Materials
from controllers.k8ssandra.views import is_seed, is_serving
from missioncontrol.api.names import Label, clean_label_value
from missioncontrol.kube.views import ConfigMap, MetaView, Object, Pod


@dataclass(frozen=True)
class Snapshot:
    """A cluster and what there is of it in this plane."""

    cluster: Cluster
    status: Mapping[str, Any]
    datacenters: Mapping[str, Object] = field(default_factory=dict)
    """CassandraDatacenters of the namespace whose names the spec uses or that carry the cluster's labels."""
    pods: Sequence[Pod] = ()
    """The pods of the cluster's datacenters."""
    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    slices: Mapping[str, MetaView] = field(default_factory=dict)
    """The EndpointSlices that were made for the cluster, with the fingerprints of their contents."""
    services: Mapping[str, MetaView] = field(default_factory=dict)
    """The Services that were made for the cluster, likewise."""
    rebuilds: Mapping[str, Object] = field(default_factory=dict)
    """The tasks that fill datacenters, by the datacenter."""
    has_secret: bool = False
    materials: Materials = field(default_factory=Materials)

    def owns(self, datacenter: Object) -> bool:
        """Whether a CassandraDatacenter belongs to this cluster."""
        labels = datacenter.metadata.labels
        return all(labels.get(key) == value for key, value in self.cluster.owned_labels.items())

    @property
    def owned(self) -> list[Object]:
        return [each for each in self.datacenters.values() if self.owns(each)]

    def pods_of(self, datacenter: str) -> list[Pod]:
        value = clean_label_value(datacenter)
        return [pod for pod in self.pods if pod.metadata.labels.get(Label.DATACENTER) == value]

    def serving(self, datacenter: str) -> int:
        """How many of a datacenter's nodes take requests."""
        return sum(map(is_serving, self.pods_of(datacenter)))

    @property
    def seed_pods(self) -> list[tuple[str, str]]:
        """(datacenter, pod IP) of every seed."""
        return [
            (each.name, pod.status.pod_ip)
            for each in self.cluster.datacenters
            for pod in self.pods_of(each.name)
            if is_seed(pod)
        ]
