"""EndpointSlices that tell the nodes of a datacenter which seeds there are outside of it.

Members are sorted, so that the same seeds always make the same object: an order that changed from pass to
pass would wake cass-operator and ourselves for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from controllers.k8ssandra.cluster import Address, Cluster, DatacenterSpec
from controllers.k8ssandra.hashing import fingerprint
from missioncontrol.api.names import (
    Annotation,
    Label,
    LabelValue,
    additional_seed_service_name,
    clean_label_value,
)
from missioncontrol.validation.values import text

FAMILIES: Final = (4, 6)


def slice_name(cluster: Cluster, datacenter: DatacenterSpec, family: int) -> str:
    service = additional_seed_service_name(cluster.cluster_name, datacenter.name)
    return f"{cluster.name}-{service}-ipv{family}"


def foreign_addresses(
    cluster: Cluster, datacenter: DatacenterSpec, seed_pods: Iterable[tuple[str, str]]
) -> list[Address]:
    """Addresses of all seeds that are not of this datacenter. `seed_pods` are (datacenter, pod IP)."""
    addresses = set(cluster.seeds[0])
    addresses.update(ip_address(ip) for owner, ip in seed_pods if owner != datacenter.name and ip)
    return sorted(addresses, key=lambda each: (each.version, int(each)))


def endpoint_slices(
    cluster: Cluster, datacenter: DatacenterSpec, addresses: Iterable[Address]
) -> list[dict[str, Any]]:
    """One EndpointSlice for each address family that has a seed."""
    by_family: dict[int, list[str]] = {family: [] for family in FAMILIES}
    for address in addresses:
        by_family[address.version].append(str(address))
    return [
        _endpoint_slice(cluster, datacenter, family, members)
        for family, members in by_family.items()
        if members
    ]


def _endpoint_slice(
    cluster: Cluster, datacenter: DatacenterSpec, family: int, members: list[str]
) -> dict[str, Any]:
    # Readiness is not stated: the Service publishes these addresses whatever state their nodes are in.
    endpoints = [{"addresses": members, "conditions": {}}]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name(cluster, datacenter, family),
            "namespace": cluster.namespace,
            "labels": {
                **cluster.ownership_labels,
                **cluster.owned_labels,
                Label.CLEANED_UP_BY: LabelValue.K8SSANDRACLUSTER_CONTROLLER,
                Label.APP_NAME: LabelValue.CASSANDRA,
                Label.APP_INSTANCE: f"cassandra-{cluster.label_value}",
                Label.APP_VERSION: text(datacenter.options.get("serverVersion")),
                Label.APP_CREATED_BY: LabelValue.CASS_OPERATOR,
                Label.APP_MANAGED_BY: LabelValue.CASS_OPERATOR,
                Label.CLUSTER: cluster.label_value,
                Label.DATACENTER: clean_label_value(datacenter.name),
                Label.ENDPOINT_SLICE_MANAGED_BY: LabelValue.K8SSANDRA_OPERATOR,
                Label.SERVICE_NAME: additional_seed_service_name(cluster.cluster_name, datacenter.name),
            },
            "annotations": {Annotation.RESOURCE_HASH: fingerprint(endpoints)},
        },
        "addressType": f"IPv{family}",
        "endpoints": endpoints,
        "ports": [],
    }
