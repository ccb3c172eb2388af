"""The gauges of datacenters, pods and tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controllers.cassandra.metrics import DatacenterMetrics, pod_status
from missioncontrol.kube.views import Object, Pod


@dataclass
class Cache:
    known: list[Any] = field(default_factory=list)

    def all(self) -> list[Any]:
        return self.known


@dataclass
class Caches:
    datacenters: Cache = field(default_factory=Cache)
    pods: Cache = field(default_factory=Cache)
    tasks: Cache = field(default_factory=Cache)


def a_pod(
    *, state: str = "Started", phase: str = "Running", ready: bool = True, deleting: bool = False
) -> Pod:
    labels = {
        "cassandra.datastax.com/cluster": "demo",
        "cassandra.datastax.com/datacenter": "dc1",
        "cassandra.datastax.com/rack": "r1",
        "cassandra.datastax.com/node-state": state,
    }
    metadata: dict[str, Any] = {"name": "demo-dc1-r1-sts-0", "namespace": "ns", "labels": labels}
    if deleting:
        metadata["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    statuses = [{"name": "cassandra", "ready": ready}, {"name": "server-system-logger", "ready": True}]
    return msgspec.convert(
        {"metadata": metadata, "status": {"phase": phase, "containerStatuses": statuses}}, Pod
    )


@pytest.mark.parametrize(
    ("pod", "word"),
    [
        pytest.param(a_pod(), "ready", id="all containers are ready"),
        pytest.param(a_pod(ready=False), "initializing", id="one is not"),
        pytest.param(a_pod(phase="Pending", ready=False), "pending", id="not scheduled or pulled yet"),
        pytest.param(a_pod(phase="Failed"), "error", id="failed"),
        pytest.param(a_pod(deleting=True), "terminating", id="on its way out"),
        pytest.param(a_pod(state="Decommissioning", deleting=True), "decommissioning", id="leaving the ring"),
    ],
)
def test_a_pod_has_one_state(pod: Pod, word: str) -> None:
    assert pod_status(pod) == word


def exposed(caches: Caches, *, leading: bool = True) -> list[str]:
    registry = CollectorRegistry()
    registry.register(DatacenterMetrics(caches, lambda: leading))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_what_is_known_is_told_under_the_names_of_upstream_and_goes_with_the_objects() -> None:
    datacenter = {
        "metadata": {"name": "dc1", "namespace": "ns"},
        "spec": {"clusterName": "demo", "datacenterName": "Berlin"},
        "status": {
            "cassandraOperatorProgress": "Updating",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stopped", "status": "False"}],
        },
    }
    task = {
        "metadata": {"name": "t1", "namespace": "ns"},
        "spec": {"datacenter": {"name": "dc1"}, "jobs": [{"name": "t1", "command": "cleanup"}]},
        "status": {"podStatuses": {"a": {"status": "COMPLETED"}, "b": {"status": "ERROR"}}},
    }
    caches = Caches(
        Cache([msgspec.convert(datacenter, Object)]), Cache([a_pod()]), Cache([msgspec.convert(task, Object)])
    )
    place = 'cluster="demo",{}datacenter="Berlin",namespace="ns"'
    assert exposed(caches) == [
        'cass_operator_datacenter_pods_status{cluster="demo",datacenter="dc1",namespace="ns",'
        'pod="demo-dc1-r1-sts-0",rack="r1",status="ready"} 1.0',
        f'cass_operator_datacenter_status{{{place.format("""condition="Ready",""")}}} 1.0',
        f'cass_operator_datacenter_status{{{place.format("""condition="Stopped",""")}}} 0.0',
        f'cass_operator_datacenter_progress{{{place.format("")},progress="Updating"}} 1.0',
        *(
            f'cass_operator_task_pods{{command="cleanup",datacenter="dc1",namespace="ns",status="{status}",'
            f'task="t1"}} {count}.0'
            for status, count in (("running", 0), ("waiting", 0), ("completed", 1), ("error", 1))
        ),
    ]
    assert exposed(caches, leading=False) == []
    assert exposed(Caches()) == []
