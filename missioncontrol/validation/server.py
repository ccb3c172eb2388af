"""What fits the kind of server, and nodes that share a worker: rules that the datacenter's own operator has.

They are asked here already, so that a cluster is not accepted whose datacenters would be refused later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from missioncontrol.validation.causes import Cause, forbidden, invalid
from missioncontrol.validation.datacenters import DatacenterView, SpecView
from missioncontrol.validation.values import duration, quantity, text

_WORKLOADS: Final = ("analyticsEnabled", "graphEnabled", "searchEnabled")


def server_causes(view: SpecView, datacenter: DatacenterView) -> Iterator[Cause]:
    """What is wrong with one datacenter."""
    if view.server_type == "cassandra":
        for workload in _WORKLOADS:
            given = datacenter.effective("dseWorkloads", workload)
            if given.value:
                yield forbidden(given.field, "DSE workloads need serverType dse")
    yaml = datacenter.effective("config", "dseYaml")
    if yaml.value and view.server_type != "dse":
        yield forbidden(yaml.field, f"{view.server_type} has no dse.yaml")
    older = datacenter.effective("telemetry", "mcac", "enabled")
    if older.value is True and datacenter.effective("telemetry", "prometheus", "enabled").value is True:
        yield forbidden(
            older.field,
            "ServiceMonitors (telemetry.prometheus) read the metrics endpoint of Cassandra, not the older "
            "collector: set one of the two",
        )
    yield from _vector_causes(datacenter)
    if datacenter.effective("softPodAntiAffinity").value is True:
        for member in ("requests", "limits"):
            for name in ("cpu", "memory"):
                if not quantity(datacenter.effective("resources", member, name).value):
                    yield forbidden(
                        f"{datacenter.field}.resources.{member}.{name}",
                        "several nodes on one worker (softPodAntiAffinity) need requests and limits",
                    )


def _vector_causes(datacenter: DatacenterView) -> Iterator[Cause]:
    """What the agent's configuration cannot be made of."""
    if datacenter.effective("telemetry", "vector", "enabled").value is not True:
        return
    interval = datacenter.effective("telemetry", "vector", "scrapeInterval")
    if interval.value and (duration(text(interval.value)) or 0.0) < 1.0:
        yield invalid(interval.field, interval.value, "must be a duration of a second or more, such as 30s")
    port = datacenter.effective("telemetry", "cassandra", "endpoint", "port")
    if port.value and not (
        text(port.value).isascii() and text(port.value).isdigit() and 1024 < int(port.value) <= 65535
    ):
        yield invalid(port.field, port.value, "must be a port from 1025 to 65535")
