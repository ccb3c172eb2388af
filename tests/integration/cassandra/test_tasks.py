"""Every command of CassandraTask, on one running datacenter: what nodes are asked to do, and what is told."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    EVENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    SCHEDULED_TASKS,
    STATEFUL_SETS,
)
from missioncontrol.local.control_plane import ControlPlane
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.processes import Simulator
from tests.waiting import eventually

Json = dict[str, Any]
RACK1, RACK2, RACK3 = (f"demo-dc1-rack{number}-sts-0" for number in (1, 2, 3))
SECOND = "demo-dc1-rack1-sts-1"


@pytest.fixture(scope="module")
def running(
    data_plane: ControlPlane, simulator: Simulator, operator_process: OperatorProcess
) -> Iterator[Plane]:
    """A datacenter of four nodes, two of them in the first rack, that all tests here share."""
    operator_process.start()
    with data_plane.admin_client() as admin:
        admin.request("POST", NAMESPACES.path(), {"metadata": {"name": "tasks"}})
        plane = Plane(admin, "tasks", simulator)
        plane.create_datacenter(size=4, config={"cassandra-yaml": {"num_tokens": 1}}, minReadySeconds=0)
        plane.wait_settled(timeout=90)
        yield plane
        admin.request("DELETE", NAMESPACES.path(name="tasks"))


def bodies(plane: Plane, path: str, pod: str = "") -> list[Json | None]:
    found = [each for each in plane.calls(path) if pod in ("", each["pod"])]
    return [json.loads(each["body"]) if each.get("body") else None for each in found]


COMMANDS: list[tuple[str, str, Json, str, Json | None]] = [
    ("cleanup", "cleanup", {}, "/api/v1/ops/keyspace/cleanup", {}),
    (
        "upgrade",
        "upgradesstables",
        {"jobs": 2, "keyspace_name": "ks", "tables": ["t1", "t2"]},
        "/api/v1/ops/tables/sstables/upgrade",
        {"jobs": "2", "keyspace_name": "ks", "tables": ["t1", "t2"]},
    ),
    (
        "scrub",
        "scrub",
        {"no_snapshot": True},
        "/api/v1/ops/tables/scrub",
        {
            "disable_snapshot": True,
            "skip_corrupted": False,
            "check_data": True,
            "reinsert_overflowed_ttl": False,
            "jobs": -1,
            "keyspace_name": "",
            "tables": None,
        },
    ),
    ("compact", "compact", {}, "/api/v1/ops/tables/compact", {"keyspace_name": "", "tables": None}),
    (
        "collect",
        "garbagecollect",
        {"keyspace_name": "ks"},
        "/api/v1/ops/tables/garbagecollect",
        {"keyspace_name": "ks"},
    ),
    ("flush", "flush", {}, "/api/v1/ops/tables/flush", {}),
    ("rebuild", "rebuild", {"source_datacenter": "dc1"}, "/api/v1/ops/node/rebuild?src_dc=dc1", None),
    ("reload", "tsreload", {}, "/api/v0/ops/node/encryption/internode/truststore/reload", None),
]


def test_each_command_asks_the_node_for_what_it_names(running: Plane) -> None:
    for name, command, args, _, _ in COMMANDS:
        running.create_task(name, command, args={**args, "rack": "rack2"}, concurrencyPolicy="Allow")
    for name, _, _, path, body in COMMANDS:
        status = running.wait_task(name)["status"]
        assert status["succeeded"] == 1, name
        assert "active" not in status
        assert status["podStatuses"][RACK2]["status"] == "COMPLETED"
        assert bodies(running, path) == [body], name
        states = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}
        assert states == {"Running": ("False", "Running"), "Complete": ("True", "Complete")}


def test_nodes_are_moved_one_after_the_other(running: Plane) -> None:
    tokens = {RACK1: "1", RACK3: "-7"}
    running.create_task("move", "move", args={"new_tokens": tokens}, maxConcurrentPods=3)
    assert running.wait_task("move")["status"]["succeeded"] == 2
    calls = running.calls("/ops/node/move")
    assert [(each["pod"], each["path"].partition("=")[2]) for each in calls] == [(RACK1, "1"), (RACK3, "-7")]
    assert calls[1]["time"] - calls[0]["time"] >= 2000


def test_a_malformed_task_fails_at_once_with_a_sentence_and_holds_up_nobody(running: Plane) -> None:
    running.create_task("bad", "flush", args={"rack": "rack9"})
    running.create_task("behind", "flush", args={"rack": "rack2"})
    failed = running.wait_task("bad", "Failed")
    [message] = [c["message"] for c in failed["status"]["conditions"] if c["type"] == "Failed"]
    assert message == (
        "terminal error: spec.jobs[0].args.rack: there is no rack 'rack9'; the racks are: rack1, rack2, rack3"
    )
    assert running.wait_task("behind")["status"]["succeeded"] == 1


def test_an_old_node_does_the_job_while_it_is_waited_for(running: Plane) -> None:
    for pod in (RACK2, RACK3):
        running.simulator.fault("tasks", pod, "old-api")
    crash(running, RACK2)  # what a node can do is asked once for each run of its container
    running.create_task("old", "cleanup", args={"rack": "rack2"})
    status = running.wait_task("old")["status"]["podStatuses"][RACK2]
    assert status["status"] == "COMPLETED"
    assert "jobId" not in status
    assert len(bodies(running, "/api/v0/ops/keyspace/cleanup", RACK2)) == 1
    crash(running, RACK3)
    running.create_task("impossible", "move", args={"new_tokens": {RACK3: "9"}})
    failed = running.wait_task("impossible", "Failed")["status"]
    assert failed["podStatuses"][RACK3]["error"] == "this job isn't supported by the target pod"
    for pod in (RACK2, RACK3):
        running.simulator.fault("tasks", pod, "clear")
        crash(running, pod)


def crash(plane: Plane, pod: str) -> None:
    """Another run of the pod's container, and its node back in the ring."""
    before = _restarts(plane, pod)
    plane.simulator.fault("tasks", pod, "crash")

    def back() -> bool:
        return _restarts(plane, pod) > before and plane.node_states()[pod] == "Started"

    eventually(back, f"{pod} is back", timeout=60)
    plane.wait_settled()


