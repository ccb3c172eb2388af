"""What the webhook server tells about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "missioncontrol_admission_requests_total",
            "Admission requests by what became of them; code is that of the refusal, 200 for what passed.",
            ["webhook", "resource", "operation", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "missioncontrol_admission_duration_seconds",
            "Time from the arrival of an admission request to its answer.",
            ["webhook"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "missioncontrol_admission_requests_in_flight",
            "Admission requests that are being judged or wait for that.",
            registry=self.registry,
        )
        self.policy_seconds = Histogram(
            "missioncontrol_policy_decision_duration_seconds",
            "Time of a policy decision; result is allowed, denied or unavailable.",
            ["result"],
            buckets=_SECONDS,
            registry=self.registry,
        )
