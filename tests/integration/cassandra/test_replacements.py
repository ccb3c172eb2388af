"""Nodes are replaced, restarted, changed pod by pod, and racks forced: what somebody asks for in the spec."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, NODES, PERSISTENT_VOLUME_CLAIMS, PODS
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.waiting import eventually

ONE_RACK: list[dict[str, str]] = [{"name": "rack1"}]


def conditions(plane: Plane) -> dict[str, str]:
    return plane.conditions(CASSANDRA_DATACENTERS, "dc1")


def finished(plane: Plane) -> dict[str, Any] | None:
    found = plane.settled()
    waits = found and (found["spec"].get("replaceNodes") or found["status"].get("nodeReplacements"))
    return None if waits else found


def test_a_replaced_node_gets_a_new_disk_and_the_place_of_the_old_one(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter()
    before = plane.wait_settled()["status"]["nodeStatuses"]
    name = "demo-dc1-rack2-sts-0"
    claim = plane.get(PERSISTENT_VOLUME_CLAIMS, f"server-data-{name}")["metadata"]["uid"]
    plane.patch_datacenter({"spec": {"replaceNodes": [name, "nobody"]}})
    eventually(lambda: plane.history("replace"), "the new node took the place of the old one")
    after = eventually(lambda: finished(plane), "the node is replaced")["status"]["nodeStatuses"]
    assert after[name]["hostID"] != before[name]["hostID"]
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }
    assert plane.get(PERSISTENT_VOLUME_CLAIMS, f"server-data-{name}")["metadata"]["uid"] != claim
    [start] = [each for each in plane.calls("/lifecycle/start") if "replace_ip" in str(each)]
    assert start["pod"] == name
    assert conditions(plane)["ReplacingNodes"] == "False"
    ring = plane.simulator.admin("ring", cluster="demo")["nodes"]
    mine = [each for each in ring if each["namespace"] == plane.namespace]
    assert sorted(each["host_id"] for each in mine) == sorted(each["hostID"] for each in after.values())


def test_a_change_reaches_one_pod_after_the_other(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=3, racks=ONE_RACK)
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"config": {"cassandra-yaml": {"num_tokens": 8}}}})
    plane.wait_settled(timeout=90)
    restarted = [each["pod"] for each in plane.history("restart")]
    assert restarted == [f"demo-dc1-rack1-sts-{ordinal}" for ordinal in (2, 1, 0)]
    [found] = plane.statefulsets().values()
    assert found["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 0
    assert "missioncontrol.io/rolling" not in found["metadata"]["annotations"]


def test_a_canary_stays_in_the_first_rack(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=4, racks=[{"name": "rack1"}, {"name": "rack2"}])
    plane.wait_settled()
    yaml = {"cassandra-yaml": {"num_tokens": 8}}
    plane.patch_datacenter({"spec": {"canaryUpgrade": True, "canaryUpgradeCount": 1, "config": yaml}})
    plane.wait_settled()
    assert [each["pod"] for each in plane.history("restart")] == ["demo-dc1-rack1-sts-1"]
    plane.patch_datacenter({"spec": {"canaryUpgrade": False}})
    plane.wait_settled(timeout=90)
    restarted = [each["pod"] for each in plane.history("restart")]
    assert restarted[1:] == [f"demo-dc1-{pod}" for pod in ("rack1-sts-0", "rack2-sts-1", "rack2-sts-0")]


def test_all_nodes_are_restarted_once_when_the_spec_asks_for_it(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"rollingRestartRequested": True}})
    eventually(lambda: len(plane.history("restart")) == 3, "three restarts", timeout=60)
    found = plane.wait_settled()
    assert "rollingRestartRequested" not in found["spec"]
    assert found["status"]["lastRollingRestart"]
    assert conditions(plane)["RollingRestart"] == "False"
    assert [each["pod"] for each in plane.history("restart")] == [
        f"demo-dc1-rack{rack}-sts-0" for rack in (1, 2, 3)
    ]
    assert len(plane.calls("/ops/node/drain")) == 3


def test_a_forced_rack_is_changed_though_another_one_is_down(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    down = "demo-dc1-rack1-sts-0"
    plane.simulator.fault(plane.namespace, down, "refuse-start")
    plane.simulator.fault(plane.namespace, down, "crash")
    eventually(lambda: plane.node_states()[down] != "Started", "a node is down")
    yaml = {"cassandra-yaml": {"num_tokens": 8}}
    plane.patch_datacenter({"spec": {"config": yaml, "forceUpgradeRacks": ["rack2"]}})
    restarted = eventually(lambda: plane.history("restart"), "the forced rack is changed")
    assert [each["pod"] for each in restarted] == ["demo-dc1-rack2-sts-0"]
    plane.simulator.fault(plane.namespace, down, "clear")
    plane.wait_settled(timeout=90)
    # each node ran on the new configuration in the end, and the forced rack was not changed twice
    again = [each["pod"] for each in plane.history("restart")]
    assert again.count("demo-dc1-rack2-sts-0") == 1
    assert again.count("demo-dc1-rack3-sts-0") == 1


def test_a_node_on_a_machine_that_is_gone_is_replaced_without_its_kubelet(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter()
    before = plane.wait_settled()["status"]["nodeStatuses"]
    name = "demo-dc1-rack2-sts-0"
    dead = move_to_a_dead_machine(plane, name)
    plane.patch_datacenter({"spec": {"replaceNodes": [name]}})
    eventually(lambda: plane.pods()[name]["metadata"].get("deletionTimestamp"), "its pod is to go")
    # the machine may still run it, for all that anybody has said
    assert plane.history("replace") == []
    plane.admin.request("DELETE", NODES.path(name=dead))
    after = eventually(lambda: finished(plane), "the node is replaced")["status"]["nodeStatuses"]
    assert after[name]["hostID"] != before[name]["hostID"]
    notes = [each.get("note", "") for each in plane.events()]
    assert f"Removed pod {name} by force: its Kubernetes node {dead} no longer exists" in notes


def move_to_a_dead_machine(plane: Plane, pod: str) -> str:
    """Have a pod bound to a Kubernetes node that has no kubelet; the name of that node."""
    name = f"dead-{plane.namespace}"
    amounts = {"cpu": "64", "memory": "512Gi", "pods": "250"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now, "lastTransitionTime": now}
    status = {"capacity": amounts, "allocatable": amounts, "conditions": [ready]}
    others = [each["metadata"]["name"] for each in plane.admin.get(NODES.path())["items"]]
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
    plane.admin.request("POST", NODES.path(), body)

    def let_schedule(machine: str, *, allowed: bool) -> None:
        patch = {"spec": {"unschedulable": None if allowed else True}}
        plane.admin.request(
            "PATCH", NODES.path(name=machine), patch, content_type="application/merge-patch+json"
        )

    try:
        for other in others:
            let_schedule(other, allowed=False)
        plane.delete(PODS, pod)
        eventually(
            lambda: plane.pods().get(pod, {}).get("spec", {}).get("nodeName") == name,
            "the new pod is bound to the dead machine",
        )
    finally:
        for other in others:
            let_schedule(other, allowed=True)
    return name
