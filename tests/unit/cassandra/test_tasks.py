"""Tasks: which may run, what they do next, and what an answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controllers.cassandra.management import Job
from controllers.cassandra.state import Observations, RackSet
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.commands import COMMANDS, PodCommand, RackCommand, find_command
from controllers.cassandra.tasks.jobs import Lost, Silent, after_answer, next_round
from controllers.cassandra.tasks.restart import RestartStep, decide_restart
from controllers.cassandra.tasks.task import Task, blocker
from missioncontrol.api.control import JobArguments, PodTaskStatus
from missioncontrol.api.names import NodeState
from missioncontrol.kube.views import Meta, Object
from tests.unit.cassandra.builders import NOW, gossip, pod, rack_set, snapshot

BEGAN = "2026-05-04T11:59:00Z"
RUNNING = [pod(rack, state=NodeState.STARTED) for rack in (1, 2, 3)]


def task(
    name: str = "t", *, age: float = 10, label: str = "", meta: dict[str, Any] | None = None, **spec: Any
) -> Task:
    labels = {"control.k8ssandra.io/status": label} if label else {}
    created = NOW - timedelta(seconds=age)
    metadata = Meta(
        **{
            "name": name,
            "namespace": "ns",
            "uid": name,
            "creation_timestamp": created,
            "labels": labels,
            **(meta or {}),
        }
    )
    status = spec.pop("status", {})
    full = {
        "datacenter": {"name": "dc1", "namespace": "ns"},
        "jobs": [{"name": "j", "command": "cleanup"}],
        **spec,
    }
    return Task.of(Object(metadata=metadata, spec=full, status=status))


# --- who may run -------------------------------------------------------------------------------


def test_a_forbidding_task_waits_for_any_active_one() -> None:
    active = task("a", label="active")
    assert blocker(task("b"), [active, task("b")]) == active
    assert blocker(task("b", concurrencyPolicy="Allow"), [active]) == active


def test_allowing_tasks_run_side_by_side() -> None:
    active = task("a", label="active", concurrencyPolicy="Allow")
    assert blocker(task("b", concurrencyPolicy="Allow"), [active]) is None


def test_of_those_that_wait_the_oldest_is_first() -> None:
    old, young = task("old", age=20), task("young", age=10)
    assert blocker(young, [old, young]) == old
    assert blocker(old, [old, young]) is None


def test_a_finished_task_blocks_nobody() -> None:
    ended = task("a", label="active", status={"completionTime": BEGAN})
    assert blocker(task("b"), [ended, task("c", label="completed")]) is None


# --- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "name", "args", "sentence"),
    [
        pytest.param(2, "cleanup", {}, "spec.jobs: exactly one job is allowed, found 2", id="two jobs"),
        pytest.param(0, "", {}, "spec.jobs: exactly one job is allowed, found 0", id="no job"),
        pytest.param(1, "dance", {}, "'dance' is not a command; known are", id="unknown"),
        pytest.param(1, "move", {}, "spec.jobs[0].command: move is not supported yet", id="not yet"),
        pytest.param(
            1, "restart", {"fast": True}, "spec.jobs[0].args.fast: is not supported yet", id="argument"
        ),
    ],
)
def test_what_cannot_be_carried_out_says_why(
    jobs: int, name: str, args: dict[str, Any], sentence: str
) -> None:
    found = find_command(jobs, name, JobArguments.model_validate(args))
    assert isinstance(found, str)
    assert sentence in found


def test_restart_works_on_racks_and_the_others_on_pods() -> None:
    assert isinstance(find_command(1, "restart", JobArguments()), RackCommand)
    assert all(isinstance(COMMANDS[name], PodCommand) for name in COMMANDS if name != "restart")


@pytest.mark.parametrize(
    ("name", "args", "body"),
    [
        ("cleanup", {}, {}),
        (
            "cleanup",
            {"keyspace_name": "ks", "tables": ["t"], "jobs": 2},
            {"jobs": "2", "keyspace_name": "ks", "tables": ["t"]},
        ),
        ("flush", {}, {}),
        ("compact", {}, {"keyspace_name": "", "tables": None}),
        (
            "compact",
            {"split_output": True, "start_token": "1"},
            {"split_output": True, "start_token": "1", "keyspace_name": "", "tables": None},
        ),
        (
            "scrub",
            {"no_validate": True},
            {
                "disable_snapshot": False,
                "skip_corrupted": False,
                "check_data": False,
                "jobs": -1,
                "keyspace_name": "",
                "tables": None,
            },
        ),
    ],
)
def test_bodies_are_those_of_the_management_api(
    name: str, args: dict[str, Any], body: dict[str, Any]
) -> None:
    command = COMMANDS[name]
    assert isinstance(command, PodCommand)
    assert command.body(JobArguments.model_validate(args)) == body


def test_a_job_is_asynchronous_where_the_node_can() -> None:
    cleanup, reload, rebuild = (COMMANDS[name] for name in ("cleanup", "tsreload", "rebuild"))
    assert isinstance(cleanup, PodCommand)
    assert isinstance(reload, PodCommand)
    assert isinstance(rebuild, PodCommand)
    assert cleanup.call(frozenset({"async_sstable_tasks"})) == ("/api/v1/ops/keyspace/cleanup", True)
    assert cleanup.call(frozenset()) == ("/api/v0/ops/keyspace/cleanup", False)
    assert reload.call(frozenset()) is None
    assert rebuild.call(frozenset()) is None


# --- restart -----------------------------------------------------------------------------------


def healthy() -> Observations:
    return Observations(
        gossip={each.name: gossip(RUNNING) for each in RUNNING},
        quorum={each.name: True for each in RUNNING},
    )


def restart(
    sets: list[RackSet], *, pods: Any = RUNNING, cancelled: bool = False, rack: str | None = None
) -> RestartStep:
    world = snapshot(pods, sets=sets, observed=healthy())
    return decide_restart(world, began=BEGAN, rack=rack, cancelled=cancelled, asked=True)


def test_the_racks_are_marked_in_the_order_of_their_names() -> None:
    sets = [rack_set(rack) for rack in (3, 1, 2)]
    assert restart(sets).mark == sets[1]
    sets[1] = rack_set(1, restarted_at=BEGAN)
    step = restart(sets)
    assert (step.mark, step.succeeded) == (sets[2], 1)


def test_the_next_rack_waits_until_the_last_one_is_back() -> None:
    sets = [rack_set(1, restarted_at=BEGAN, rolled=False, updated=0), rack_set(2), rack_set(3)]
    assert restart(sets).mark is None
    back = [rack_set(1, restarted_at=BEGAN), rack_set(2), rack_set(3)]
    lost = [replace(RUNNING[0], ready=False, state=NodeState.STARTING), *RUNNING[1:]]
    assert restart(back, pods=lost).mark is None


def test_it_is_finished_when_all_racks_are_back() -> None:
    step = restart([rack_set(rack, restarted_at=BEGAN) for rack in (1, 2, 3)])
    assert (step.finished, step.stopped, step.succeeded) == (True, False, 3)


def test_a_cancelled_one_finishes_its_rack_and_stops() -> None:
    going = [rack_set(1, restarted_at=BEGAN, rolled=False), rack_set(2), rack_set(3)]
    assert not restart(going, cancelled=True).finished
    done = [rack_set(1, restarted_at=BEGAN), rack_set(2), rack_set(3)]
    step = restart(done, cancelled=True)
    assert (step.finished, step.stopped, step.mark) == (True, True, None)
    assert step.sentence == "cancelled after 1 nodes; not restarted: r2, r3"


def test_only_the_rack_that_was_asked_for() -> None:
    sets = [rack_set(1), rack_set(2), rack_set(3)]
    assert restart(sets, rack="r2").mark == sets[1]
    step = restart(sets, rack="r9")
    assert (step.finished, step.sentence) == (True, "there is no rack 'r9'")


def test_no_rack_begins_while_another_one_is_replaced_for_another_reason() -> None:
    step = restart([rack_set(1), rack_set(2), rack_set(3, rolled=False)])
    assert (step.mark, step.sentence) == (None, "rack r1 waits while rack r3 is being replaced")


# --- jobs on pods ------------------------------------------------------------------------------


def state(status: str, **more: Any) -> PodTaskStatus:
    return PodTaskStatus.model_validate({"status": status, "startTime": BEGAN, **more})


def test_pods_are_worked_on_one_after_the_other_rack_by_rack() -> None:
    pods = (*RUNNING, pod(1, 1, NodeState.STARTED))
    first = next_round(task(), pods, {})
    assert [each.name for each in first.begin] == ["demo-dc1-r1-sts-0"]
    done = {"demo-dc1-r1-sts-0": state("COMPLETED")}
    assert [each.name for each in next_round(task(), pods, done).begin] == ["demo-dc1-r1-sts-1"]
    both = next_round(task(maxConcurrentPods=2), pods, {})
    assert [each.name for each in both.begin] == ["demo-dc1-r1-sts-0", "demo-dc1-r1-sts-1"]


def test_a_pod_that_is_not_ready_is_waited_for() -> None:
    lost = replace(RUNNING[0], ready=False)
    step = next_round(task(), (lost, *RUNNING[1:]), {})
    assert (step.begin, step.waiting) == ((), "waiting until demo-dc1-r1-sts-0 is ready")


def test_filters_choose_pods() -> None:
    one = task(jobs=[{"name": "j", "command": "cleanup", "args": {"rack": "r3"}}])
    assert [each.name for each in next_round(one, tuple(RUNNING), {}).begin] == ["demo-dc1-r3-sts-0"]
    other = task(jobs=[{"name": "j", "command": "cleanup", "args": {"pod_name": "demo-dc1-r2-sts-0"}}])
    assert [each.name for each in next_round(other, tuple(RUNNING), {}).begin] == ["demo-dc1-r2-sts-0"]


def test_a_cancelled_task_begins_no_further_rack() -> None:
    cancelled = task(meta={"annotations": {"missioncontrol.io/cancel": "true"}})
    running = next_round(cancelled, tuple(RUNNING), {"demo-dc1-r1-sts-0": state("RUNNING")})
    assert not running.finished
    done = next_round(cancelled, tuple(RUNNING), {"demo-dc1-r1-sts-0": state("COMPLETED")})
    assert (done.finished, done.stopped, done.begin) == (True, True, ())


@pytest.mark.parametrize(
    ("before", "answer", "status", "retries"),
    [
        pytest.param(state("RUNNING"), Job("COMPLETED"), "COMPLETED", None, id="done"),
        pytest.param(state("RUNNING"), Job("WAITING"), "RUNNING", None, id="still in the node's queue"),
        pytest.param(state("RUNNING"), Job("ERROR", "x"), "WAITING", 1, id="failed once"),
        pytest.param(state("RUNNING", retries=1), Job("ERROR", "x"), "ERROR", 1, id="failed twice"),
        pytest.param(state("RUNNING"), Lost(), "WAITING", 1, id="forgotten by the node"),
        pytest.param(state("RUNNING"), Silent("away"), "RUNNING", None, id="silent for a minute"),
        pytest.param(
            state("RUNNING", startTime="2026-05-04T11:40:00Z"),
            Silent("away"),
            "ERROR",
            None,
            id="silent for long",
        ),
    ],
)
def test_what_an_answer_means(before: PodTaskStatus, answer: Any, status: str, retries: int | None) -> None:
    after = after_answer(before, answer, retries=1, now=NOW)
    assert (after.status, after.retries) == (status, retries)


def test_the_end_keeps_upstreams_shape() -> None:
    end = statuses.ended(task(status={"startTime": BEGAN, "active": 1}), now=NOW, succeeded=2, failed=1)
    assert end["active"] is None
    assert (end["succeeded"], end["failed"]) == (2, 1)
    found = {each["type"]: (each["status"], each["reason"], each["message"]) for each in end["conditions"]}
    assert found == {
        "Running": ("False", "Running", ""),
        "Complete": ("True", "Complete", ""),
        "Failed": ("True", "Failed", "1 pods failed during processing"),
    }


def test_tasks_expire_after_a_day_unless_told_otherwise() -> None:
    ended = {"completionTime": "2026-05-04T12:00:00Z"}
    assert task(status=ended).expires_at == NOW + timedelta(days=1)
    assert task(status=ended, ttlSecondsAfterFinished=5).expires_at == NOW + timedelta(seconds=5)
    assert task(status=ended, ttlSecondsAfterFinished=0).expires_at is None
