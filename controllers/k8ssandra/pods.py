"""The pod template of a CassandraDatacenter: what the user gives, and two switches of the management API."""

from __future__ import annotations

from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from missioncontrol.validation.values import at, mapping, quantity, sequence

Json = dict[str, Any]

CASSANDRA_CONTAINER: Final = "cassandra"
LOGGER_CONTAINER: Final = "server-system-logger"
CONFIG_CONTAINER: Final = "server-config-init"
# What the older collector passes on by default: of the metrics of tables only those that dashboards need
_TABLE: Final = "org.apache.cassandra.metrics"
_FILTERS: Final = (
    f"deny:{_TABLE}.Table",
    f"deny:{_TABLE}.table",
    f"allow:{_TABLE}.table.live_ss_table_count",
    f"allow:{_TABLE}.Table.LiveSSTableCount",
    f"allow:{_TABLE}.table.live_disk_space_used",
    f"allow:{_TABLE}.table.LiveDiskSpaceUsed",
    f"allow:{_TABLE}.Table.Pending",
    f"allow:{_TABLE}.Table.Memtable",
    f"allow:{_TABLE}.Table.Compaction",
    f"allow:{_TABLE}.table.read",
    f"allow:{_TABLE}.table.write",
    f"allow:{_TABLE}.table.range",
    f"allow:{_TABLE}.table.coordinator",
    f"allow:{_TABLE}.table.dropped_mutations",
)


def pod_template(cluster: Cluster, datacenter: DatacenterSpec) -> Json:
    """The template; it always lists the cassandra container, after those that the user lists."""
    options = datacenter.options
    metadata = {key: cluster.tags(datacenter, "pods", key) for key in ("labels", "annotations")}
    optional = {
        "securityContext": options.get("podSecurityContext"),
        "priorityClassName": options.get("podPriorityClassName"),
        "initContainers": list(sequence(options.get("initContainers"))),
        "volumes": list(sequence(extra_volumes(datacenter, "volumes"))),
    }
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": {
            **{key: value for key, value in optional.items() if value},
            "containers": _containers(datacenter),
        },
    }


def extra_volumes(datacenter: DatacenterSpec, kind: str) -> Any:
    """Further volumes: of existing sources, or with claims of their own."""
    return at(datacenter.options, "extraVolumes", kind)


def resources_of(containers: Any, name: str) -> Json:
    """What a container of this name asks for; the operator of the datacenter takes it from its own field."""
    for container in sequence(containers):
        if mapping(container).get("name") == name:
            return dict(mapping(mapping(container).get("resources")))
    return {}


def _containers(datacenter: DatacenterSpec) -> list[Json]:
    found = [dict(mapping(each)) for each in sequence(datacenter.options.get("containers"))]
    if all(each.get("name") != CASSANDRA_CONTAINER for each in found):
        found.append({"name": CASSANDRA_CONTAINER})
    for container in found:
        if container.get("name") == CASSANDRA_CONTAINER:
            container["env"] = [*sequence(container.get("env")), *_switches(datacenter)]
    return found


def _switches(datacenter: DatacenterSpec) -> list[Json]:
    switches = []
    collector = mapping(at(datacenter.options, "telemetry", "mcac"))
    if collector.get("enabled") is True:
        filters = collector.get("metricFilters")
        switches.append(_variable("METRIC_FILTERS", " ".join(_FILTERS if filters is None else filters)))
    heap = quantity(datacenter.options.get("mgmtAPIHeap"))
    if heap is not None:
        size = int(heap.to_integral_value(rounding="ROUND_CEILING"))
        switches.append(_variable("MANAGEMENT_API_HEAP_SIZE", str(size)))
    if collector.get("enabled") is not True:
        switches.append(_variable("MGMT_API_DISABLE_MCAC", "true"))
    return switches


def _variable(name: str, value: str) -> Json:
    return {"name": name, "value": value}
