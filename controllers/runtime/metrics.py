"""Metrics under the names of controller-runtime and client-go, so that existing dashboards and alerts fit.

Every series exists from the start with 0: a rate over a series that appears only with the first error misses
it. No label ever holds the name of an object.
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
    """One queue at one moment: keys that wait, and since the start, how many became wanted or were tried
    again.
    """

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
        controller, queue = ("controller",), ("name", "cluster")
        self.reconciles = self._counter(
            "controller_runtime_reconcile_total", "Reconciles by result", "controller", "result"
        )
        self.errors = self._counter(
            "controller_runtime_reconcile_errors_total", "Failed reconciles", *controller
        )
        self.terminal_errors = self._counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Reconciles that failed for good",
            *controller,
        )
        self.panics = self._counter(
            "controller_runtime_reconcile_panics_total", "Faults of the program in reconciles", *controller
        )
        self.seconds = self._histogram(
            "controller_runtime_reconcile_time_seconds", "Length of a reconcile", SECONDS, *controller
        )
        self.max_workers = self._gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers for each cluster", *controller
        )
        self.active_workers = self._gauge(
            "controller_runtime_active_workers", "Workers that reconcile now", *controller
        )
        self.queue_seconds = self._histogram(
            "workqueue_queue_duration_seconds", "How long keys waited", QUEUE_SECONDS, *queue
        )
        self.work_seconds = self._histogram(
            "workqueue_work_duration_seconds", "How long keys were worked on", SECONDS, *queue
        )
        self.leader = self._gauge("leader_election_master_status", "Whether this process leads", "name")
        self.requests = self._counter(
            "rest_client_requests_total",
            "Requests to kube-apiservers (code 0: no answer)",
            *("code", "method", "cluster"),
        )
        self.cluster_up = self._gauge(
            "missioncontrol_cluster_available", "Whether a cluster's API server answers", "cluster"
        )
        self.events_dropped = self._counter(
            "missioncontrol_events_dropped_total", "Events not written for lack of room or rights"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def controller(self, name: str, *, workers: int) -> None:
        """Let every series of a controller exist."""
        for result in RESULTS:
            self.reconciles.labels(name, result)
        for counter in (self.errors, self.terminal_errors, self.panics):
            counter.labels(name)
        self.seconds.labels(name)
        self.active_workers.labels(name)
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
