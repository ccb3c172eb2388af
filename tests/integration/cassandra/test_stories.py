"""Stories that upstream's operator was recorded in, told again by ours: the same calls in the same order, the
same ends of tasks, and no event of upstream's missing. What differs on purpose is named here.
"""

from __future__ import annotations

from missioncontrol.api.names import EventReason, Label, LabelValue
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SCHEDULED_TASKS,
    SERVICES,
    STATEFUL_SETS,
)
from tests.integration.cassandra.conftest import Json, OperatorProcess, Plane
from tests.integration.cassandra.narrator import Narrator, assert_same_metadata
from tests.waiting import eventually


def test_jobs_of_all_kinds_ask_nodes_for_the_same(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.begin("01")
    # which rack's pod runs first is not ours to say
    assert set(map(repr, narrator.new_calls())) == set(map(repr, narrator.story("01").calls))
    for number in ("15", "17", "19", "21", "27"):
        assert list(narrator.task(number).calls) == narrator.new_calls(), number

    story = narrator.story("25")
    [body], [upstreams] = story.inputs, story.endings
    ended = narrator.run(body)
    assert ended["spec"] == upstreams["spec"]
    assert list(story.calls) == narrator.new_calls()
    # upstream's stays active for ever, with whatever waits for it
    assert ended["metadata"]["labels"] == {
        **upstreams["metadata"]["labels"],
        Label.TASK_STATUS: LabelValue.TASK_COMPLETED,
    }

    story = narrator.story("29")
    [body], [upstreams] = story.inputs, story.endings
    found, task = scheduled(narrator, body)
    assert_same_metadata(found, upstreams)
    assert set(found["status"]) == set(upstreams["status"])
    assert list(story.calls) == narrator.new_calls()
    details = {key: value for key, value in upstreams["spec"]["taskDetails"].items() if key != "name"}
    assert task["spec"] == {**details, "concurrencyPolicy": "Forbid", "restartPolicy": "OnFailure"}
    narrator.assert_told(besides=[("Normal", EventReason.CREATE_CASSANDRA_TASK.value)])


def scheduled(narrator: Narrator, body: Json) -> tuple[Json, Json]:
    """A schedule whose last time is long ago, and the task that makes up for it, when it has ended."""
    plane, name = narrator.plane, body["metadata"]["name"]
    plane.admin.request("POST", SCHEDULED_TASKS.path(plane.namespace), body)
    eventually(
        lambda: plane.get(SCHEDULED_TASKS, name).get("status", {}).get("nextSchedule"), "it is understood"
    )
    path = f"{SCHEDULED_TASKS.path(plane.namespace, name)}/status"
    missed = {"status": {"lastExecution": "2020-02-02T02:02:02Z"}}
    plane.admin.request("PATCH", path, missed, content_type="application/merge-patch+json")
    [task] = eventually(
        lambda: [
            each for each in plane.list(CASSANDRA_TASKS) if each["metadata"]["name"].startswith(f"{name}-")
        ],
        "the task is made",
    )
    # named after the time that it was for
    assert task["metadata"]["name"] == f"{name}-1580608980"

    def counted() -> Json | None:
        found = plane.get(SCHEDULED_TASKS, name)
        return found if found["status"]["lastExecution"] != missed["status"]["lastExecution"] else None

    found = eventually(counted, "it is noted that the task was made")
    # before it makes another one
    plane.delete(SCHEDULED_TASKS, name)
    return found, plane.wait_task(task["metadata"]["name"])


def test_restarts_and_changes_reach_nodes_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.begin("01")
    narrator.new_calls()
    # the last node was recorded with a management API that knows no asynchronous jobs
    plane.simulator.fault(plane.namespace, "demo-dc1-rack3-sts-0", "old-api")
    assert list(narrator.task("13").calls) == narrator.new_calls()
    plane.simulator.fault(plane.namespace, "demo-dc1-rack3-sts-0", "clear")
    assert list(narrator.task("23").calls) == narrator.new_calls()
    plane.wait_settled()
    assert list(narrator.task("45").calls) == narrator.new_calls()
    plane.wait_settled()
    assert list(narrator.patch("07").calls) == narrator.new_calls()
    assert_a_touched_datacenter_is_left_alone(narrator, operator)
    assert_lost_objects_come_back(narrator)
    assert_a_node_that_is_not_ready_is_no_seed(narrator)
    story = narrator.story("37")
    plane.delete(PODS, "demo-dc1-rack2-sts-0")
    narrator.wait_calls(story.calls, "the deleted pod's node is started again")
    # the datacenter stays Ready meanwhile; a node that still starts would not be drained
    eventually(lambda: list(plane.node_states().values()) == ["Started"] * 3, "all nodes are started")
    story = narrator.story("05")
    plane.patch_datacenter(story.inputs[0])
    eventually(lambda: not plane.pods(), "all nodes are stopped")
    assert sorted(map(repr, story.calls)) == sorted(map(repr, narrator.new_calls()))
    narrator.assert_told()


def assert_a_touched_datacenter_is_left_alone(narrator: Narrator, operator: OperatorProcess) -> None:
    """Story 09. Upstream writes the seed Service, the users and the status."""
    plane, story = narrator.plane, narrator.story("09")
    eventually(lambda: rested(plane), "kube-controller-manager has nothing more to say of the racks")
    before = versions(plane)
    passes = operator.passes
    touched = plane.patch_datacenter(story.inputs[0])["metadata"]["resourceVersion"]
    eventually(lambda: operator.passes > passes and operator.idle, "the operator has looked again")
    assert versions(plane) == before
    assert plane.get(CASSANDRA_DATACENTERS, "dc1")["metadata"]["resourceVersion"] == touched
    assert list(story.calls) == narrator.new_calls()


def rested(plane: Plane) -> bool:
    """Whether the status of every StatefulSet tells of the end: pods count as available some time after they
    are ready.
    """
    found = [(each["spec"], each["status"]) for each in plane.list(STATEFUL_SETS)]
    return all(
        status.get("availableReplicas") == spec["replicas"]
        and status.get("currentRevision") == status.get("updateRevision")
        for spec, status in found
    )


def versions(plane: Plane) -> dict[str, str]:
    found = [each for kind in (SERVICES, STATEFUL_SETS, PODS) for each in plane.list(kind)]
    return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in found}


