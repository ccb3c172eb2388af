"""Metrics under the names that dashboards for API servers know."""

from __future__ import annotations

import functools

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from apiserver.call import Call
from apiserver.inflight import MUTATING, READ_ONLY, Inflight
from apiserver.kinds import GROUP, SERVED

_LABELS = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_VERBS = {"create": "POST", "update": "PUT"}
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2, 3, 5, 10, 15, 30, 60)
_COMPONENT = "missioncontrol-apiserver"


class Metrics:
    """What is counted of requests."""

    def __init__(self, inflight: Inflight) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_request_total",
            "Requests by what was asked and the code of the answer.",
            (*_LABELS, "code", "dry_run"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds",
            "How long requests took, watches apart.",
            (*_LABELS, "dry_run"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._long = Gauge(
            "apiserver_longrunning_requests", "Watches that are open.", _LABELS, registry=self.registry
        )
        current = Gauge(
            "apiserver_current_inflight_requests",
            "Requests in progress.",
            ("request_kind",),
            registry=self.registry,
        )
        for kind in (READ_ONLY, MUTATING):
            current.labels(kind).set_function(functools.partial(_current, inflight, kind))

    def answered(self, call: Call, code: int, seconds: float) -> None:
        """A request has its answer. Only names that we serve become labels: clients invent no series."""
        labels = labels_of(call)
        if labels is None:
            return
        dry_run = "All" if call.info.mutating and call.dry_run else ""
        self._requests.labels(*labels, str(code), dry_run).inc()
        if call.info.verb != "watch":
            self._duration.labels(*labels, dry_run).observe(seconds)

    def watching(self, call: Call, change: int) -> None:
        """A watch has begun (1) or ended (-1)."""
        labels = labels_of(call)
        if labels is not None:
            self._long.labels(*labels).inc(change)


def _current(inflight: Inflight, kind: str) -> float:
    return inflight.current[kind]


def labels_of(call: Call) -> tuple[str, ...] | None:
    """The labels of a request, or None for one that is not about a resource of ours."""
    info = call.info
    served = SERVED.get(info.resource)
    if served is None or info.group != GROUP:
        return None
    known = not info.subresource or served.info.subresource(info.subresource) is not None
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    verb = _VERBS.get(info.verb, info.verb.upper())
    if info.verb == "patch" and "apply-patch" in call.headers.get("Content-Type", ""):
        verb = "APPLY"
    subresource = info.subresource if known else "unknown"
    return (verb, info.group, served.info.resource.version, info.resource, subresource, scope, _COMPONENT)
