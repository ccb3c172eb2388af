"""The configuration of the metrics agent inside each Cassandra container, as a ConfigMap.

Per-table metrics make most of a node's series; like upstream's default, only what dashboards need is kept.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.config_maps import config_map, with_common_tags
from missioncontrol.api.names import cleanup_for_kubernetes
from missioncontrol.validation.values import at, mapping

KEY: Final = "metrics-collector.yaml"
VOLUME: Final = "metrics-agent-config"
MOUNT_PATH: Final = "/opt/management-api/configs"
PORT: Final = 9000
OLDER_PORT: Final = 9103
"""Where the older collector serves metrics, at the root of the server."""

_KEPT_TABLE_METRICS: Final = (
    "live_ss_table_count",
    "live_disk_space_used",
    "memtable.*",
    "all_memtables.*",
    "compaction_bytes_written",
    "pending_compactions",
    "read_.*",
    "write_.*",
    "range.*",
    "coordinator_.*",
    "dropped_mutations",
)


def config_map_name(cluster: Cluster, datacenter: DatacenterSpec) -> str:
    return cleanup_for_kubernetes(f"{cluster.cluster_name}-{datacenter.ring_name}-{VOLUME}")


def render(cluster: Cluster, datacenter: DatacenterSpec) -> dict[str, Any]:
    """The ConfigMap of one datacenter."""
    data = {KEY: yaml.safe_dump(_settings(datacenter), sort_keys=True)}
    body = config_map(cluster, config_map_name(cluster, datacenter), data, {})
    return with_common_tags(cluster, body)


def volume(cluster: Cluster, datacenter: DatacenterSpec) -> dict[str, Any]:
    """The volume through which the nodes see it."""
    return {
        "name": VOLUME,
        "mountPath": MOUNT_PATH,
        "volumeSource": {
            "configMap": {"name": config_map_name(cluster, datacenter), "items": [{"key": KEY, "path": KEY}]}
        },
    }


def _settings(datacenter: DatacenterSpec) -> dict[str, Any]:
    """What the user says of endpoint and relabelling, over the defaults."""
    given = mapping(at(datacenter.options, "telemetry", "cassandra"))
    settings = {"endpoint": given.get("endpoint"), "relabels": given.get("relabels") or _relabels()}
    return {key: value for key, value in settings.items() if value}


def _relabels() -> list[dict[str, Any]]:
    """Mark all table metrics, unmark those that are kept, drop what is still marked."""
    mark = {"sourceLabels": ["table"], "regex": ".+", "targetLabel": "should_drop", "replacement": "true"}
    unmark = [
        {
            "sourceLabels": ["__name__"],
            "regex": f"org_apache_cassandra_metrics_table_{metric}",
            "targetLabel": "should_drop",
            "replacement": "false",
        }
        for metric in _KEPT_TABLE_METRICS
    ]
    drop = {"sourceLabels": ["should_drop"], "regex": "true", "action": "drop"}
    return [mark, *unmark, drop]
