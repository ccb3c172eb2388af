"""The Service over all nodes of a datacenter that clients of the whole cluster know it by.

It has no selector: its endpoints are written here, as for nodes that Kubernetes could not find by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from controllers.k8ssandra import metrics_agent
from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.doors import management_port
from controllers.k8ssandra.hashing import fingerprint
from missioncontrol.api.names import (
    Annotation,
    Label,
    LabelValue,
    cleanup_for_kubernetes,
    datacenter_service_name,
)
from missioncontrol.kube.views import Pod
from missioncontrol.validation.values import at, integer, mapping

Json = dict[str, Any]

_NATIVE: Final = 9042


def service_name(cluster: Cluster, datacenter: DatacenterSpec) -> str:
    return datacenter_service_name(cluster.cluster_name, datacenter.name, "contact-points-service")


def service(cluster: Cluster, datacenter: DatacenterSpec) -> Json:
    """The Service; it goes away with the cluster."""
    common = mapping(at(cluster.cassandra, "metadata"))
    labels = {**_labels(cluster, datacenter), **mapping(common.get("commonLabels"))}
    annotations = mapping(common.get("commonAnnotations"))
    ports = [{**port, "targetPort": port["port"]} for port in _ports(datacenter)]
    spec = {"type": "ClusterIP", "clusterIP": "None", "ports": ports}
    digest = fingerprint([labels, annotations, spec])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(cluster, datacenter),
            "namespace": cluster.namespace,
            "labels": labels,
            "annotations": {**annotations, Annotation.K8SSANDRA_RESOURCE_HASH: digest},
            "ownerReferences": [cluster.owner_reference],
        },
        "spec": spec,
    }


def endpoint_slices(cluster: Cluster, datacenter: DatacenterSpec, pods: Iterable[Pod]) -> list[Json]:
    """One EndpointSlice for each address family, with all nodes: also those that only start."""
    found = {ip_address(pod.status.pod_ip) for pod in pods if pod.status.pod_ip}
    return [
        _endpoint_slice(cluster, datacenter, family, members)
        for family in (4, 6)
        if (members := [str(each) for each in sorted(found, key=int) if each.version == family])
    ]


def _endpoint_slice(cluster: Cluster, datacenter: DatacenterSpec, family: int, members: list[str]) -> Json:
    endpoints = [{"addresses": members, "conditions": {}}]
    name, ports = service_name(cluster, datacenter), _ports(datacenter)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-ipv{family}",
            "namespace": cluster.namespace,
            "labels": {
                **_labels(cluster, datacenter),
                Label.ENDPOINT_SLICE_MANAGED_BY: LabelValue.K8SSANDRA_OPERATOR,
                Label.SERVICE_NAME: name,
            },
            "annotations": {Annotation.K8SSANDRA_RESOURCE_HASH: fingerprint([endpoints, ports])},
        },
        "addressType": f"IPv{family}",
        "endpoints": endpoints,
        "ports": ports,
    }


def _labels(cluster: Cluster, datacenter: DatacenterSpec) -> dict[str, str]:
    return {
        **cluster.ownership_labels,
        Label.APP_NAME: LabelValue.K8SSANDRA_OPERATOR,
        Label.APP_PART_OF: LabelValue.K8SSANDRA,
        Label.APP_COMPONENT: LabelValue.CASSANDRA,
        Label.K8SSANDRA_DATACENTER: cleanup_for_kubernetes(datacenter.name),
        **cluster.owned_labels,
    }


def _ports(datacenter: DatacenterSpec) -> list[Json]:
    """Those of the Service of all pods."""
    opened = mapping(at(datacenter.options, "networking", "nodePort"))
    native = integer(opened.get("nativeSSL")) or integer(opened.get("native")) or _NATIVE
    ports = {
        "prometheus": metrics_agent.OLDER_PORT,
        "native": native,
        "metrics": metrics_agent.PORT,
        "mgmt-api": management_port(datacenter),
    }
    return [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports.items()]
