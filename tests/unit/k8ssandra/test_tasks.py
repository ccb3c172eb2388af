"""What k8ssandra-operator does next about a task over several datacenters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from controllers.k8ssandra.status import changes
from controllers.k8ssandra.task_decide import TaskPlan, decide
from controllers.k8ssandra.task_state import TaskSnapshot
from missioncontrol.api.names import Annotation, Label
from missioncontrol.kube.views import Meta, Object
from tests.unit.k8ssandra.builders import NAMESPACE, a_cluster, a_datacenter, a_spec

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLUSTER = a_cluster(a_spec(a_datacenter("dc1"), a_datacenter("dc2"), a_datacenter("dc3")))
DONE = {"completionTime": "2026-01-02T03:00:00Z", "startTime": "2026-01-02T02:00:00Z", "succeeded": 2}
RUNNING = {"startTime": "2026-01-02T02:00:00Z", "active": 1}
FAILED = {**DONE, "failed": 1, "conditions": [{"type": "Failed", "status": "True", "message": "no quorum"}]}


def a_task(
    annotations: dict[str, str] | None = None, status: dict[str, Any] | None = None, **spec: Any
) -> Object:
    return Object(
        metadata=Meta(name="t", namespace=NAMESPACE, annotations=annotations or {}),
        spec={
            "cluster": {"name": "demo"},
            "template": {"jobs": [{"name": "j", "command": "restart"}], "maxConcurrentPods": 2},
            **spec,
        },
        status=status or {},
    )


def a_part(datacenter: str, status: dict[str, Any], **meta: Any) -> Object:
    labels = {Label.TASK_NAME: "t", Label.TASK_NAMESPACE: NAMESPACE}
    return Object(
        metadata=Meta(**{"name": f"t-{datacenter}", "namespace": NAMESPACE, "labels": labels, **meta}),
        status=status,
    )


def decided(task: Object, *parts: Object, cluster: Any = CLUSTER) -> TaskPlan:
    return decide(TaskSnapshot(task, cluster, {each.metadata.name: each for each in parts}), now=NOW)


def created(plan: TaskPlan) -> list[str]:
    return [each["metadata"]["name"] for each in plan.create]


def conditions(plan: TaskPlan) -> dict[str, str]:
    return {each["type"]: each["status"] for each in plan.status["conditions"]}


def test_a_part_is_the_template_aimed_at_one_datacenter() -> None:
    (body,) = decided(a_task()).create

    assert body["spec"] == {
        "jobs": [{"name": "j", "command": "restart"}],
        "maxConcurrentPods": 2,
        "datacenter": {"name": "dc1", "namespace": NAMESPACE},
        "ttlSecondsAfterFinished": 0,
    }
    assert body["metadata"]["labels"][Label.TASK_NAME] == "t"


@pytest.mark.parametrize(
    ("spec", "parts", "next_parts"),
    [
        pytest.param({}, [], ["t-dc1"], id="the first datacenter alone"),
        pytest.param({}, [a_part("dc1", RUNNING)], [], id="nothing while it is worked on"),
        pytest.param({}, [a_part("dc1", DONE)], ["t-dc2"], id="the next one after it is done"),
        pytest.param({}, [a_part("dc1", FAILED)], [], id="none after a failure"),
        pytest.param({"datacenters": ["dc3", "dc1"]}, [], ["t-dc3"], id="the listed order, not the reverse"),
        pytest.param(
            {"datacenters": ["dc3", "dc1"]},
            [a_part("dc3", DONE)],
            ["t-dc1"],
            id="the listed order to its end",
        ),
        pytest.param(
            {"dcConcurrencyPolicy": "Allow"}, [], ["t-dc1", "t-dc2", "t-dc3"], id="all at once where allowed"
        ),
    ],
)
def test_datacenters_come_in_order(spec: dict[str, Any], parts: list[Object], next_parts: list[str]) -> None:
    assert created(decided(a_task(**spec), *parts)) == next_parts


def test_the_status_is_the_sum_of_all_datacenters() -> None:
    plan = decided(
        a_task(),
        a_part("dc1", DONE),
        a_part("dc2", {**DONE, "startTime": "2026-01-02T01:00:00Z"}),
        a_part("dc3", {**DONE, "completionTime": "2026-01-02T03:30:00Z"}),
    )

    assert plan.status["succeeded"] == 6
    assert plan.status["startTime"] == "2026-01-02T01:00:00Z"
    assert plan.status["completionTime"] == "2026-01-02T03:30:00Z"
    assert set(plan.status["datacenters"]) == {"dc1", "dc2", "dc3"}
    assert conditions(plan) == {"Running": "False", "Failed": "False", "Complete": "True"}


def test_a_failure_ends_the_task_and_names_what_was_not_begun() -> None:
    plan = decided(a_task(), a_part("dc1", FAILED))

    assert conditions(plan) == {"Running": "False", "Failed": "True", "Complete": "True"}
    message = next(each["message"] for each in plan.status["conditions"] if each["type"] == "Failed")
    assert message == "dc1: no quorum; not begun: dc2, dc3"


def test_a_running_task_says_so() -> None:
    plan = decided(a_task(), a_part("dc1", RUNNING))

    assert conditions(plan) == {"Running": "True", "Failed": "False", "Complete": "False"}
    assert "completionTime" not in plan.status


def test_a_part_that_was_deleted_after_its_end_is_not_made_again() -> None:
    task = a_task(status={"datacenters": {"dc1": DONE}})

    assert created(decided(task)) == ["t-dc2"]


def test_cancelling_reaches_what_runs_and_begins_nothing_more() -> None:
    plan = decided(a_task({Annotation.CANCEL: "true"}), a_part("dc1", DONE), a_part("dc2", RUNNING))

    assert plan.cancel == ["t-dc2"]
    assert plan.create == []
    assert conditions(plan)["Complete"] == "False"


def test_a_cancelled_task_ends_when_nothing_runs_any_more() -> None:
    plan = decided(a_task({Annotation.CANCEL: "true"}), a_part("dc1", DONE))

    assert conditions(plan) == {
        "Running": "False",
        "Failed": "False",
        "Complete": "True",
        "Cancelled": "True",
    }
    assert "not begun: dc2, dc3" in plan.status["conditions"][-1]["message"]


def test_cancelling_is_told_only_once() -> None:
    part = a_part("dc1", RUNNING, annotations={Annotation.CANCEL: "true"})

    assert decided(a_task({Annotation.CANCEL: "true"}), part).cancel == []


@pytest.mark.parametrize(
    ("task", "cluster", "told"),
    [
        pytest.param(a_task(), None, "no K8ssandraCluster demo", id="an unknown cluster"),
        pytest.param(
            a_task(datacenters=["dc9"]), CLUSTER, "has no datacenter dc9", id="an unknown datacenter"
        ),
        pytest.param(a_task(template={"jobs": []}), CLUSTER, "exactly one job", id="no job"),
    ],
)
def test_what_cannot_be_done_is_invalid_and_over(task: Object, cluster: Any, told: str) -> None:
    plan = decided(task, cluster=cluster)

    assert told in plan.invalid
    assert conditions(plan)["Invalid"] == "True"
    assert plan.status["completionTime"]


def test_a_task_of_somebody_else_with_the_same_name_is_left_alone() -> None:
    plan = decided(a_task(), a_part("dc1", RUNNING, labels={}))

    assert "belongs to somebody else" in plan.invalid


def test_what_a_part_does_not_say_any_more_goes_from_the_status() -> None:
    stored = {"active": 1, "datacenters": {"dc1": {"active": 1, "startTime": "t"}}, "other": 1}
    wanted = {"active": None, "datacenters": {"dc1": {"startTime": "t", "succeeded": 2}}}

    assert changes(stored, wanted) == {
        "active": None,
        "datacenters": {"dc1": {"active": None, "succeeded": 2}},
    }
