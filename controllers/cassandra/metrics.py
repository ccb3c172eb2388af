"""What the datacenters, their pods and tasks are like, as metrics: upstream's names, so that dashboards fit.

Told from the caches at each scrape and kept nowhere: a series can neither be forgotten nor outlive its
object. Only the instance that leads tells it, or everything would be there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from missioncontrol.api.names import Label, NodeState

if TYPE_CHECKING:
    from prometheus_client import Metric

    from controllers.cassandra.caches import Caches
    from missioncontrol.kube.views import Object, Pod

PLACE = ("namespace", "cluster", "datacenter")


class DatacenterMetrics(Collector):
    """Upstream's gauges, and one for tasks."""

    def __init__(self, caches: Caches, leading: Callable[[], bool]) -> None:
        self._caches = caches
        self._leading = leading

    def describe(self) -> Iterable[Metric]:
        return [_pods(()), *_datacenters(()), _tasks(())]

    def collect(self) -> Iterable[Metric]:
        if not self._leading():
            return self.describe()
        datacenters = self._caches.datacenters.all()
        return [
            _pods(self._caches.pods.all()),
            *_datacenters(datacenters),
            _tasks(self._caches.tasks.all()),
        ]


def pod_status(pod: Pod) -> str:
    """A pod's state in one word, as upstream has it."""
    if pod.metadata.labels.get(Label.NODE_STATE) == NodeState.DECOMMISSIONING:
        return "decommissioning"
    if pod.metadata.deletion_timestamp is not None:
        return "terminating"
    match pod.status.phase:
        case "Pending":
            return "pending"
        case "Failed":
            return "error"
    ready = all(container.ready for container in pod.status.container_statuses)
    return "ready" if ready else "initializing"


def _pods(pods: Iterable[Pod]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(
        "cass_operator_datacenter_pods_status",
        "The state of each Cassandra pod",
        labels=(*PLACE, "rack", "pod", "status"),
    )
    for pod in pods:
        labels = pod.metadata.labels
        where = [labels.get(key, "") for key in (Label.CLUSTER, Label.DATACENTER, Label.RACK)]
        found.add_metric([pod.metadata.namespace, *where, pod.metadata.name, pod_status(pod)], 1)
    return found


def _datacenters(datacenters: Iterable[Object]) -> Iterator[GaugeMetricFamily]:
    conditions = GaugeMetricFamily(
        "cass_operator_datacenter_status",
        "Which conditions of a CassandraDatacenter hold",
        labels=(*PLACE, "condition"),
    )
    progress = GaugeMetricFamily(
        "cass_operator_datacenter_progress",
        "Whether the spec of a CassandraDatacenter is carried out",
        labels=(*PLACE, "progress"),
    )
    for view in datacenters:
        name = view.spec.get("datacenterName") or view.metadata.name
        place = [view.metadata.namespace, str(view.spec.get("clusterName", "")), str(name)]
        for condition in view.status.get("conditions") or ():
            conditions.add_metric([*place, str(condition.get("type"))], condition.get("status") == "True")
        if view.status.get("cassandraOperatorProgress"):
            progress.add_metric([*place, str(view.status["cassandraOperatorProgress"])], 1)
    yield conditions
    yield progress


def _tasks(tasks: Iterable[Object]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(
        "cass_operator_task_pods",
        "Pods of a CassandraTask whose job is running, waiting, completed or failed",
        labels=("namespace", "datacenter", "task", "command", "status"),
    )
    for view in tasks:
        datacenter = str((view.spec.get("datacenter") or {}).get("name", ""))
        jobs = view.spec.get("jobs") or [{}]
        place = [view.metadata.namespace, datacenter, view.metadata.name, str(jobs[0].get("command", ""))]
        counts = {"running": 0, "waiting": 0, "completed": 0, "error": 0}
        for pod in (view.status.get("podStatuses") or {}).values():
            status = str(pod.get("status", "")).lower()
            counts[status] = counts.get(status, 0) + 1
        for status, count in counts.items():
            found.add_metric([*place, status], count)
    return found
