"""Recorded stories of broken, held back, replaced and leaving nodes, told again by our operator."""

from __future__ import annotations

from missioncontrol.api.names import EventReason
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, STATEFUL_SETS
from tests.integration.cassandra.conftest import Json, OperatorProcess, Plane
from tests.integration.cassandra.narrator import Narrator
from tests.waiting import eventually

UNHEALTHY = "Healthy"
"""A pod that cannot run makes it False; upstream looks at it only when all pods run."""


def test_nodes_are_changed_and_replaced_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.begin("01")
    narrator.new_calls()

    story = narrator.story("31")
    broken, good = story.inputs
    plane.patch_datacenter(broken)
    eventually(lambda: plane.conditions(CASSANDRA_DATACENTERS, "dc1")[UNHEALTHY] == "False", "it is told")
    plane.patch_datacenter(good)
    plane.wait_settled()
    assert list(story.calls) == narrator.new_calls()
    narrator.assert_conditions(story, besides=[UNHEALTHY])

    story = narrator.story("33")
    held_back, let_go = story.inputs
    plane.patch_datacenter(held_back)
    plane.wait_settled()
    first = plane.get(STATEFUL_SETS, "demo-dc1-rack1-sts")["spec"]
    assert first["updateStrategy"]["rollingUpdate"]["partition"] == 1
    assert narrator.new_calls() == []
    plane.patch_datacenter(let_go)
    plane.wait_settled()
    assert list(story.calls) == narrator.new_calls()
    narrator.assert_conditions(story)

    story = narrator.story("11")
    before = plane.get(CASSANDRA_DATACENTERS, "dc1")
    plane.patch_datacenter(story.inputs[0])
    [pod] = story.inputs[0]["spec"]["replaceNodes"]

    def replaced() -> Json | None:
        found = plane.settled()
        return found if found and host(found, pod) != host(before, pod) else None

    after = eventually(replaced, "the node is replaced", timeout=60)
    assert "replaceNodes" not in after["spec"]
    assert "nodeReplacements" not in after["status"]
    # upstream leaves the node to the user, who drains nothing and deletes the claim and the pod
    assert [(pod, "/api/v0/ops/node/drain", None), *story.calls] == narrator.new_calls()
    narrator.assert_conditions(story)
    narrator.assert_told(
        besides=[
            ("Warning", EventReason.UNHEALTHY_DATACENTER.value),
            ("Normal", EventReason.DELETED_PVC.value),
        ]
    )


def host(datacenter: Json, pod: str) -> str:
    return str(datacenter["status"]["nodeStatuses"][pod]["hostID"])


def test_a_datacenter_leaves_its_ring_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.story("01")
    rack = [{"name": "r1"}]
    plane.create_datacenter("dc1", size=2, racks=rack)
    plane.wait_settled("dc1")
    seed = plane.pods()["demo-dc1-r1-sts-0"]["status"]["podIP"]
    plane.create_datacenter("dc2", size=2, racks=rack, additionalSeeds=[seed])
    plane.wait_settled("dc2")
    narrator.new_calls()
    story = narrator.story("41")
    plane.patch_datacenter(story.inputs[0], "dc2")
    plane.delete(CASSANDRA_DATACENTERS, "dc2")
    eventually(lambda: plane.find(CASSANDRA_DATACENTERS, "dc2") is None, "dc2 is gone", timeout=60)
    assert list(story.calls) == narrator.new_calls()
    for ordinal in (0, 1):
        plane.simulator.fault(plane.namespace, f"demo-dc1-r1-sts-{ordinal}", "fail-job")
    assert list(narrator.task("43").calls) == narrator.new_calls()
    narrator.assert_told()
