"""The CassandraTask that the operator makes by itself, after a datacenter has grown."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.metadata import rendered
from missioncontrol.api.names import Annotation, LabelValue
from missioncontrol.api.resources import CASSANDRA_TASKS


def cleanup_task(datacenter: Datacenter, name: str) -> dict[str, Any]:
    """Lets every node drop the data that has moved to new ones."""
    body = rendered(CASSANDRA_TASKS, name, datacenter, datacenter.datacenter_labels)
    spec: dict[str, Any] = {
        "datacenter": {"name": datacenter.name, "namespace": datacenter.namespace},
        "jobs": [{"name": f"cleanup-{datacenter.name}", "command": "cleanup"}],
    }
    if datacenter.annotated(Annotation.PARALLEL_CLEANUP_WITHIN_RACK, LabelValue.TRUE):
        spec["maxConcurrentPods"] = datacenter.plan[0].nodes
    return {**body, "spec": spec}
