"""A rolling restart keeps to its plan, and a cancelled one leaves the racks after it untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Environment
from tests.e2e.order import PLANE, cluster

API = "/apis/missioncontrol.io/v1alpha1"


@pytest.fixture
def ring(environment: Environment, namespace: str) -> str:
    """The namespace of a Ready cluster with three racks of two nodes."""
    body = json.loads(cluster("ring"))
    body["spec"]["k8ssandra"]["cassandra"]["datacenters"][0]["size"] = 6
    environment.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(body))
    environment.kubectl(
        "wait", "-n", namespace, "mcc/ring", "--for=condition=Ready", "--timeout=90s", timeout=100
    )
    return namespace


def restart(name: str) -> str:
    return json.dumps(
        {
            "apiVersion": "missioncontrol.io/v1alpha1",
            "kind": "RollingRestart",
            "metadata": {"name": name},
            "spec": {"clusterName": "ring"},
        }
    )


def planned(operation: dict[str, Any]) -> list[str]:
    return [pod for step in operation["status"]["plan"]["steps"] for pod in step["pods"]]


def restarted(environment: Environment, namespace: str) -> list[str]:
    """The pods that were restarted, in order of time."""
    events = environment.simulator(PLANE, f"history?namespace={namespace}&event=restart")
    return [event["pod"] for event in events]


def test_nodes_restart_in_the_order_of_the_plan(environment: Environment, ring: str) -> None:
    inside = ("-n", ring)
    shown = environment.kubectl(
        "create", *inside, "-f", "-", "--dry-run=server", "-o", "json", stdin=restart("all")
    )
    assert restarted(environment, ring) == []

    environment.kubectl("create", *inside, "-f", "-", stdin=restart("all"))
    complete = ("rollingrestart/all", "--for=condition=Complete", "--timeout=110s")
    environment.kubectl("wait", *inside, *complete, timeout=120)

    operation = environment.get("rollingrestart", "all", *inside)
    assert planned(json.loads(shown.out)) == planned(operation) == restarted(environment, ring)
    assert len(restarted(environment, ring)) == 6
    assert operation["status"]["requestedBy"]
    listed = environment.get("operations", *inside)["items"]
    assert [item["metadata"]["name"] for item in listed] == ["rollingrestart.all"]


def test_a_cancelled_restart_stops_at_the_next_rack(environment: Environment, ring: str) -> None:
    inside = ("-n", ring)
    path = f"{API}/namespaces/{ring}"
    environment.kubectl(
        *("create", "--raw", f"{path}/missioncontrolclusters/ring/rollingrestart", "-f", "-"),
        stdin=restart("halved"),
    )
    environment.kubectl("wait", *inside, "rollingrestart/halved", "--for=condition=Running", "--timeout=30s")
    environment.kubectl("create", "--raw", f"{path}/rollingrestarts/halved/cancel", "-f", "-", stdin="{}")
    cancelled = ("rollingrestart/halved", "--for=condition=Cancelled", "--timeout=60s")
    environment.kubectl("wait", *inside, *cancelled, timeout=70)

    done = restarted(environment, ring)
    assert not any("-r3-" in pod or "-r2-" in pod for pod in done), done
    again = environment.kubectl(
        "create",
        "--raw",
        f"{path}/operations/rollingrestart.halved/cancel",
        "-f",
        "-",
        stdin="{}",
        check=False,
    )
    assert again.code != 0
    ready = environment.get("mcc", "ring", *inside)["status"]["readyReplicas"]
    assert ready == 6
