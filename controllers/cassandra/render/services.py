"""The Services of a datacenter.

Two are for the nodes themselves (seeds, additional seeds), one for clients, one for whoever wants all pods,
and one opens node ports where the spec asks for them.
"""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.hashing import with_hash
from controllers.cassandra.render.metadata import rendered
from controllers.cassandra.render.ports import (
    METRICS,
    NATIVE,
    NATIVE_TLS,
    PROMETHEUS,
    THRIFT,
    workload_service_ports,
)
from missioncontrol.api.cassandra import ServiceConfigAdditions
from missioncontrol.api.names import Label, LabelValue
from missioncontrol.api.resources import SERVICES


def services(datacenter: Datacenter) -> list[dict[str, Any]]:
    """All Services, in the order in which they are made."""
    made = [
        datacenter_service(datacenter),
        seed_service(datacenter),
        all_pods_service(datacenter),
        additional_seed_service(datacenter),
    ]
    if datacenter.native_port or datacenter.internode_port:
        made.append(node_port_service(datacenter))
    return made


def datacenter_service(datacenter: Datacenter) -> dict[str, Any]:
    """Ready nodes, for clients."""
    native = datacenter.native_port or NATIVE
    ports = [_port("native", native), _port("tls-native", NATIVE_TLS), *_management_ports(datacenter)]
    if datacenter.has_thrift:
        ports.append(_port("thrift", THRIFT))
    ports += [_port(name, number) for name, number in workload_service_ports(datacenter)]
    return _service(
        datacenter, datacenter.service, "dc_service", selector=datacenter.datacenter_labels, ports=ports
    )


def seed_service(datacenter: Datacenter) -> dict[str, Any]:
    """The seeds of the cluster in this namespace, ready or not; its datacenters share it."""
    return _service(
        datacenter,
        datacenter.seed_service,
        "seed_service",
        identity=datacenter.cluster_labels,
        selector={**datacenter.cluster_labels, Label.SEED_NODE: LabelValue.TRUE},
        publish_not_ready=True,
    )


def all_pods_service(datacenter: Datacenter) -> dict[str, Any]:
    """Every pod; gives the pods their DNS names, and is what metrics are scraped through."""
    native = datacenter.native_port or NATIVE
    return _service(
        datacenter,
        datacenter.all_pods_service,
        "allpods_service",
        identity={**datacenter.datacenter_labels, Label.PROM_METRICS: LabelValue.TRUE},
        selector=datacenter.datacenter_labels,
        ports=[_port("native", native), *_management_ports(datacenter)],
        publish_not_ready=True,
    )


def additional_seed_service(datacenter: Datacenter) -> dict[str, Any]:
    """Seeds outside the datacenter; its EndpointSlices are written by the operator."""
    return _service(
        datacenter, datacenter.additional_seed_service, "additional_seed_service", publish_not_ready=True
    )


def node_port_service(datacenter: Datacenter) -> dict[str, Any]:
    """Node ports: only those that the spec gives, since no other number is allowed as one."""
    given = (("internode", datacenter.internode_port), ("native", datacenter.native_port))
    ports = [{**_port(name, number), "nodePort": number} for name, number in given if number]
    service = _service(
        datacenter,
        datacenter.node_port_service,
        "node_port_service",
        selector=datacenter.datacenter_labels,
        ports=ports,
        hashed=False,
    )
    del service["spec"]["clusterIP"]
    service["spec"] |= {"type": "NodePort", "externalTrafficPolicy": "Local"}
    return with_hash(service)


def _management_ports(datacenter: Datacenter) -> list[dict[str, Any]]:
    return [
        _port("mgmt-api", datacenter.management_port),
        _port("prometheus", PROMETHEUS),
        _port("metrics", METRICS),
    ]


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": number, "protocol": "TCP"}


def _service(
    datacenter: Datacenter,
    name: str,
    additions: str,
    *,
    identity: dict[str, str] | None = None,
    selector: dict[str, str] | None = None,
    ports: list[dict[str, Any]] | None = None,
    publish_not_ready: bool = False,
    hashed: bool = True,
) -> dict[str, Any]:
    service = rendered(SERVICES, name, datacenter, identity or datacenter.datacenter_labels)
    extra: ServiceConfigAdditions | None = getattr(datacenter.spec.additional_service_config, additions, None)
    if extra is not None:
        service["metadata"]["labels"] |= extra.additional_labels or {}
        if extra.additional_annotations:
            notes = service["metadata"].get("annotations", {})
            service["metadata"]["annotations"] = {**notes, **extra.additional_annotations}
    spec: dict[str, Any] = {"type": "ClusterIP", "clusterIP": "None"}
    if selector:
        spec["selector"] = selector
    if ports:
        spec["ports"] = ports
    if publish_not_ready:
        spec["publishNotReadyAddresses"] = True
    service["spec"] = spec
    return with_hash(service) if hashed else service
