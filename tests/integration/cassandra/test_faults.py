"""Nodes that refuse, hang, cannot be pulled, or are all gone at once."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, PODS
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.waiting import eventually


def test_a_node_that_refuses_to_start_is_made_again_and_tried_later(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.simulator.fault(plane.namespace, "demo-dc1-rack2-sts-0", "refuse-start")
    plane.create_datacenter()

    def failed() -> bool:
        found = plane.get(CASSANDRA_DATACENTERS, "dc1").get("status", {})
        return "demo-dc1-rack2-sts-0" in found.get("failedStarts", [])

    eventually(failed, "the failed start is in the status")
    # the others do not wait for it
    joined = eventually(lambda: len(plane.history("bootstrap")) == 2, "the other two joined")
    assert joined
    plane.simulator.fault(plane.namespace, "demo-dc1-rack2-sts-0", "clear")
    found = plane.wait_settled()
    assert found["status"].get("failedStarts", []) == []
    assert len({each["pod"] for each in plane.history("bootstrap")}) == 3


def test_a_hanging_node_delays_no_other_datacenter(operator: OperatorProcess, plane: Plane) -> None:
    plane.simulator.fault(plane.namespace, "slow-slow-rack1-sts-0", "hang")
    plane.create_datacenter("slow", cluster="slow")
    eventually(lambda: len(plane.pods()) == 3, "the pods of the slow one exist")
    began = time.monotonic()
    plane.create_datacenter("dc1")
    plane.wait_settled("dc1")
    took = time.monotonic() - began
    print(f"beside a hanging node: 3 nodes ready after {took:.2f} s")
    assert took < 25
    plane.simulator.fault(plane.namespace, "slow-slow-rack1-sts-0", "clear")
    plane.wait_settled("slow", timeout=150)


def test_after_an_outage_the_members_come_back_together(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=6)
    plane.wait_settled()
    hosts = {name: node["hostID"] for name, node in _nodes(plane).items()}
    uids = {pod["metadata"]["uid"] for pod in plane.pods().values()}
    began = time.monotonic()
    plane.admin.request("DELETE", PODS.path(plane.namespace))

    def back() -> bool:
        pods = plane.pods().values()
        new = len(pods) == 6 and not uids & {pod["metadata"]["uid"] for pod in pods}
        return new and set(plane.node_states().values()) == {"Started"}

    eventually(back, "all six are started again", timeout=40)
    took = time.monotonic() - began
    print(f"6 nodes back after {took:.2f} s")
    assert took < 25
    eventually(
        lambda: plane.conditions(CASSANDRA_DATACENTERS, "dc1").get("Healthy") == "True", "it is healthy"
    )
    assert {name: node["hostID"] for name, node in _nodes(plane).items()} == hosts
    assert len(plane.history("bootstrap")) == 6
    assert plane.history("refused", "ignored") == []


def test_a_broken_image_stops_at_the_first_rack_and_can_be_mended(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"serverImage": "registry.example/broken:1"}})

    def stuck() -> bool:
        return any(pod["status"]["phase"] == "Pending" for pod in plane.pods().values())

    eventually(stuck, "a pod cannot be pulled")
    eventually(
        lambda: plane.conditions(CASSANDRA_DATACENTERS, "dc1").get("Healthy") == "False",
        "the operator has seen that",
    )
    assert sum(pod["status"]["phase"] == "Pending" for pod in plane.pods().values()) == 1
    plane.patch_datacenter({"spec": {"serverImage": "registry.example/good:1"}})
    plane.wait_settled(timeout=90)
    images = {pod["spec"]["containers"][0]["image"] for pod in plane.pods().values()}
    assert images == {"registry.example/good:1"}


def _nodes(plane: Plane) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = plane.get(CASSANDRA_DATACENTERS, "dc1")["status"]["nodeStatuses"]
    return found


@pytest.mark.parametrize("depth", [300, 5000])
def test_a_datacenter_that_is_nested_too_deep_for_anything_stops_no_other(
    operator: OperatorProcess, plane: Plane, depth: int
) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(4 * depth + 1000)  # of this test's own encoder
    try:
        plane.create_datacenter("deep", cluster="deep", config={"cassandra-yaml": nested(depth)})
        plane.create_datacenter("dc1")
        plane.wait_settled("dc1")
        process = operator.pid
        plane.delete(CASSANDRA_DATACENTERS, "deep")
        eventually(lambda: not plane.list(CASSANDRA_DATACENTERS)[1:], "the deep one has gone")
    finally:
        sys.setrecursionlimit(before)
    assert operator.pid == process


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value