def _restarts(plane: Plane, pod: str) -> int:
    statuses = plane.pods()[pod]["status"].get("containerStatuses") or []
    return max((each["restartCount"] for each in statuses), default=0)


def test_a_failing_node_is_tried_again_then_reported_and_the_others_are_done(running: Plane) -> None:
    running.simulator.fault("tasks", RACK2, "fail-job")
    running.create_task("partly", "compact")
    status = running.wait_task("partly", "Failed")["status"]
    running.simulator.fault("tasks", RACK2, "clear")
    assert (status["succeeded"], status["failed"]) == (3, 1)
    assert status["podStatuses"][RACK2]["retries"] == 1
    assert "the job was made to fail" in status["podStatuses"][RACK2]["error"]
    [message] = [c["message"] for c in status["conditions"] if c["type"] == "Failed"]
    assert message == "1 pods failed during processing"

    def told() -> bool:
        notes = [each["note"] for each in running.list(EVENTS) if each["reason"] == "TaskPodFailed"]
        return any(f"compact failed on {RACK2}" in note for note in notes)

    eventually(told, "an event names the node")


def test_a_hanging_node_holds_up_no_other_task(running: Plane) -> None:
    running.simulator.fault("tasks", RACK1, "hang")
    running.create_task("stuck", "flush", args={"rack": "rack1"}, concurrencyPolicy="Allow")
    running.create_task("free", "flush", args={"rack": "rack3"}, concurrencyPolicy="Allow")
    running.wait_task("free")
    assert running.conditions(CASSANDRA_TASKS, "stuck").get("Complete") is None
    running.simulator.fault("tasks", RACK1, "clear")
    assert running.wait_task("stuck")["status"]["succeeded"] == 2


def test_a_killed_operator_goes_on_with_the_jobs_that_run(
    running: Plane, operator_process: OperatorProcess
) -> None:
    seen = len(running.calls("/api/v1/ops/keyspace/cleanup"))
    running.create_task("survivor", "cleanup", maxConcurrentPods=2)
    path = CASSANDRA_TASKS.path("tasks", "survivor")
    eventually(
        lambda: len(running.admin.get(path).get("status", {}).get("podStatuses", {})) == 2, "two jobs run"
    )
    operator_process.stop(signal.SIGKILL)
    operator_process.start()
    assert running.wait_task("survivor")["status"]["succeeded"] == 4
    assert len(running.calls("/api/v1/ops/keyspace/cleanup")) - seen == 4


def test_a_cancelled_task_begins_no_further_node(running: Plane) -> None:
    running.create_task("stop", "scrub")
    path = CASSANDRA_TASKS.path("tasks", "stop")
    eventually(lambda: running.admin.get(path).get("status", {}).get("podStatuses"), "a node works")
    running.patch(
        CASSANDRA_TASKS, "stop", {"metadata": {"annotations": {"missioncontrol.io/cancel": "true"}}}
    )
    status = running.wait_task("stop", "Cancelled")["status"]
    assert status["succeeded"] == 1
    [message] = [c["message"] for c in status["conditions"] if c["type"] == "Cancelled"]
    assert message == "cancelled after 1 pods; 3 were not worked on"


def test_a_refreshed_datacenter_rests_again(running: Plane) -> None:
    running.create_task("fresh", "refresh")
    found = running.wait_task("fresh")
    assert running.conditions(CASSANDRA_TASKS, "fresh")["DatacenterUpdated"] == "True"
    assert "succeeded" not in found["status"]
    annotations = running.get(CASSANDRA_DATACENTERS, "dc1")["metadata"].get("annotations") or {}
    assert "cassandra.datastax.com/autoupdate-spec" not in annotations


