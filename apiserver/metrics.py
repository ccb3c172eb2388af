"""Metrics under the names, labels and buckets that dashboards for API servers know.

Only names that we serve become labels, so that no client can invent series.
"""

from __future__ import annotations

import functools
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from apiserver.call import Call
from apiserver.fairness import Lane
from apiserver.kinds import GROUP, SERVED
from apiserver.requestinfo import RequestInfo
from missioncontrol.serving.series import Histograms, Labels, Page, Values

COMPONENT: Final = "apiserver"
_RESOURCE: Final = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_VERBS: Final = {
    "get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
    "delete": "DELETE", "deletecollection": "DELETECOLLECTION",
}  # fmt: skip
_METHODS: Final = frozenset({"get", "head", "post", "put", "patch", "delete", "options"})
_PATHS: Final = frozenset({"/healthz", "/livez", "/readyz", "/metrics", "/version"})

_SLI_SECONDS: Final = (
    0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_SECONDS: Final = (0.005, 0.025, *_SLI_SECONDS)
_SIZES: Final = tuple(10.0**power for power in range(3, 10))
_EVENT_SIZES: Final = tuple(1024.0 * 2**power for power in range(8))
_QUICK_SECONDS: Final = tuple(0.001 * 2**power for power in range(15))
_REVIEW_SECONDS: Final = (0.25, 0.5, 0.7, 1, 1.5, 3, 5, 10)
_CLIENT_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
_WAIT_SECONDS: Final = (0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_LIFETIMES: Final = (
    0, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800, 2592000, 7776000, 15552000, 31104000,
)  # fmt: skip


class Metrics:
    """What is counted of requests, and the registry that shows it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Values(
            "apiserver_request_total",
            "Counter of requests by verb, dry run, group, version, resource, scope, component and code.",
            (*_RESOURCE, "dry_run", "code"),
        )
        self.durations = Histograms(
            "apiserver_request_duration_seconds",
            "Seconds from a request's arrival to the end of its answer; watches apart.",
            _SECONDS,
            (*_RESOURCE, "dry_run"),
        )
        self.sli_durations = Histograms(
            "apiserver_request_sli_duration_seconds",
            "The same without what a request waited for its turn.",
            _SLI_SECONDS,
            _RESOURCE,
        )
        self.sizes = Histograms(
            "apiserver_response_sizes", "Bytes of answers to GET and LIST.", _SIZES, _RESOURCE
        )
        self.longrunning = Values(
            "apiserver_longrunning_requests", "Watches that are open.", _RESOURCE, kind="gauge"
        )
        self.terminations = Values(
            "apiserver_request_terminations_total",
            "Requests that the server ended to protect itself: sent away, or out of time.",
            (*_RESOURCE, "code"),
        )
        self.aborts = Values("apiserver_request_aborts_total", "Requests whose client left.", _RESOURCE[:-1])
        self.watch_events = Values(
            "apiserver_watch_events_total", "Events sent to watches.", ("group", "version", "resource")
        )
        self.watch_sizes = Histograms(
            "apiserver_watch_events_sizes",
            "Bytes of the events sent to watches.",
            _EVENT_SIZES,
            ("group", "version", "resource"),
        )
        self._page = Page(
            self.requests, self.durations, self.sli_durations, self.sizes, self.longrunning,
            self.terminations, self.aborts, self.watch_events, self.watch_sizes,
        )  # fmt: skip
        self.identity = IdentityMetrics(self._page)
        self.backend = BackendMetrics(self._page)
        self.waits = Histograms(
            "apiserver_flowcontrol_request_wait_duration_seconds",
            "Seconds that requests waited for their turn.",
            _WAIT_SECONDS,
            ("priority_level", "execute"),
        )
        self._page.add(self.waits)
        self.registry.register(self._page)

    def add(self, *series: Values | Histograms) -> None:
        """Further series, of a part that counts by itself."""
        self._page.add(*series)

    def show_lanes(self, lanes: dict[str, Lane]) -> None:
        """What is in progress and what waits, of each kind of request."""
        running = Gauge(
            "apiserver_current_inflight_requests",
            "Requests in progress.",
            ("request_kind",),
            registry=self.registry,
        )
        queued = Gauge(
            "apiserver_current_inqueue_requests",
            "Requests that wait for their turn.",
            ("request_kind",),
            registry=self.registry,
        )
        for kind, lane in lanes.items():
            running.labels(kind).set_function(functools.partial(_running, lane))
            queued.labels(kind).set_function(functools.partial(_queued, lane))

    def answered(self, call: Call, code: int, seconds: float, size: int | None) -> None:
        """A request has its answer."""
        labels = labels_of(call)
        if labels is None:
            return
        info = call.info
        dry_run = "All" if info.mutating and call.dry_run else ""
        self.requests.add((*labels, dry_run, str(code)))
        if info.verb == "watch":
            return
        self.durations.observe(seconds, (*labels, dry_run))
        self.sli_durations.observe(max(seconds - call.waited, 0.0), labels)
        if size is not None and labels[0] in ("GET", "LIST"):
            self.sizes.observe(size, labels)

    def read(self, labels: Labels, seconds: float, size: int) -> None:
        """A GET or LIST had its answer, and nothing had to be asked or waited for."""
        self.identity.authenticated("success", 0.0)
        self.identity.authorized("allowed", 0.0)
        self.requests.add((*labels, "", "200"))
        self.durations.observe(seconds, (*labels, ""))
        self.sli_durations.observe(seconds, labels)
        self.sizes.observe(size, labels)

    def watching(self, call: Call, change: int) -> None:
        """A watch has begun (1) or ended (-1)."""
        labels = labels_of(call)
        if labels is not None:
            self.longrunning.add(labels, change)

    def watch_event(self, place: Labels, size: int, times: int) -> None:
        """An event of this group, version and resource was sent, to so many."""
        self.watch_events.add(place, times)
        self.watch_sizes.observe(size, place, times)

    def terminated(self, call: Call, code: int) -> None:
        """The server gave up a request to protect itself."""
        labels = labels_of(call)
        if labels is not None:
            self.terminations.add((*labels, str(code)))

    def aborted(self, call: Call) -> None:
        """The client left before it had its answer."""
        labels = labels_of(call)
        if labels is not None:
            self.aborts.add(labels[:-1])


class IdentityMetrics:
    """Who came, and what kube-apiserver was asked about them."""

    def __init__(self, page: Page) -> None:
        self.authentications = Values(
            "authentication_attempts", "Authentications by result.", ("result",), kind="unknown"
        )
        self.authentication_seconds = Histograms(
            "authentication_duration_seconds", "Seconds of authentications.", _QUICK_SECONDS, ("result",)
        )
        self.users = Values(
            "authenticated_user_requests", "Requests by user, where it is a famous one.", ("username",),
            kind="unknown",
        )  # fmt: skip
        self.authorizations = Values("authorization_attempts_total", "Authorizations by result.", ("result",))
        self.authorization_seconds = Histograms(
            "authorization_duration_seconds", "Seconds of authorizations.", _QUICK_SECONDS, ("result",)
        )
        self.certificates = Histograms(
            "apiserver_client_certificate_expiration_seconds",
            "Remaining lifetime of the certificates that requests were authenticated by.",
            _LIFETIMES,
        )
        self._delegated = {
            part: (
                Values(
                    f"apiserver_delegated_{part}_request_total",
                    "Reviews asked of kube-apiserver, by code.",
                    ("code",),
                ),
                Histograms(
                    f"apiserver_delegated_{part}_request_duration_seconds",
                    "Seconds of reviews asked of kube-apiserver.",
                    _REVIEW_SECONDS,
                    ("code",),
                ),
            )
            for part in ("authn", "authz")
        }
        page.add(
            self.authentications, self.authentication_seconds, self.users, self.authorizations,
            self.authorization_seconds, self.certificates,
            *(series for pair in self._delegated.values() for series in pair),
        )  # fmt: skip

    def authenticated(self, result: str, seconds: float) -> None:
        """An authentication ended: success, failure or error."""
        self.authentications.add((result,))
        self.authentication_seconds.observe(seconds, (result,))
        if result == "success":
            self.users.add(_OTHER)

    def authorized(self, result: str, seconds: float) -> None:
        """An authorization ended: allowed, denied, no-opinion or error."""
        self.authorizations.add((result,))
        self.authorization_seconds.observe(seconds, (result,))

    def token_review(self, code: str, seconds: float) -> None:
        self._reviewed("authn", code, seconds)

    def access_review(self, code: str, seconds: float) -> None:
        self._reviewed("authz", code, seconds)

    def _reviewed(self, part: str, code: str, seconds: float) -> None:
        total, duration = self._delegated[part]
        total.add((code,))
        duration.observe(seconds, (code,))


class BackendMetrics:
    """Requests that this server makes itself, to its store."""

    def __init__(self, page: Page) -> None:
        self.requests = Values(
            "rest_client_requests_total", "Requests to the store, by code.", ("code", "host", "method")
        )
        self.seconds = Histograms(
            "rest_client_request_duration_seconds",
            "Seconds of requests to the store.",
            _CLIENT_SECONDS,
            ("host", "verb"),
        )
        page.add(self.requests, self.seconds)

    def observe(self, host: str, method: str, status: int, seconds: float) -> None:
        """One attempt; status 0 means that there was no answer."""
        self.requests.add((str(status) if status else "<error>", host, method))
        self.seconds.observe(seconds, (host, method))


_OTHER: Final = ("other",)


def _running(lane: Lane) -> float:
    return lane.running


def _queued(lane: Lane) -> float:
    return lane.queued


def labels_of(call: Call) -> Labels | None:
    """The labels of a request, or None for one that is about nothing we serve."""
    info = call.info
    if not info.is_resource:
        known = info.path in _PATHS and info.verb in _METHODS
        return (info.verb.upper(), "", "", "", info.path, "", "") if known else None
    served = SERVED.get(info.resource)
    if served is None or info.group != GROUP or info.version != served.info.resource.version:
        return None
    verb = _VERBS.get(info.verb)
    if verb is None:
        return None
    if verb == "PATCH" and "apply-patch" in call.headers.get("Content-Type", ""):
        verb = "APPLY"
    if info.subresource and served.info.subresource(info.subresource) is None:
        return None
    return _labels(info, verb)


def labels_of_read(info: RequestInfo) -> Labels:
    """The labels of a get or list of something that we serve."""
    return _labels(info, _VERBS[info.verb])


def _labels(info: RequestInfo, verb: str) -> Labels:
    return (verb, info.group, info.version, info.resource, info.subresource, _scope(info), COMPONENT)


def _scope(info: RequestInfo) -> str:
    if info.name or info.verb == "create":
        return "resource"
    return "namespace" if info.namespace else "cluster"
