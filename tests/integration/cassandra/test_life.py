"""A datacenter shrinks, stops, is resumed, gets racks, and leaves its ring before it is deleted."""

from __future__ import annotations

import time
from typing import Any

from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    SECRETS,
)
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.waiting import eventually


def racks(count: int) -> list[dict[str, str]]:
    return [{"name": f"rack{number}"} for number in range(1, count + 1)]


def condition(plane: Plane, kind: str, name: str = "dc1") -> dict[str, Any]:
    found = plane.get(CASSANDRA_DATACENTERS, name)["status"]["conditions"]
    return next((each for each in found if each["type"] == kind), {})


def test_nodes_leave_one_by_one_before_their_pods_and_volumes_go(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter(size=6)
    plane.wait_settled()
    began = time.monotonic()
    plane.patch_datacenter({"spec": {"size": 3}})
    found = plane.wait_settled(timeout=90)
    print(f"6 -> 3 nodes after {time.monotonic() - began:.2f} s")
    left = [each["pod"] for each in plane.history("decommission")]
    assert left == [f"demo-dc1-rack{rack}-sts-1" for rack in (3, 2, 1)]
    assert len(plane.calls("/ops/node/decommission")) == 3
    assert {each["spec"]["replicas"] for each in plane.statefulsets().values()} == {1}
    assert sorted(found["status"]["nodeStatuses"]) == [f"demo-dc1-rack{rack}-sts-0" for rack in (1, 2, 3)]
    eventually(lambda: len(plane.list(PERSISTENT_VOLUME_CLAIMS)) == 3, "the volumes of those that left go")
    assert condition(plane, "ScalingDown")["status"] == "False"
    assert plane.get(POD_DISRUPTION_BUDGETS, "dc1-pdb")["spec"]["minAvailable"] == 2
    assert plane.list(CASSANDRA_TASKS) == []
    plane.patch_datacenter({"spec": {"size": 6}})
    plane.wait_settled()
    assert len(plane.history("bootstrap")) == 9
    assert plane.history("refused", "ignored") == []


def test_nodes_stay_where_replicas_would_be_lost(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=3, racks=racks(1))
    plane.wait_settled()
    body = {"keyspace_name": "shop", "replication_settings": [{"dc_name": "dc1", "replication_factor": 3}]}
    plane.call("POST", "demo-dc1-rack1-sts-0", "/api/v0/ops/keyspace/create", body)
    plane.patch_datacenter({"spec": {"size": 2}})
    valid = eventually(
        lambda: (c := condition(plane, "Valid")) and c["status"] == "False" and c, "the size is refused"
    )
    assert valid["reason"] == "notEnoughNodesForReplication"
    assert valid["message"].startswith("spec.size: keyspace shop has 3 replicas")
    assert plane.history("decommission") == []
    plane.patch_datacenter({"spec": {"size": 3}})
    plane.wait_settled()
    assert condition(plane, "Valid")["status"] == "True"


def test_a_stopped_datacenter_keeps_its_disks_and_comes_back_whole(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter(size=6)
    plane.wait_settled()
    began = time.monotonic()
    plane.patch_datacenter({"spec": {"stopped": True}})

    def stopped() -> bool:
        found = plane.get(CASSANDRA_DATACENTERS, "dc1")
        status = found["status"]
        return (
            status["cassandraOperatorProgress"] == "Ready"
            and status["observedGeneration"] == found["metadata"]["generation"]
        )

    eventually(stopped, "the datacenter is stopped")
    print(f"6 nodes stopped after {time.monotonic() - began:.2f} s")
    assert plane.pods() == {}
    assert condition(plane, "Stopped")["status"] == "True"
    assert condition(plane, "Ready")["status"] == "False"
    assert len(plane.calls("/ops/node/drain")) == 6
    assert len(plane.list(PERSISTENT_VOLUME_CLAIMS)) == 6
    began = time.monotonic()
    # fewer nodes are wanted: all come back first, and then some leave
    plane.patch_datacenter({"spec": {"stopped": False}})
    found = plane.wait_settled()
    print(f"6 nodes resumed after {time.monotonic() - began:.2f} s")
    assert len(found["status"]["nodeStatuses"]) == 6
    assert len(plane.history("bootstrap")) == 6
    assert len(plane.history("restart")) == 6
    assert condition(plane, "Stopped")["status"] == "False"
    assert condition(plane, "Resuming")["status"] == "False"
    assert plane.list(CASSANDRA_TASKS) == []


def test_a_datacenter_may_be_made_stopped_and_started_later(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(stopped=True)
    found = eventually(
        lambda: (
            (dc := plane.get(CASSANDRA_DATACENTERS, "dc1")).get("status", {}).get("observedGeneration") and dc
        ),
        "the stopped datacenter is settled",
    )
    kinds = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert kinds["Stopped"] == kinds["Initialized"] == "True"
    assert "Ready" not in kinds
    assert "Healthy" not in kinds
    assert {each["spec"]["replicas"] for each in plane.statefulsets().values()} == {0}
    plane.patch_datacenter({"spec": {"stopped": False}})
    plane.wait_settled()
    assert len(plane.history("bootstrap")) == 3


def test_racks_are_added_with_the_nodes_that_fill_them(operator: OperatorProcess, plane: Plane) -> None:
    tracked = {"cassandra.datastax.com/track-cleanup-tasks": "true"}
    plane.create_datacenter(size=2, racks=racks(2), annotations=tracked)
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"size": 4, "racks": racks(4)}})
    found = plane.wait_settled()
    joined = [each["pod"] for each in plane.history("bootstrap")]
    assert joined == [f"demo-dc1-rack{rack}-sts-0" for rack in (1, 2, 3, 4)]
    # the datacenter was asked to wait for the cleanup
    [task] = plane.list(CASSANDRA_TASKS)
    assert task["status"]["succeeded"] == 4
    assert not found["status"].get("trackedTasks")


