"""A datacenter comes up, node by node, on a real control plane with simulated nodes."""

from __future__ import annotations

import time

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, SECRETS, SERVICES
from tests.integration.cassandra.conftest import OperatorProcess, Plane


def test_three_racks_come_up_one_node_after_the_other(operator: OperatorProcess, plane: Plane) -> None:
    began = time.monotonic()
    plane.create_datacenter()
    found = plane.wait_settled()
    took = time.monotonic() - began
    print(f"3 nodes ready after {took:.2f} s")
    assert took < 25

    order = [each["pod"] for each in plane.history("bootstrap")]
    assert order == [f"demo-dc1-rack{number}-sts-0" for number in (1, 2, 3)]
    assert plane.history("refused", "ignored") == []
    assert len(plane.calls("/lifecycle/start")) == 3
    status = found["status"]
    assert sorted(status["nodeStatuses"]) == order
    assert all(node["hostID"] and node["ip"] for node in status["nodeStatuses"].values())
    assert {node["rack"] for node in status["nodeStatuses"].values()} == {"rack1", "rack2", "rack3"}
    assert plane.conditions(CASSANDRA_DATACENTERS, "dc1") == {
        "Ready": "True",
        "Healthy": "True",
        "Valid": "True",
        "Initialized": "True",
        "ResizingVolumes": "False",
        "Stopped": "False",
        "ReplacingNodes": "False",
        "Updating": "False",
        "RollingRestart": "False",
        "Resuming": "False",
        "ScalingDown": "False",
        "RequiresUpdate": "False",
    }
    assert set(plane.node_states().values()) == {"Started"}
    assert plane.get(SECRETS, "demo-superuser")["data"]["username"]
    assert {each["metadata"]["name"] for each in plane.list(SERVICES)} == {
        "demo-seed-service",
        "demo-dc1-service",
        "demo-dc1-all-pods-service",
        "demo-dc1-additional-seed-service",
    }
    assert len(plane.calls("/ops/auth/role")) == 1
