"""The ports of a node, those of its container and those that Services lead to."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import MANAGEMENT_PORT_NAME, Datacenter

NATIVE = 9042
NATIVE_TLS = 9142
INTERNODE = 7000
INTERNODE_TLS = 7001
JMX = 7199
PROMETHEUS = 9103
METRICS = 9000
THRIFT = 9160
INTERNODE_MESSAGING = 8609

_GREMLIN = ("gremlin", 8182)
_SOLR = ("solr", 8983)


def container_ports(datacenter: Datacenter) -> list[dict[str, Any]]:
    """The ports that the cassandra container declares."""
    ports = [
        ("native", NATIVE),
        ("tls-native", NATIVE_TLS),
        ("internode", INTERNODE),
        ("tls-internode", INTERNODE_TLS),
        ("jmx", JMX),
        (MANAGEMENT_PORT_NAME, datacenter.management_port),
        ("prometheus", PROMETHEUS),
        ("metrics", METRICS),
    ]
    if datacenter.has_thrift:
        ports.append(("thrift", THRIFT))
    if datacenter.is_dse:
        ports.append(("internode-msg", INTERNODE_MESSAGING))
    ports += _workload_container_ports(datacenter)
    return [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in ports]


def _workload_container_ports(datacenter: Datacenter) -> list[tuple[str, int]]:
    workloads = datacenter.spec.dse_workloads
    ports: list[tuple[str, int]] = []
    if workloads is None:
        return ports
    if workloads.analytics_enabled:
        ports += [(f"spark-app-{number}", number) for number in range(4040, 4051)]
        ports += [("dsefs-public", 5598), ("dsefs-internode", 5599), ("spark-internode", 7077)]
        ports += [("spark-master", 7080), ("spark-worker", 7081), ("jobserver", 8090)]
        ports += [("always-on-sql", 9077), ("jobserver-jmx", 9999), ("sql-thrift", 10000)]
        ports.append(("spark-history", 18080))
    if workloads.graph_enabled:
        ports.append(_GREMLIN)
    if workloads.search_enabled:
        ports.append(_SOLR)
    return ports


def workload_service_ports(datacenter: Datacenter) -> list[tuple[str, int]]:
    """Ports of DSE's workloads that clients connect to."""
    workloads = datacenter.spec.dse_workloads
    ports: list[tuple[str, int]] = []
    if workloads is None:
        return ports
    if workloads.analytics_enabled:
        ports += [("dsefs-public", 5598), ("spark-worker", 7081), ("jobserver", 8090)]
        ports += [("always-on-sql", 9077), ("sql-thrift", 10000), ("spark-history", 18080)]
    if workloads.graph_enabled:
        ports.append(_GREMLIN)
    if workloads.search_enabled:
        ports.append(_SOLR)
    return ports
