"""Metrics under the names of controller-runtime and client-go, so that existing dashboards and alerts fit.

Every series exists from the start with 0: a rate over a series that appears only with the first error misses it.
No label ever holds the name of an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client import Metric

RESULTS = ("success", "requeue_after", "terminal", "error")
SECONDS = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
QUEUE_SECONDS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60)


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue at one moment: keys that wait, and since the start, how many became wanted or were tried again."""

    name: str
    cluster: str
    depth: int
    adds: int
    retries: int


class Metrics:
    """The instruments of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        by_controller = {"labelnames": ("controller",), "registry": self.registry}
        by_queue = {"labelnames": ("name", "cluster"), "registry": self.registry}
        self.reconciles = Counter(
            "controller_runtime_reconcile_total",
            "Reconciles by result",
            labelnames=("controller", "result"),
            registry=self.registry,
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors_total", "Failed reconciles", **by_controller
        )
        self.terminal_errors = Counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Reconciles that failed for good",
            **by_controller,
        )
        self.panics = Counter(
            "controller_runtime_reconcile_panics_total",
            "Reconciles that failed by a fault of the program",
            **by_controller,
        )
        self.seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Length of a reconcile",
            buckets=SECONDS,
            **by_controller,
        )
        self.max_workers = Gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers for each cluster", **by_controller
        )
        self.active_workers = Gauge(
            "controller_runtime_active_workers", "Workers that reconcile now", **by_controller
        )
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds", "How long keys waited", buckets=QUEUE_SECONDS, **by_queue
        )
        self.work_seconds = Histogram(
            "workqueue_work_duration_seconds", "How long keys were worked on", buckets=SECONDS, **by_queue
        )
        self.leader = Gauge(
            "leader_election_master_status",
            "Whether this process leads",
            labelnames=("name",),
            registry=self.registry,
        )
        self.requests = Counter(
            "rest_client_requests_total",
            "Requests to kube-apiservers (code 0: no answer)",
            labelnames=("code", "method", "cluster"),
            registry=self.registry,
        )
        self.cluster_up = Gauge(
            "missioncontrol_cluster_available",
            "Whether a cluster's API server answers",
            labelnames=("cluster",),
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "missioncontrol_events_dropped_total",
            "Events not written for lack of room or rights",
            registry=self.registry,
        )

    def controller(self, name: str, *, workers: int) -> None:
        """Let every series of a controller exist."""
        for result in RESULTS:
            self.reconciles.labels(name, result)
        for counter in (self.errors, self.terminal_errors, self.panics, self.seconds, self.active_workers):
            counter.labels(name)
        self.max_workers.labels(name).set(workers)

    def queue(self, name: str, cluster: str) -> None:
        """Let every series of a queue exist."""
        for instrument in (self.queue_seconds, self.work_seconds):
            instrument.labels(name, cluster)

    def drop_cluster(self, names: Iterable[str], cluster: str) -> None:
        """A member cluster has left: its series would stay at their last value for ever."""
        for name in names:
            for instrument in (self.queue_seconds, self.work_seconds):
                instrument.remove_by_labels({"name": name, "cluster": cluster})
        self.cluster_up.remove_by_labels({"cluster": cluster})
        self.requests.remove_by_labels({"cluster": cluster})

    def watch_queues(self, stats: Callable[[], Iterable[QueueStats]]) -> None:
        """Report queues at each scrape."""
        self.registry.register(_Queues(stats))


class _Queues(Collector):
    def __init__(self, stats: Callable[[], Iterable[QueueStats]]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        labels = ("name", "cluster")
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait", labels=labels)
        adds = CounterMetricFamily("workqueue_adds_total", "Keys that became wanted", labels=labels)
        retries = CounterMetricFamily(
            "workqueue_retries_total", "Keys tried again after a failure", labels=labels
        )
        for queue in self._stats():
            depth.add_metric((queue.name, queue.cluster), queue.depth)
            adds.add_metric((queue.name, queue.cluster), queue.adds)
            retries.add_metric((queue.name, queue.cluster), queue.retries)
        return [depth, adds, retries]
