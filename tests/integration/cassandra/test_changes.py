"""A running datacenter grows, is restarted, changes its configuration, loses a pod, and goes."""

from __future__ import annotations

import time

from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
    STATEFUL_SETS,
)
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.waiting import eventually


def test_a_datacenter_grows_evenly_and_cleans_up(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    began = time.monotonic()
    plane.patch_datacenter({"spec": {"size": 6}})
    found = plane.wait_settled()
    print(f"3 -> 6 nodes after {time.monotonic() - began:.2f} s")
    assert {name: each["spec"]["replicas"] for name, each in plane.statefulsets().items()} == {
        f"demo-dc1-rack{number}-sts": 2 for number in (1, 2, 3)
    }
    joined = [each["pod"] for each in plane.history("bootstrap")]
    assert joined == [f"demo-dc1-rack{rack}-sts-{ordinal}" for ordinal in (0, 1) for rack in (1, 2, 3)]
    assert len(found["status"]["nodeStatuses"]) == 6
    assert plane.conditions(CASSANDRA_DATACENTERS, "dc1")["ScalingUp"] == "False"
    [task] = plane.list(CASSANDRA_TASKS)
    assert task["metadata"]["name"].startswith("cleanup-")
    done = plane.wait_task(task["metadata"]["name"])
    assert done["status"]["succeeded"] == 6
    budget = plane.get(POD_DISRUPTION_BUDGETS, "dc1-pdb")
    assert budget["spec"]["minAvailable"] == 5
    assert plane.history("refused", "ignored") == []


def test_a_restart_goes_rack_by_rack_and_counts(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    before = {name: pod["metadata"]["uid"] for name, pod in plane.pods().items()}
    began = time.monotonic()
    plane.create_task("again", "restart")
    done = plane.wait_task("again")
    print(f"restart of 3 nodes after {time.monotonic() - began:.2f} s")
    assert done["status"]["succeeded"] == 3

    def labelled() -> bool:
        labels: dict[str, str] = plane.get(CASSANDRA_TASKS, "again")["metadata"]["labels"]
        return labels["control.k8ssandra.io/status"] == "completed"

    eventually(labelled, "the label follows the status")
    after = {name: pod["metadata"]["uid"] for name, pod in plane.pods().items()}
    assert all(before[name] != after[name] for name in before)
    restarted = [each["pod"] for each in plane.history("restart")]
    assert restarted == [f"demo-dc1-rack{number}-sts-0" for number in (1, 2, 3)]
    assert len(plane.history("bootstrap")) == 3


def test_a_cancelled_restart_stops_before_the_next_rack(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    plane.create_task("again", "restart")
    key = "control.k8ssandra.io/restartedAt"

    def marked() -> list[str]:
        sets = plane.statefulsets().items()
        return [
            name
            for name, each in sets
            if key in (each["spec"]["template"]["metadata"].get("annotations") or {})
        ]

    eventually(marked, "the first rack is marked")
    plane.patch(CASSANDRA_TASKS, "again", {"metadata": {"annotations": {"missioncontrol.io/cancel": "true"}}})
    done = plane.wait_task("again", "Cancelled")
    assert plane.conditions(CASSANDRA_TASKS, "again")["Complete"] == "True"
    assert done["status"]["succeeded"] == 1
    assert marked() == ["demo-dc1-rack1-sts"]


def test_an_unknown_command_fails_and_blocks_nobody(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=1, racks=[{"name": "rack1"}])
    plane.wait_settled()
    plane.create_task("dance", "dance")
    plane.create_task("flush", "flush", concurrencyPolicy="Forbid")
    failed = plane.wait_task("dance", "Failed")
    message = next(c["message"] for c in failed["status"]["conditions"] if c["type"] == "Failed")
    assert "spec.jobs[0].command: 'dance' is not a command; known are" in message
    assert plane.wait_task("flush")["status"]["succeeded"] == 1


def test_a_changed_configuration_rolls_rack_by_rack(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    began = time.monotonic()
    plane.patch_datacenter({"spec": {"config": {"cassandra-yaml": {"num_tokens": 8}}}})
    plane.wait_settled()
    print(f"rolling change of 3 nodes after {time.monotonic() - began:.2f} s")
    restarted = [each["pod"] for each in plane.history("restart")]
    assert restarted == [f"demo-dc1-rack{number}-sts-0" for number in (1, 2, 3)]
    assert plane.conditions(CASSANDRA_DATACENTERS, "dc1")["Updating"] == "False"
    assert len(plane.history("bootstrap")) == 3


def test_a_crashed_container_is_started_again(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    plane.simulator.fault(plane.namespace, "demo-dc1-rack2-sts-0", "crash")
    eventually(lambda: plane.history("restart"), "the node was started again")
    eventually(lambda: set(plane.node_states().values()) == {"Started"}, "all nodes are started")
    assert len(plane.history("bootstrap")) == 3


def test_deleted_objects_and_pods_come_back(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    uid = plane.get(PODS, "demo-dc1-rack1-sts-0")["metadata"]["uid"]
    plane.delete(PODS, "demo-dc1-rack1-sts-0")
    plane.delete(POD_DISRUPTION_BUDGETS, "dc1-pdb")
    plane.delete(SERVICES, "demo-seed-service")
    eventually(lambda: plane.find(POD_DISRUPTION_BUDGETS, "dc1-pdb"), "the budget is back")
    eventually(lambda: plane.find(SERVICES, "demo-seed-service"), "the Service is back")

    def back() -> bool:
        pod = plane.find(PODS, "demo-dc1-rack1-sts-0")
        state = (pod or {}).get("metadata", {}).get("labels", {}).get("cassandra.datastax.com/node-state")
        return pod is not None and pod["metadata"]["uid"] != uid and state == "Started"

    eventually(back, "the pod is back and started")


def test_what_is_not_supported_is_refused_with_its_path(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"size": 2}})

    def message() -> str:
        found = plane.get(CASSANDRA_DATACENTERS, "dc1")["status"]["conditions"]
        return next((c["message"] for c in found if c["type"] == "Valid" and c["status"] == "False"), "")

    said = eventually(message, "the datacenter is refused")
    assert said.startswith("spec.size: ")
    assert all(each["spec"]["replicas"] == 1 for each in plane.statefulsets().values())
    plane.patch_datacenter({"spec": {"size": 3}})
    plane.wait_settled()
    eventually(lambda: message() == "", "the datacenter is valid again")


def test_a_deleted_datacenter_leaves_no_volumes(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    assert len(plane.list(PERSISTENT_VOLUME_CLAIMS)) == 3
    began = time.monotonic()
    plane.delete(CASSANDRA_DATACENTERS, "dc1")
    eventually(lambda: plane.find(CASSANDRA_DATACENTERS, "dc1") is None, "the datacenter is gone")
    print(f"deleted after {time.monotonic() - began:.2f} s")
    eventually(lambda: not plane.list(PERSISTENT_VOLUME_CLAIMS), "the claims are gone")
    eventually(lambda: not plane.list(STATEFUL_SETS), "the StatefulSets are gone")


def test_node_ports_are_opened_and_closed_on_a_running_datacenter(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter(size=1, racks=[{"name": "rack1"}])
    plane.wait_settled()

    def ports(service: str) -> dict[str, tuple[int, int | None]]:
        found = plane.find(SERVICES, service) or {"spec": {}}
        return {each["name"]: (each["port"], each.get("nodePort")) for each in found["spec"].get("ports", [])}

    native, internode = 30042, 30070
    plane.patch_datacenter({"spec": {"networking": {"nodePort": {"native": native, "internode": internode}}}})
    plane.wait_settled()
    assert ports("demo-dc1-node-port-service") == {
        "native": (native, native),
        "internode": (internode, internode),
    }
    assert ports("demo-dc1-service")["native"] == (native, None)
    plane.patch_datacenter({"spec": {"networking": None}})
    plane.wait_settled()
    assert ports("demo-dc1-node-port-service") == {}
    assert ports("demo-dc1-service")["native"] == (9042, None)
    assert len(plane.history("restart")) == 2