def test_a_restart_is_cancelled_between_two_pods_of_a_rack(running: Plane) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    running.create_task("half", "restart")
    eventually(lambda: _uid(running, SECOND) not in ("", before[SECOND]), "the first pod is replaced")
    running.patch(
        CASSANDRA_TASKS, "half", {"metadata": {"annotations": {"missioncontrol.io/cancel": "true"}}}
    )
    status = running.wait_task("half", "Cancelled")["status"]
    assert status["succeeded"] == 1
    running.wait_settled()
    after = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    assert {name for name in before if before[name] != after[name]} == {SECOND}

    # what comes after it is not held up, and takes all pods along
    running.create_task("all", "restart")
    assert running.wait_task("all", timeout=120)["status"]["succeeded"] == 4
    last = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    assert not {name for name in after if after[name] == last[name]}
    for each in running.list(STATEFUL_SETS):
        assert each["spec"]["updateStrategy"]["rollingUpdate"].get("partition", 0) == 0


def _uid(plane: Plane, pod: str) -> str:
    found = plane.pods().get(pod)
    return str(found["metadata"]["uid"]) if found else ""


def test_one_pod_and_one_rack_at_once_are_restarted_when_asked_for(running: Plane) -> None:
    running.wait_settled()
    before = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    running.create_task("single", "restart", args={"pod_name": RACK2})
    assert running.wait_task("single")["status"]["succeeded"] == 1
    after = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    assert {name for name in before if before[name] != after[name]} == {RACK2}
    running.wait_settled()
    running.create_task("fast", "restart", args={"rack": "rack1", "fast": True})
    assert running.wait_task("fast")["status"]["succeeded"] == 2
    last = {name: pod["metadata"]["uid"] for name, pod in running.pods().items()}
    assert {name for name in after if after[name] != last[name]} == {RACK1, SECOND}


def test_a_replaced_node_is_another_one_on_another_disk(running: Plane) -> None:
    before = running.wait_settled()["status"]["nodeStatuses"]
    claims = {
        each["metadata"]["name"]: each["metadata"]["uid"] for each in running.list(PERSISTENT_VOLUME_CLAIMS)
    }
    running.create_task("replace", "replacenode", args={"pod_name": RACK3})
    status = running.wait_task("replace", timeout=120)["status"]
    assert status["succeeded"] == 1
    assert status["podStatuses"][RACK3]["status"] == "COMPLETED"
    after = running.wait_settled()["status"]["nodeStatuses"]
    assert {name for name in before if before[name]["hostID"] != after[name]["hostID"]} == {RACK3}
    disks = {
        each["metadata"]["name"]: each["metadata"]["uid"] for each in running.list(PERSISTENT_VOLUME_CLAIMS)
    }
    assert {name for name in claims if claims[name] != disks[name]} == {f"server-data-{RACK3}"}
    assert [each["pod"] for each in running.history("replace")] == [RACK3]
    assert not running.get(CASSANDRA_DATACENTERS, "dc1")["status"].get("nodeReplacements")


def test_a_schedule_makes_a_task_each_time(running: Plane) -> None:
    details = {
        "name": "ignored",
        "datacenter": {"name": "dc1", "namespace": "tasks"},
        "jobs": [{"name": "f", "command": "flush", "args": {"rack": "rack2"}}],
    }
    for name, schedule in (("often", "@every 2s"), ("never", "61 * * * *")):
        body = {
            "apiVersion": SCHEDULED_TASKS.api_version,
            "kind": SCHEDULED_TASKS.kind,
            "metadata": {"name": name},
            "spec": {"schedule": schedule, "taskDetails": details},
        }
        running.admin.request("POST", SCHEDULED_TASKS.path("tasks"), body)

    def made() -> list[Json]:
        tasks = [
            each for each in running.list(CASSANDRA_TASKS) if each["metadata"]["name"].startswith("often-")
        ]
        done = [each for each in tasks if each.get("status", {}).get("completionTime")]
        return done if len(done) >= 2 else []

    first, second = eventually(made, "two tasks are made and done", timeout=40)[:2]
    found = running.get(SCHEDULED_TASKS, "often")
    assert found["metadata"]["ownerReferences"][0]["name"] == "dc1"
    assert found["status"]["lastExecution"] < found["status"]["nextSchedule"]
    assert "name" not in first["spec"]
    # each waits for the one before it: both would flush
    assert first["status"]["completionTime"] <= second["metadata"]["creationTimestamp"]

    def told() -> bool:
        notes = [each["note"] for each in running.list(EVENTS) if each["reason"] == "InvalidSpec"]
        return "spec.schedule: minute: '61' is outside 0-59" in notes

    eventually(told, "an event says what is wrong with a schedule")
    running.delete(SCHEDULED_TASKS, "often")
