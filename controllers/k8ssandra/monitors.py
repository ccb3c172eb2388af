"""ServiceMonitors: how Prometheus' operator is told of the nodes' metrics, where the user wants that.

The kind may not be installed, so nothing is watched; what was written is remembered, and looked at again
after a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.hashing import fingerprint
from missioncontrol.api.names import (
    Annotation,
    Component,
    Label,
    LabelValue,
    clean_label_value,
    cleanup_for_kubernetes,
)
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, SERVICE_MONITORS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.views import Object
from missioncontrol.validation.values import at, mapping

MANAGER: Final = Component.K8SSANDRA_OPERATOR.value
LOOK_AGAIN_SECONDS: Final = 600.0
_INTERVAL: Final = "15s"


def is_wanted(datacenter: DatacenterSpec) -> bool:
    return at(datacenter.options, "telemetry", "prometheus", "enabled") is True


def monitor_name(cluster: Cluster, datacenter: DatacenterSpec) -> str:
    return cleanup_for_kubernetes(f"{cluster.cluster_name}-{datacenter.name}-cass-servicemonitor")


def render(cluster: Cluster, datacenter: DatacenterSpec, live: Object) -> dict[str, Any]:
    """The ServiceMonitor of one datacenter; it goes away with it."""
    spec = {
        "endpoints": [
            {
                "port": "metrics",
                "interval": _INTERVAL,
                "path": "/metrics",
                "scheme": "http",
                "scrapeTimeout": _INTERVAL,
            }
        ],
        "namespaceSelector": {"matchNames": [cluster.namespace]},
        "selector": {
            "matchLabels": {
                Label.APP_MANAGED_BY: LabelValue.CASS_OPERATOR,
                Label.PROM_METRICS: LabelValue.TRUE,
            },
            "matchExpressions": [
                {"key": Label.CLUSTER, "operator": "In", "values": [cluster.label_value]},
                {"key": Label.DATACENTER, "operator": "In", "values": [clean_label_value(datacenter.name)]},
            ],
        },
        "targetLabels": [Label.CLUSTER, Label.DATACENTER],
    }
    labels = {
        **mapping(at(datacenter.options, "telemetry", "prometheus", "commonLabels")),
        **cluster.ownership_labels,
        Label.APP_MANAGED_BY: LabelValue.K8SSANDRA_OPERATOR,
        Label.APP_PART_OF: LabelValue.K8SSANDRA,
        Label.APP_COMPONENT: LabelValue.TELEMETRY,
        Label.K8SSANDRA_DATACENTER: cleanup_for_kubernetes(datacenter.name),
        **cluster.owned_labels,
    }
    return {
        "apiVersion": SERVICE_MONITORS.api_version,
        "kind": SERVICE_MONITORS.kind,
        "metadata": {
            "name": monitor_name(cluster, datacenter),
            "namespace": cluster.namespace,
            "labels": labels,
            "annotations": {Annotation.K8SSANDRA_RESOURCE_HASH: fingerprint([labels, spec])},
            "ownerReferences": [
                {
                    "apiVersion": CASSANDRA_DATACENTERS.api_version,
                    "kind": CASSANDRA_DATACENTERS.kind,
                    "name": live.metadata.name,
                    "uid": live.metadata.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


class ServiceMonitors:
    """Writes the ServiceMonitors of clusters."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._done: dict[tuple[str, str], tuple[str, float]] = {}
        self._not_installed = float("-inf")

    async def ensure(self, cluster: Cluster, live: dict[str, Object]) -> str:
        """Make and remove what is to be; a sentence when Prometheus' operator is missing."""
        lacking = []
        for datacenter in self._due(cluster, live):
            name = monitor_name(cluster, datacenter)
            if not is_wanted(datacenter):
                await self._remove(cluster, name)
                continue
            body = render(cluster, datacenter, live[datacenter.name])
            try:
                await self._client.apply(SERVICE_MONITORS, body, field_manager=MANAGER)
            except NotFound:
                lacking.append(datacenter.name)
                continue
            self._done[cluster.namespace, name] = _digest(cluster, datacenter, live), self._clock()
        if not lacking:
            return ""
        return (
            f"telemetry.prometheus of {', '.join(lacking)} needs ServiceMonitors, which this Kubernetes "
            "cluster does not have: install Prometheus' operator, or disable it"
        )

    def _due(self, cluster: Cluster, live: dict[str, Object]) -> Iterable[DatacenterSpec]:
        now = self._clock()
        for datacenter in cluster.datacenters:
            if datacenter.name not in live:
                continue
            key = cluster.namespace, monitor_name(cluster, datacenter)
            unknown = key not in self._done and not is_wanted(datacenter)
            if unknown and now - self._not_installed < LOOK_AGAIN_SECONDS:
                continue
            digest, at_ = self._done.get(key, ("", float("-inf")))
            if digest != _digest(cluster, datacenter, live) or (
                is_wanted(datacenter) and now - at_ >= LOOK_AGAIN_SECONDS
            ):
                yield datacenter

    async def _remove(self, cluster: Cluster, name: str) -> None:
        """Remove what was made while it was wanted, and nobody else's."""
        try:
            found = await self._client.get(SERVICE_MONITORS, name, namespace=cluster.namespace)
        except NotFound as error:
            if name not in error.message:
                self._not_installed = self._clock()
        else:
            labels = mapping(at(found, "metadata", "labels"))
            if cluster.owned_labels.items() <= labels.items():
                await self._delete(cluster, name, found["metadata"]["uid"])
        self._done[cluster.namespace, name] = _NONE, self._clock()

    async def _delete(self, cluster: Cluster, name: str, uid: str) -> None:
        try:
            await self._client.delete(SERVICE_MONITORS, name, namespace=cluster.namespace, uid=uid)
        except NotFound:
            return


_NONE: Final = "none"


def _digest(cluster: Cluster, datacenter: DatacenterSpec, live: dict[str, Object]) -> str:
    return fingerprint(render(cluster, datacenter, live[datacenter.name])) if is_wanted(datacenter) else _NONE
