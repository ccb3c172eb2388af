"""A K8ssandraCluster as this operator reads it: datacenters with everything merged, in bootstrap order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from controllers.k8ssandra.merge import coalesce, merge_maps
from missioncontrol.api.names import (
    Annotation,
    Label,
    clean_label_value,
    cleanup_for_kubernetes,
    superuser_secret_name,
)
from missioncontrol.api.resources import K8SSANDRA_CLUSTERS
from missioncontrol.kube.views import Meta
from missioncontrol.validation.values import at, integer, mapping, sequence, text

Address = IPv4Address | IPv6Address

OWNERSHIP_LABELS: Final = (Label.CONTROL_PLANE, Label.MC_CLUSTER_NAMESPACE, Label.MC_CLUSTER_NAME)
MAX_SYSTEM_REPLICATION: Final = 3


@dataclass(frozen=True)
class DatacenterSpec:
    """One datacenter with the cluster's options merged in."""

    name: str
    size: int
    index: int
    body: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def ring_name(self) -> str:
        """The name inside Cassandra: what keyspaces are replicated to."""
        return text(self.body.get("datacenterName")) or self.name

    @property
    def rack_names(self) -> list[str]:
        return [text(at(rack, "name")) for rack in sequence(self.options.get("racks"))] or ["default"]


@dataclass(frozen=True)
class Cluster:
    """A K8ssandraCluster."""

    metadata: Meta
    spec: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @cached_property
    def cassandra(self) -> Mapping[str, Any]:
        return mapping(self.spec.get("cassandra"))

    @property
    def cluster_name(self) -> str:
        """The name inside Cassandra."""
        return text(self.cassandra.get("clusterName")) or self.name

    @property
    def clean_name(self) -> str:
        """The name inside names of Kubernetes objects."""
        return cleanup_for_kubernetes(self.cluster_name)

    @property
    def label_value(self) -> str:
        """The name as the value of cass-operator's cluster label."""
        return clean_label_value(self.cluster_name)

    @property
    def server_type(self) -> str:
        return text(self.cassandra.get("serverType")) or "cassandra"

    @property
    def auth(self) -> bool:
        return self.spec.get("auth") is not False

    @cached_property
    def datacenters(self) -> tuple[DatacenterSpec, ...]:
        return tuple(
            DatacenterSpec(
                name=text(at(body, "metadata", "name")),
                size=integer(mapping(body).get("size")) or 0,
                index=index,
                body=mapping(body),
                options=coalesce(self.cassandra, mapping(body)),
            )
            for index, body in enumerate(sequence(self.cassandra.get("datacenters")))
        )

    @property
    def external_datacenters(self) -> tuple[str, ...]:
        """Datacenters of the same ring that nobody here looks after, by their names inside Cassandra."""
        return tuple(text(each) for each in sequence(self.spec.get("externalDatacenters")))

    @property
    def external_secrets(self) -> bool:
        """Somebody else makes the Secrets and brings them into the pods."""
        return self.spec.get("secretsProvider") == "external"

    @property
    def is_managed(self) -> bool:
        """Written by a control plane, which then is the one to make Secrets and to decide on replication."""
        return Label.CONTROL_PLANE in self.metadata.labels

    @property
    def named_secret(self) -> str:
        """The superuser's Secret that the spec names, or ""."""
        return text(at(self.cassandra, "superuserSecretRef", "name"))

    @property
    def superuser_secret(self) -> str:
        return self.named_secret or superuser_secret_name(self.cluster_name)

    @cached_property
    def seeds(self) -> tuple[tuple[Address, ...], tuple[str, ...]]:
        """Seeds outside this plane: addresses, which become endpoints, and host names, which cannot."""
        addresses: set[Address] = set()
        names: set[str] = set()
        for seed in sequence(self.cassandra.get("additionalSeeds")):
            try:
                addresses.add(ip_address(text(seed)))
            except ValueError:
                names.add(text(seed))
        return tuple(sorted(addresses, key=lambda each: (each.version, int(each)))), tuple(sorted(names))

    @property
    def owner_reference(self) -> dict[str, Any]:
        """For what goes away with the cluster."""
        return {
            "apiVersion": K8SSANDRA_CLUSTERS.api_version,
            "kind": K8SSANDRA_CLUSTERS.kind,
            "name": self.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    @property
    def ownership_labels(self) -> dict[str, str]:
        """The labels that say which control plane's cluster this is; they travel to what is made for it."""
        return {key: self.metadata.labels[key] for key in OWNERSHIP_LABELS if key in self.metadata.labels}

    @property
    def owned_labels(self) -> dict[str, str]:
        """The labels by which everything made for this cluster is found again."""
        return {Label.K8SSANDRA_CLUSTER_NAME: self.name, Label.K8SSANDRA_CLUSTER_NAMESPACE: self.namespace}

    @property
    def no_users(self) -> bool:
        """Another plane, or a datacenter outside of it, creates the users of this cluster."""
        told = self.metadata.annotations.get(Annotation.SKIP_USER_CREATION) == "true"
        return told or bool(self.external_datacenters)

    def tags(self, datacenter: DatacenterSpec, *path: str) -> dict[str, str]:
        """Labels or annotations under `metadata`, those of the datacenter over those of the cluster."""
        return merge_maps(
            mapping(at(self.cassandra, "metadata", *path)), mapping(at(datacenter.body, "metadata", *path))
        )


@dataclass(frozen=True, slots=True)
class Replication:
    """How many copies of the system keyspaces each datacenter of the whole cluster holds."""

    factors: Mapping[str, int]
    error: str = ""


def system_replication(cluster: Cluster) -> Replication | None:
    """The wanted replication of the system keyspaces; None when another plane looks after them.

    A control plane writes it as annotation on exactly one of its K8ssandraClusters; a cluster without a
    control plane decides for itself.
    """
    given = cluster.metadata.annotations.get(Annotation.INITIAL_SYSTEM_REPLICATION)
    if given is None:
        if cluster.is_managed:
            return None
        return Replication(initial_replication(cluster))
    try:
        factors = json.loads(given)
    except ValueError:
        factors = None
    if isinstance(factors, dict) and set(factors) == {"datacenters", "replicationFactor"}:
        # as older releases of upstream's operator wrote it
        factors = dict.fromkeys(map(text, sequence(factors["datacenters"])), factors["replicationFactor"])
    if not isinstance(factors, dict) or not all(
        integer(value) is not None and value >= 0 for value in factors.values()
    ):
        return Replication(
            {},
            f"annotation {Annotation.INITIAL_SYSTEM_REPLICATION} must map datacenters to numbers of copies, "
            f'such as {{"dc1":3}}, but is {given!r}',
        )
    return Replication(factors)


def initial_replication(cluster: Cluster) -> dict[str, int]:
    """What a cluster of its own starts with: its first datacenter, and those that were there before it."""
    return replication_of(cluster, cluster.datacenters[:1])


def replication_of(cluster: Cluster, datacenters: Iterable[DatacenterSpec]) -> dict[str, int]:
    """The copies of the system keyspaces in these datacenters and in those outside of the cluster."""
    return {each.ring_name: min(MAX_SYSTEM_REPLICATION, each.size) for each in datacenters} | dict.fromkeys(
        cluster.external_datacenters, MAX_SYSTEM_REPLICATION
    )