def assert_lost_objects_come_back(narrator: Narrator) -> None:
    plane, story = narrator.plane, narrator.story("39")
    budget = plane.get(POD_DISRUPTION_BUDGETS, "dc1-pdb")["spec"]
    service = plane.get(SERVICES, "demo-seed-service")["spec"]
    plane.delete(POD_DISRUPTION_BUDGETS, "dc1-pdb")
    plane.delete(SERVICES, "demo-seed-service")
    back = eventually(lambda: plane.find(POD_DISRUPTION_BUDGETS, "dc1-pdb"), "the budget is back")
    assert back["spec"] == budget
    back = eventually(lambda: plane.find(SERVICES, "demo-seed-service"), "the Service is back")
    assert back["spec"] == service
    assert list(story.calls) == narrator.new_calls()
    narrator.assert_conditions(story)


def assert_a_node_that_is_not_ready_is_no_seed(narrator: Narrator) -> None:
    plane, story = narrator.plane, narrator.story("35")
    names = [f"demo-dc1-rack{number}-sts-0" for number in (1, 2, 3)]
    narrator.new_reloads()
    plane.simulator.fault(plane.namespace, names[0], "unready")
    eventually(lambda: labels(plane, names[0]) == ("Started-not-Ready", None), "it is no seed")
    narrator.wait_reloads(names[1:], "the others are told")
    plane.simulator.fault(plane.namespace, names[0], "clear")
    eventually(lambda: labels(plane, names[0]) == ("Started", "true"), "it is a seed again")
    narrator.wait_reloads(names, "all are told")
    plane.wait_settled()
    assert list(story.calls) == narrator.new_calls()
    # that one is away is told; upstream says nothing as long as the others have a quorum
    narrator.assert_conditions(story, besides=["Healthy"])


def labels(plane: Plane, pod: str) -> tuple[str, str | None]:
    found = plane.get(PODS, pod)["metadata"]["labels"]
    return found[Label.NODE_STATE], found.get(Label.SEED_NODE)


def test_nodes_leave_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.story("01")
    plane.create_datacenter(size=6)
    plane.wait_settled()
    narrator.new_calls()
    assert list(narrator.patch("03").calls) == narrator.new_calls()
    # six nodes at once: the first to run in a rack is not the one that stays its seed
    narrator.assert_told(besides=[("Normal", EventReason.UNLABELED_POD_AS_SEED.value)])