def test_a_datacenter_leaves_its_ring_before_it_is_deleted(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter("dc1", size=2, racks=racks(1))
    plane.wait_settled("dc1")
    seed = plane.pods()["demo-dc1-rack1-sts-0"]["status"]["podIP"]
    leave = {"cassandra.datastax.com/decommission-on-delete": "true"}
    plane.create_datacenter("dc2", size=2, racks=racks(1), additionalSeeds=[seed], annotations=leave)
    plane.wait_settled("dc2")
    plane.delete(CASSANDRA_DATACENTERS, "dc2")
    eventually(lambda: plane.find(CASSANDRA_DATACENTERS, "dc2") is None, "dc2 is gone", timeout=60)
    left = [each["pod"] for each in plane.history("decommission")]
    assert left == ["demo-dc2-rack1-sts-1", "demo-dc2-rack1-sts-0"]
    assert plane.settled("dc1")
    secret = plane.get(SECRETS, "demo-superuser")["metadata"]
    assert "dc2" not in secret["annotations"]["cassandra.datastax.com/watched-by"]


def test_a_lone_datacenter_is_deleted_though_it_was_to_leave(operator: OperatorProcess, plane: Plane) -> None:
    leave = {"cassandra.datastax.com/decommission-on-delete": "true"}
    plane.create_datacenter(size=1, racks=racks(1), annotations=leave)
    plane.wait_settled()
    plane.delete(CASSANDRA_DATACENTERS, "dc1")
    eventually(lambda: plane.find(CASSANDRA_DATACENTERS, "dc1") is None, "the datacenter is gone")
    assert plane.history("decommission") == []


def test_nodes_stay_where_the_others_have_no_room(operator: OperatorProcess, plane: Plane) -> None:
    def storage(size: str) -> dict[str, Any]:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return {"cassandraDataVolumeClaimSpec": {"storageClassName": "standard", **claim}}

    # a simulated node says that it holds about 100 KiB
    plane.create_datacenter(size=2, racks=racks(1), storageConfig=storage("150Ki"))
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"size": 1}})
    valid = eventually(
        lambda: (c := condition(plane, "Valid")) and c["status"] == "False" and c, "the size is refused"
    )
    assert valid["reason"] == "notEnoughSpaceToScaleDown"
    assert plane.history("decommission") == []
    assert condition(plane, "ScalingDown")["status"] == "False"
    allow = {"cassandra.datastax.com/allow-storage-changes": "true"}
    grown = {"metadata": {"annotations": allow}, "spec": {"storageConfig": storage("1Mi")}}
    plane.patch_datacenter(grown)
    plane.wait_settled()
    assert [each["pod"] for each in plane.history("decommission")] == ["demo-dc1-rack1-sts-1"]


def test_a_node_leaves_in_the_end_though_its_api_is_old_its_job_fails_or_it_crashes(
    operator: OperatorProcess, plane: Plane
) -> None:
    plane.create_datacenter(size=4, racks=racks(1))
    plane.wait_settled()
    old, failing, crashing = (f"demo-dc1-rack1-sts-{ordinal}" for ordinal in (3, 2, 1))
    plane.simulator.fault(plane.namespace, old, "old-api")
    plane.simulator.fault(plane.namespace, failing, "fail-job")
    plane.patch_datacenter({"spec": {"size": 1}})

    def told(pod: str) -> int:
        return [each["pod"] for each in plane.history("decommission")].count(pod)

    eventually(
        lambda: told(failing) and "could not leave" in condition(plane, "ScalingDown")["message"], "it failed"
    )
    assert told(old) == 1
    assert [each["path"][:8] for each in plane.calls("decommission") if each["pod"] == old] == ["/api/v0/"]
    plane.simulator.fault(plane.namespace, failing, "clear")
    eventually(lambda: told(crashing), "the last one leaves", timeout=60)
    plane.simulator.fault(plane.namespace, crashing, "crash")
    found = plane.wait_settled(timeout=60)
    assert told(crashing) == 2
    assert list(found["status"]["nodeStatuses"]) == ["demo-dc1-rack1-sts-0"]
    eventually(lambda: len(plane.list(PERSISTENT_VOLUME_CLAIMS)) == 1, "one volume is left")
