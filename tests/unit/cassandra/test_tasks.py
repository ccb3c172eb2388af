"""Tasks: which may run, what they do next, and what an answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controllers.cassandra.state import Endpoint
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.calls import TaskMemory, Told
from controllers.cassandra.tasks.commands import COMMANDS, Facts, PodCommand, Standing, find_command
from controllers.cassandra.tasks.jobs import (
    Ended,
    Found,
    Lost,
    Refused,
    Round,
    Silent,
    Submitted,
    Waits,
    after_answer,
    interrupted,
    next_look,
    next_round,
)
from controllers.cassandra.tasks.task import Task, blocker
from missioncontrol.api.control import JobArguments, PodTaskStatus
from missioncontrol.api.names import NodeState
from missioncontrol.kube.views import Meta, Object
from tests.unit.cassandra.builders import NOW, pod

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


def state(status: str, **more: Any) -> PodTaskStatus:
    return PodTaskStatus.model_validate({"status": status, "startTime": BEGAN, **more})


# --- who may run -------------------------------------------------------------------------------


def test_a_forbidding_task_waits_for_any_active_one() -> None:
    active = task("a", label="active")
    assert blocker(task("b"), [active, task("b")]) == active
    assert blocker(task("b", concurrencyPolicy="Allow"), [active]) == active


def test_allowing_tasks_run_side_by_side() -> None:
    active = task("a", label="active", concurrencyPolicy="Allow")
    assert blocker(task("b", concurrencyPolicy="Allow"), [active]) is None


@pytest.mark.parametrize("policy", ["Allow", "Replace", "Whatever"])
def test_any_policy_that_forbids_nothing_allows(policy: str) -> None:
    active = task("a", label="active", concurrencyPolicy=policy)
    assert blocker(task("b", concurrencyPolicy=policy), [active]) is None


def test_an_empty_policy_forbids() -> None:
    active = task("a", label="active", concurrencyPolicy="")
    assert blocker(task("b", concurrencyPolicy="Allow"), [active]) == active


def test_of_those_that_wait_the_oldest_is_first() -> None:
    old, young = task("old", age=20), task("young", age=10)
    assert blocker(young, [old, young]) == old
    assert blocker(old, [old, young]) is None


def test_a_finished_task_blocks_nobody() -> None:
    ended = task("a", label="active", status={"completionTime": BEGAN})
    assert blocker(task("b"), [ended, task("c", label="completed")]) is None


# --- commands ----------------------------------------------------------------------------------


FACTS = Facts(("r1", "r2", "r3", "Rack 4"), {each.name: each.rack for each in RUNNING})


@pytest.mark.parametrize(
    ("jobs", "name", "args", "sentence"),
    [
        pytest.param(2, "cleanup", {}, "spec.jobs: exactly one job is allowed, found 2", id="two jobs"),
        pytest.param(0, "", {}, "spec.jobs: exactly one job is allowed, found 0", id="no job"),
        pytest.param(1, "dance", {}, "'dance' is not a command; known are", id="unknown"),
        pytest.param(
            1, "flush", {"rack": "r9"}, "args.rack: there is no rack 'r9'; the racks are: r1, r2", id="rack"
        ),
        pytest.param(1, "flush", {"pod_name": "x"}, "args.pod_name: there is no pod 'x'", id="pod"),
        pytest.param(
            1,
            "flush",
            {"pod_name": "demo-dc1-r1-sts-0", "rack": "r2"},
            "args.pod_name: the pod 'demo-dc1-r1-sts-0' is not in the rack 'r2'",
            id="pod of another rack",
        ),
        pytest.param(1, "move", {}, "args.new_tokens: required", id="move without tokens"),
        pytest.param(1, "move", {"new_tokens": {"x": "1"}}, "there is no pod x", id="move of nobody"),
        pytest.param(
            1, "move", {"new_tokens": {"demo-dc1-r1-sts-0": "a"}}, "'a' is not a token", id="no number"
        ),
        pytest.param(
            1,
            "move",
            {"new_tokens": {"demo-dc1-r1-sts-0": "7", "demo-dc1-r2-sts-0": "7"}},
            "two nodes cannot have the same token",
            id="one token twice",
        ),
        pytest.param(1, "replacenode", {}, "either pod_name or rack is required", id="replace whom"),
    ],
)
def test_what_cannot_be_carried_out_says_why(
    jobs: int, name: str, args: dict[str, Any], sentence: str
) -> None:
    found = find_command(jobs, name, JobArguments.model_validate(args), FACTS)
    assert isinstance(found, str)
    assert sentence in found


@pytest.mark.parametrize("rack", ["r1", "Rack 4", "Rack4"])
def test_racks_have_the_names_of_the_spec_and_of_labels(rack: str) -> None:
    assert find_command(1, "flush", JobArguments(rack=rack), FACTS) is COMMANDS["flush"]


def test_a_task_that_has_begun_is_not_wrong_because_a_pod_has_gone() -> None:
    args = JobArguments(pod_name="gone")
    assert isinstance(find_command(1, "flush", args, FACTS), str)
    assert find_command(1, "flush", args, None) is COMMANDS["flush"]


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
        ("garbagecollect", {"jobs": 0}, {"jobs": "0"}),
        ("cleanup", {"jobs": -1}, {}),
        ("rebuild", {"source_datacenter": "dc2"}, None),
        ("move", {"new_tokens": {"a": "1"}}, None),
        (
            "scrub",
            {"no_validate": True},
            {
                "disable_snapshot": False,
                "skip_corrupted": False,
                "check_data": False,
                "reinsert_overflowed_ttl": False,
                "jobs": -1,
                "keyspace_name": "",
                "tables": None,
            },
        ),
    ],
)
def test_bodies_are_those_of_the_management_api(
    name: str, args: dict[str, Any], body: dict[str, Any] | None
) -> None:
    assert pod_command(name).body(JobArguments.model_validate(args)) == body


def test_what_is_no_body_is_in_the_query() -> None:
    assert pod_command("rebuild").query(JobArguments(source_datacenter="dc2"), "a") == {"src_dc": "dc2"}
    assert pod_command("rebuild").query(JobArguments(), "a") == {}
    assert pod_command("move").query(JobArguments(new_tokens={"a": "-5", "b": "6"}), "a") == {
        "newToken": "-5"
    }


def pod_command(name: str) -> PodCommand:
    command = COMMANDS[name]
    assert isinstance(command, PodCommand)
    return command


def test_a_job_is_asynchronous_where_the_node_can() -> None:
    cleanup, reload, rebuild = (pod_command(name) for name in ("cleanup", "tsreload", "rebuild"))
    assert cleanup.call(frozenset({"async_sstable_tasks"})) == ("/api/v1/ops/keyspace/cleanup", True)
    assert cleanup.call(frozenset()) == ("/api/v0/ops/keyspace/cleanup", False)
    assert reload.call(frozenset()) is None
    assert rebuild.call(frozenset()) is None


# --- jobs on pods ------------------------------------------------------------------------------


def turn(of: Task, states: dict[str, PodTaskStatus], *, pods: Any = RUNNING, **more: Any) -> Round:
    return next_round(of, pod_command(of.job.command), tuple(pods), states, **more)


def names(step: Round) -> list[str]:
    return [each.name for each in step.begin]


def with_args(command: str = "cleanup", **args: Any) -> Task:
    return task(jobs=[{"name": "j", "command": command, "args": args}])


def test_pods_are_worked_on_one_after_the_other_rack_by_rack() -> None:
    pods = (*RUNNING, pod(1, 1, NodeState.STARTED))
    assert names(turn(task(), {}, pods=pods)) == ["demo-dc1-r1-sts-0"]
    done = {"demo-dc1-r1-sts-0": state("COMPLETED")}
    assert names(turn(task(), done, pods=pods)) == ["demo-dc1-r1-sts-1"]
    both = turn(task(maxConcurrentPods=2), {}, pods=pods)
    assert names(both) == ["demo-dc1-r1-sts-0", "demo-dc1-r1-sts-1"]


def test_a_pod_to_which_a_call_is_under_way_has_its_turn_already() -> None:
    pods = (*RUNNING, pod(1, 1, NodeState.STARTED))
    assert names(turn(task(), {}, pods=pods, busy={"demo-dc1-r1-sts-0"})) == []
    step = turn(task(maxConcurrentPods=2), {}, pods=pods, busy={"demo-dc1-r1-sts-0"})
    assert names(step) == ["demo-dc1-r1-sts-1"]


def test_a_pod_that_is_not_ready_is_waited_for() -> None:
    lost = replace(RUNNING[0], ready=False)
    step = turn(task(), {}, pods=(lost, *RUNNING[1:]))
    assert (step.begin, step.waiting) == ((), "waiting until demo-dc1-r1-sts-0 is ready")
    assert step.absent == (lost.name,)


def test_a_member_whose_pod_does_not_exist_is_waited_for_after_the_others() -> None:
    assert names(turn(task(), {}, missing=["demo-dc1-r9-sts-0"])) == ["demo-dc1-r1-sts-0"]
    done = {each.name: state("COMPLETED") for each in RUNNING}
    step = turn(task(), done, missing=["demo-dc1-r9-sts-0"])
    assert (step.finished, step.absent) == (False, ("demo-dc1-r9-sts-0",))


def test_a_job_whose_pod_is_gone_is_not_forgotten() -> None:
    step = turn(task(), {"demo-dc1-r1-sts-7": state("RUNNING", jobId="j")})
    assert (step.begin, step.finished) == ((), False)


def test_filters_choose_pods() -> None:
    assert names(turn(with_args(rack="r3"), {})) == ["demo-dc1-r3-sts-0"]
    assert names(turn(with_args(pod_name="demo-dc1-r2-sts-0"), {})) == ["demo-dc1-r2-sts-0"]


def test_nodes_are_moved_one_at_a_time_and_only_those_with_a_token() -> None:
    pods = (*RUNNING, pod(2, 1, NodeState.STARTED))
    tokens = {"demo-dc1-r2-sts-0": "1", "demo-dc1-r2-sts-1": "2"}
    moving = task(
        jobs=[{"name": "j", "command": "move", "args": {"new_tokens": tokens}}], maxConcurrentPods=5
    )
    assert names(turn(moving, {}, pods=pods)) == ["demo-dc1-r2-sts-0"]
    done = {name: state("COMPLETED") for name in tokens}
    assert turn(moving, done, pods=pods).finished
    assert names(turn(with_args("move", new_tokens=tokens, rack="r1"), {}, pods=pods)) == names(
        turn(moving, {}, pods=pods)
    )


@pytest.mark.parametrize(
    ("status", "token", "standing"),
    [
        pytest.param("NORMAL", "9", Standing.OPEN, id="it is at another token"),
        pytest.param("NORMAL", "-7", Standing.DONE, id="it is at the wanted token: a second move would fail"),
        pytest.param("MOVING", "-7", Standing.UNDER_WAY, id="it is on its way"),
        pytest.param("MOVING", "9", Standing.UNDER_WAY, id="it is on its way elsewhere"),
        pytest.param("shutdown", "true", Standing.OPEN, id="it is down"),
    ],
)
def test_the_ring_shows_whether_a_node_has_moved(status: str, token: str, standing: Standing) -> None:
    own = Endpoint("10.0.0.1", "h", "dc1", "r1", status, alive=True, local=True, token=token)
    other = Endpoint("10.0.0.2", "i", "dc1", "r2", "NORMAL", alive=True, local=False, token="-7")
    move = COMMANDS["move"]
    assert isinstance(move, PodCommand)
    assert move.standing is not None
    args = JobArguments.model_validate({"new_tokens": {"pod": "-07"}})
    assert move.standing(args, "pod", (other, own)) is standing
    assert move.standing(args, "pod", (other,)) is Standing.OPEN


def test_a_cancelled_task_begins_no_further_pod() -> None:
    cancelled = task(meta={"annotations": {"missioncontrol.io/cancel": "true"}}, maxConcurrentPods=2)
    pods = (*RUNNING, pod(1, 1, NodeState.STARTED))
    running = turn(cancelled, {"demo-dc1-r1-sts-0": state("RUNNING", jobId="j")}, pods=pods)
    assert (names(running), running.finished) == ([], False)
    done = turn(cancelled, {"demo-dc1-r1-sts-0": state("COMPLETED")}, pods=pods)
    assert (done.finished, done.stopped) == (True, True)
    assert done.waiting == "cancelled after 1 pods; 3 were not worked on"


def test_a_task_that_was_cancelled_too_late_is_complete() -> None:
    cancelled = task(meta={"annotations": {"missioncontrol.io/cancel": "true"}})
    step = turn(cancelled, {each.name: state("COMPLETED") for each in RUNNING})
    assert (step.finished, step.stopped) == (True, False)


LONG_AGO = NOW - timedelta(minutes=11)


@pytest.mark.parametrize(
    ("before", "answer", "status", "retries"),
    [
        pytest.param(None, Submitted("j"), "RUNNING", None, id="taken on"),
        pytest.param(None, Waits("/x"), "RUNNING", None, id="a call that lasts"),
        pytest.param(None, Refused("no"), "WAITING", 1, id="refused once"),
        pytest.param(state("WAITING", retries=1), Refused("no"), "ERROR", 1, id="refused twice"),
        pytest.param(None, Refused("no", final=True), "ERROR", None, id="cannot be done at all"),
        pytest.param(state("RUNNING", jobId="j"), Ended("j"), "COMPLETED", None, id="done"),
        pytest.param(state("RUNNING", jobId="j"), Ended("j", "x"), "WAITING", 1, id="failed once"),
        pytest.param(state("RUNNING", jobId="j", retries=1), Ended("j", "x"), "ERROR", 1, id="failed twice"),
        pytest.param(state("RUNNING", jobId="k"), Ended("j", "x"), "RUNNING", None, id="of an earlier job"),
        pytest.param(state("RUNNING"), Ended(""), "COMPLETED", None, id="a synchronous one is done"),
        pytest.param(state("RUNNING", jobId="j"), Lost("j"), "WAITING", 1, id="forgotten by the node"),
        pytest.param(None, Found(), "COMPLETED", None, id="done before, though nobody has told"),
        pytest.param(state("COMPLETED"), Submitted("j"), "COMPLETED", None, id="what is done stays done"),
        pytest.param(
            state("RUNNING", jobId="j", startTime="2026-05-03T11:40:00Z"),
            Silent("away", NOW - timedelta(minutes=1)),
            "RUNNING",
            None,
            id="silent for a minute, after a day of work",
        ),
        pytest.param(
            state("RUNNING", jobId="j"), Silent("away", LONG_AGO), "ERROR", None, id="silent for long"
        ),
        pytest.param(None, Silent("away", LONG_AGO), "ERROR", None, id="never answered"),
    ],
)
def test_what_an_answer_means(
    before: PodTaskStatus | None, answer: Any, status: str, retries: int | None
) -> None:
    after = after_answer(before, answer, retries=1, now=NOW)
    assert after is not None
    assert (after.status, after.retries) == (status, retries)


def test_a_call_that_nobody_waits_for_any_more_is_a_failed_attempt() -> None:
    states = {"a": state("RUNNING"), "b": state("RUNNING"), "c": state("RUNNING", jobId="j")}
    after = interrupted(states, {"b"}, retries=0, now=NOW)
    assert {name: each.status for name, each in after.items()} == {
        "a": "ERROR",
        "b": "RUNNING",
        "c": "RUNNING",
    }


def test_long_jobs_are_asked_for_more_rarely() -> None:
    def after(seconds: float) -> float:
        began = (NOW - timedelta(seconds=seconds)).isoformat()
        return next_look({"a": state("RUNNING", startTime=began)}, NOW)

    assert [after(seconds) for seconds in (0, 30, 3600)] == [1.0, 3.0, 10.0]


def test_a_patch_takes_back_what_a_pod_no_longer_has() -> None:
    before = {"podStatuses": {"a": {"status": "RUNNING", "jobId": "j"}, "b": {"status": "COMPLETED"}}}
    after = {"podStatuses": {"a": {"status": "WAITING", "retries": 1}, "b": {"status": "COMPLETED"}}}
    assert statuses.changed(before, after) == {
        "podStatuses": {"a": {"status": "WAITING", "retries": 1, "jobId": None}}
    }
    assert statuses.changed(before, before) == {}


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


def test_a_node_that_is_done_stays_done() -> None:
    told = task(status={"startTime": BEGAN, "active": 1, "succeeded": 2})
    assert statuses.running(told, succeeded=1, failed=0, sentence="", now=NOW)["succeeded"] == 2


def test_a_task_that_cannot_be_carried_out_counts_as_one_failure() -> None:
    assert statuses.ended(task(), now=NOW, error="terminal error: no")["failed"] == 1


def test_tasks_expire_after_a_day_unless_told_otherwise() -> None:
    ended = {"completionTime": "2026-05-04T12:00:00Z"}
    assert task(status=ended).expires_at == NOW + timedelta(days=1)
    assert task(status=ended, ttlSecondsAfterFinished=5).expires_at == NOW + timedelta(seconds=5)
    assert task(status=ended, ttlSecondsAfterFinished=0).expires_at is None


def test_a_job_that_ends_before_it_was_written_down_is_not_begun_again() -> None:
    memory = TaskMemory()
    memory.note("a", Submitted("7"), 0)
    # the status cannot be written, and the node goes on meanwhile
    for minutes in (1, 2):
        memory.note("a", Silent("no answer", NOW + timedelta(minutes=minutes)), 0)
    memory.note("a", Ended("7"), 0)
    assert len(memory.answers["a"]) == 3
    found: PodTaskStatus | None = None
    for told in memory.answers["a"]:
        found = after_answer(found, told.answer, retries=0, now=NOW)
    assert found is not None
    assert (found.status, found.job_id) == ("COMPLETED", "7")
    memory.note("a", Silent("no answer", NOW), 0)
    memory.written("a", 3)
    assert memory.answers["a"] == [Told(Silent("no answer", NOW), 0)]


def test_a_failed_attempt_counts_once_though_the_status_seemed_not_to_be_written() -> None:
    told = Told(Refused("no"), 0)
    assert told.counts_for(None)
    once = after_answer(None, told.answer, retries=1, now=NOW)
    assert once is not None
    assert (once.status, once.retries) == ("WAITING", 1)
    assert not told.counts_for(once)
    assert Told(Refused("no"), 1).counts_for(once)
