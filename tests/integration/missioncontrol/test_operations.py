"""A rolling restart over two planes: planned, queued, carried out in order, stopped, cleared away."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from missioncontrol.api.resources import K8SSANDRA_TASKS, STORED_CLUSTERS, STORED_OPERATIONS
from tests.integration.missioncontrol.conftest import Json, World, cluster_body, eventually
from tests.processes import Program

NS = "ops"
PLANES = ("data-plane-1", "data-plane-2")


@pytest.fixture(scope="module")
def ready(world: World, operator: Program) -> World:
    world.home.make_namespace(NS)
    world.home.create(STORED_CLUSTERS, cluster_body("demo", ("dc1", PLANES[0], 2), ("dc2", PLANES[1], 1)), NS)
    eventually(lambda: world.condition("demo", NS, "Ready")["status"] == "True", within=40)
    return world


def restart(world: World, name: str, **spec: Any) -> None:
    body = {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {}, **spec}
    world.home.create(STORED_OPERATIONS, {"metadata": {"name": f"rollingrestart.{name}"}, "spec": body}, NS)


def status(world: World, name: str) -> Json:
    found: Json = world.home.get(STORED_OPERATIONS, f"rollingrestart.{name}", NS)["status"]
    return found


def phase(world: World, name: str) -> str:
    return str(status(world, name)["phase"])


def task(world: World, plane: str, name: str) -> Json | None:
    return world.planes[plane].api.find(K8SSANDRA_TASKS, name, NS)


def finish(world: World, plane: str, name: str, succeeded: int, **conditions: str) -> None:
    found = {"Complete": "True", **conditions}
    told = [
        {
            "type": key,
            "status": value,
            "reason": key,
            "message": "as played",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for key, value in found.items()
    ]
    played = {"succeeded": succeeded, "completionTime": "2026-01-01T00:00:00Z", "conditions": told}
    world.planes[plane].api.patch(K8SSANDRA_TASKS, name, {"status": played}, NS, "status")


def test_it_goes_datacenter_by_datacenter_as_listed_over_a_killed_operator(
    ready: World, operator: Program
) -> None:
    restart(ready, "r1", datacenters=["dc2", "dc1"])
    first = eventually(lambda: task(ready, PLANES[1], "rollingrestart.r1-dc2"))
    assert first["spec"]["template"]["jobs"] == [{"name": "rollingrestart.r1", "command": "restart"}]
    assert first["spec"]["cluster"] == {"name": "demo", "namespace": NS}
    stored = eventually(lambda: (s := status(ready, "r1"))["datacenters"][0]["phase"] == "Running" and s)
    assert [step["pods"] for step in stored["plan"]["steps"]] == [
        ["demo-dc2-r1-sts-0"],
        ["demo-dc1-r1-sts-1", "demo-dc1-r1-sts-0"],
    ]
    conditions = {each["type"]: each["status"] for each in stored["conditions"]}
    assert conditions == {"Planned": "True", "Running": "True"}
    assert task(ready, PLANES[0], "rollingrestart.r1-dc1") is None
    operator.stop(signal.SIGKILL)
    finish(ready, PLANES[1], "rollingrestart.r1-dc2", 1)
    operator.start()
    eventually(lambda: task(ready, PLANES[0], "rollingrestart.r1-dc1"), within=30)
    finish(ready, PLANES[0], "rollingrestart.r1-dc1", 2)
    done = eventually(lambda: (s := status(ready, "r1"))["phase"] == "Complete" and s)
    assert {each["type"]: each["status"] for each in done["conditions"]}["Complete"] == "True"
    assert [(each["name"], each["succeeded"], each["total"]) for each in done["datacenters"]] == [
        ("dc2", 1, 1),
        ("dc1", 2, 2),
    ]


def test_one_at_a_time_queue_or_reject(ready: World) -> None:
    restart(ready, "a", datacenters=["dc1"])
    eventually(lambda: phase(ready, "a") == "Running")
    restart(ready, "b", datacenters=["dc1"])
    restart(ready, "c", datacenters=["dc1"], onConflict="Reject")
    waits = eventually(lambda: (s := status(ready, "b"))["phase"] == "Queued" and s)
    assert waits["plan"]["blocking"] == ["RollingRestart a is running"]
    refused = eventually(lambda: (s := status(ready, "c"))["phase"] == "Failed" and s)
    assert "RollingRestart a is running" in refused["message"]
    eventually(lambda: task(ready, PLANES[0], "rollingrestart.a-dc1"))
    finish(ready, PLANES[0], "rollingrestart.a-dc1", 2)
    eventually(lambda: phase(ready, "b") == "Running")
    eventually(lambda: task(ready, PLANES[0], "rollingrestart.b-dc1"))
    finish(ready, PLANES[0], "rollingrestart.b-dc1", 0, Failed="True")
    failed = eventually(lambda: (s := status(ready, "b"))["phase"] == "Failed" and s)
    assert "as played" in failed["message"]


def test_cancel_travels_and_the_end_is_confirmed_by_the_plane(ready: World) -> None:
    restart(ready, "stop")
    name = "rollingrestart.stop-dc1"
    eventually(lambda: task(ready, PLANES[0], name))
    eventually(lambda: status(ready, "stop")["datacenters"][0]["phase"] == "Running")
    annotation = {"missioncontrol.io/cancel": "2026-01-01T00:00:00Z"}
    ready.home.patch(STORED_OPERATIONS, "rollingrestart.stop", {"metadata": {"annotations": annotation}}, NS)
    eventually(lambda: task(ready, PLANES[0], name)["metadata"]["annotations"]["missioncontrol.io/cancel"])  # type: ignore[index]
    assert phase(ready, "stop") == "Running"
    finish(ready, PLANES[0], name, 1, Cancelled="True")
    told = eventually(lambda: (s := status(ready, "stop"))["phase"] == "Cancelled" and s)
    assert [each["phase"] for each in told["datacenters"]] == ["Cancelled", "Cancelled"]
    assert task(ready, PLANES[1], "rollingrestart.stop-dc2") is None


def test_what_cannot_be_done_fails_with_a_sentence(ready: World) -> None:
    restart(ready, "lost", clusterName="nowhere")
    restart(ready, "far", datacenters=["dc9"])
    assert (
        "no such MissionControlCluster"
        in eventually(lambda: phase(ready, "lost") == "Failed" and status(ready, "lost"))["message"]
    )
    message = eventually(lambda: phase(ready, "far") == "Failed" and status(ready, "far"))["message"]
    assert "spec.datacenters[0]" in message
    assert "dc1, dc2" in message


def test_racks_are_tasks_of_their_own_and_time_to_live_ends_it(ready: World) -> None:
    restart(ready, "racks", datacenters=["dc1"], rollingrestart={"racks": ["r1"]}, ttlSecondsAfterFinished=2)
    found = eventually(lambda: task(ready, PLANES[0], "rollingrestart.racks-dc1-r1"))
    assert found["spec"]["template"]["jobs"][0]["args"] == {"rack": "r1"}
    finish(ready, PLANES[0], "rollingrestart.racks-dc1-r1", 2)
    eventually(lambda: phase(ready, "racks") == "Complete")
    eventually(lambda: ready.home.find(STORED_OPERATIONS, "rollingrestart.racks", NS) is None)
    assert task(ready, PLANES[0], "rollingrestart.racks-dc1-r1") is None


def test_a_dark_plane_is_waited_for_and_deletion_takes_the_tasks(ready: World) -> None:
    restart(ready, "dark", datacenters=["dc2"])
    name = "rollingrestart.dark-dc2"
    eventually(lambda: task(ready, PLANES[1], name))
    eventually(lambda: status(ready, "dark")["datacenters"][0]["phase"] == "Running")
    played = ready.planes[PLANES[1]].plane
    played.stop_component("kube-apiserver", kill=True)
    try:
        eventually(lambda: "data-plane-2 is away" in status(ready, "dark")["message"], within=20)
        ready.home.delete(STORED_OPERATIONS, "rollingrestart.dark", NS)
        eventually(lambda: "is being deleted" in status(ready, "dark")["message"])
    finally:
        played.start_component("kube-apiserver")
        played.wait_component("kube-apiserver")
    eventually(lambda: ready.home.find(STORED_OPERATIONS, "rollingrestart.dark", NS) is None, within=20)
    assert task(ready, PLANES[1], name) is None


def test_operations_go_with_their_cluster(ready: World) -> None:
    ready.home.delete(STORED_CLUSTERS, "demo", NS)
    eventually(lambda: ready.home.find(STORED_CLUSTERS, "demo", NS) is None, within=30)
    for plane in PLANES:
        assert ready.planes[plane].api.list(K8SSANDRA_TASKS, NS) == []
    gone = ("rollingrestart.r1", "rollingrestart.a", "rollingrestart.stop")
    eventually(lambda: all(ready.home.find(STORED_OPERATIONS, name, NS) is None for name in gone), within=30)
