"""Operations: whose turn it is, which task comes next, how each end is recognised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.missioncontrol.clusters.facts import read_cluster
from controllers.missioncontrol.operations.decide import Progress, advance
from controllers.missioncontrol.operations.jobs import COMMANDS, render_task, units
from controllers.missioncontrol.operations.model import (
    Operation,
    PlaneTasks,
    Task,
    Unit,
    label_value,
    read_task,
)
from controllers.missioncontrol.operations.queue import ahead
from controllers.missioncontrol.operations.switches import TARGETS, Switch, patch, switches
from missioncontrol.api.registry import OPERATION_KINDS
from missioncontrol.kube.views import Meta, Object
from tests.unit.missioncontrol_operator.conftest import ID, OWNER

START = datetime(2026, 1, 1, tzinfo=UTC)
ENTRIES = [
    {
        "metadata": {"name": "dc1"},
        "k8sContext": "p1",
        "size": 3,
        "racks": [{"name": "r1"}, {"name": "r2"}],
        "datacenterName": "Europe",
    },
    {"metadata": {"name": "dc2"}, "k8sContext": "p2", "size": 1, "racks": [{"name": "r1"}]},
]
CLUSTER = read_cluster(
    metadata={"namespace": "store", "name": "demo", "uid": "u", "generation": 1},
    spec={"k8ssandra": {"cassandra": {"datacenters": ENTRIES}}},
    status={},
    control_plane=ID,
)


def operation(
    name: str = "rollingrestart.r1",
    *,
    age: int = 0,
    phase: str = "",
    status: dict[str, Any] | None = None,
    cluster: str = "demo",
    cancel: bool = False,
    kind: str = "RollingRestart",
    **spec: Any,
) -> Operation:
    meta = Meta(
        name=name,
        namespace="store",
        uid=name,
        creation_timestamp=START - timedelta(seconds=age),
        annotations={"missioncontrol.io/cancel": "true"} if cancel else {},
    )
    told = {**(status or {}), **({"phase": phase} if phase else {})}
    return Operation(meta, kind, cluster, {"type": kind, **spec}, told)


def task(
    name: str, *, finished: bool = False, failed: bool = False, cancelled: bool = False, done: int = 0
) -> Task:
    return Task(Meta(name=name), finished, failed, cancelled, succeeded=done, failures=int(failed))


# --- Units ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, ["rollingrestart.r1-dc1", "rollingrestart.r1-dc2"]),
        ({"datacenters": ["dc2", "dc1"]}, ["rollingrestart.r1-dc2", "rollingrestart.r1-dc1"]),
        (
            {"rollingrestart": {"racks": ["r2", "r1"]}},
            ["rollingrestart.r1-dc1-r1", "rollingrestart.r1-dc1-r2", "rollingrestart.r1-dc2-r1"],
        ),
        ({"rollingrestart": {"racks": ["r2"]}}, ["rollingrestart.r1-dc1-r2"]),
    ],
    ids=["all", "as listed", "racks by their StatefulSets", "only where the rack is"],
)
def test_units_follow_the_listed_order(spec: dict[str, Any], names: list[str]) -> None:
    chosen = spec.get("datacenters") or ["dc1", "dc2"]
    found = units(operation(**spec), CLUSTER, chosen)
    assert [each.task for each in found] == names


def test_a_task_names_its_datacenter_and_is_kept() -> None:
    body = render_task(operation(), Unit("dc1", "p1", "t", "r2"), CLUSTER)
    assert body["spec"]["datacenters"] == ["dc1"]
    assert body["spec"]["template"] == {
        "jobs": [{"name": "rollingrestart.r1", "command": "restart", "args": {"rack": "r2"}}],
        "ttlSecondsAfterFinished": 0,
        "concurrencyPolicy": "Allow",
    }
    assert OWNER.owns(body["metadata"]["labels"])
    assert body["metadata"]["labels"]["missioncontrol.io/operation"] == "rollingrestart.r1"


def template(kind: str, arguments: dict[str, Any], *, pods: tuple[str, ...] = ()) -> dict[str, Any]:
    asked = operation("x.x", kind=kind, **{kind.lower(): arguments})
    found: dict[str, Any] = render_task(asked, Unit("dc2", "p2", "t", pods=pods), CLUSTER)["spec"]["template"]
    return found


@pytest.mark.parametrize(
    ("kind", "arguments", "command", "args"),
    [
        ("Cleanup", {}, "cleanup", None),
        (
            "SSTableUpgrade",
            {"keyspace": "ks", "tables": ["a"], "jobs": 0},
            "upgradesstables",
            {"keyspace_name": "ks", "tables": ["a"], "jobs": 0},
        ),
        ("Flush", {"keyspace": "ks"}, "flush", {"keyspace_name": "ks"}),
        ("GarbageCollection", {"jobs": 2}, "garbagecollect", {"jobs": 2}),
        (
            "Scrub",
            {"noSnapshot": True, "noValidate": False, "skipCorrupted": True},
            "scrub",
            {"no_snapshot": True, "skip_corrupted": True},
        ),
        (
            "Compaction",
            {"startToken": "-1", "endToken": "1", "splitOutput": False},
            "compact",
            {"start_token": "-1", "end_token": "1"},
        ),
        ("Compaction", {"splitOutput": True}, "compact", {"split_output": True}),
        ("Rebuild", {"sourceDatacenter": "dc1"}, "rebuild", {"source_datacenter": "Europe"}),
    ],
)
def test_arguments_reach_the_task_under_upstreams_names(
    kind: str, arguments: dict[str, Any], command: str, args: dict[str, Any] | None
) -> None:
    [job] = template(kind, arguments)["jobs"]
    assert (job["command"], job.get("args")) == (command, args)


def test_a_move_goes_to_the_datacenters_of_its_nodes() -> None:
    tokens = {"demo-dc2-r1-sts-0": "5"}
    asked = operation("x.x", kind="TokenMove", tokenmove={"tokens": tokens})
    [unit] = units(asked, CLUSTER, ["dc1", "dc2"])
    assert (unit.datacenter, unit.pods) == ("dc2", ("demo-dc2-r1-sts-0",))
    [job] = template("TokenMove", {"tokens": tokens}, pods=unit.pods)["jobs"]
    assert job["args"] == {"new_tokens": tokens}


def test_each_replaced_node_is_a_task_of_its_own() -> None:
    nodes = ["demo-dc2-r1-sts-0", "demo-dc1-r2-sts-0"]
    asked = operation("x.x", kind="NodeReplacement", nodereplacement={"nodes": nodes})
    found = units(asked, CLUSTER, ["dc1", "dc2"])
    assert [(each.datacenter, each.task) for each in found] == [
        ("dc2", "x.x-demo-dc2-r1-sts-0"),
        ("dc1", "x.x-demo-dc1-r2-sts-0"),
    ]
    [job] = template("NodeReplacement", {"nodes": nodes}, pods=found[0].pods)["jobs"]
    assert (job["command"], job["args"]) == ("replacenode", {"pod_name": "demo-dc2-r1-sts-0"})


def test_the_pace_of_a_task_is_that_of_its_operation() -> None:
    found = template("Cleanup", {"maxConcurrentPods": 3, "retries": 2})
    assert (found["maxConcurrentPods"], found["retries"]) == (3, 2)
    assert template("Cleanup", {"retries": 0})["restartPolicy"] == "Never"


def test_every_kind_of_operation_has_a_command() -> None:
    assert {*COMMANDS, *TARGETS} == {each.resource.kind for each in OPERATION_KINDS}


@given(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?", fullmatch=True))
def test_any_name_has_a_label(name: str) -> None:
    value = label_value(name)
    assert len(value) <= 63
    assert value[0].isalnum()
    assert value[-1].isalnum()


# --- The queue --------------------------------------------------------------------------------------


def test_the_older_comes_first_and_the_running_one_before_all() -> None:
    old, new, running = operation("a", age=9), operation("b", age=5), operation("c", age=1, phase="Running")
    everything = [old, new, running]
    assert [each.meta.name for each in ahead(new, everything)] == ["c", "a"]
    assert [each.meta.name for each in ahead(old, everything)] == ["c"]
    assert ahead(running, everything) == []


@pytest.mark.parametrize(
    "other",
    [operation("x", age=9, phase="Complete"), operation("x", age=9, cluster="other"), operation("x", age=0)],
    ids=["one that ended", "one of another cluster", "itself alike but later by name"],
)
def test_these_hold_nobody(other: Operation) -> None:
    assert ahead(operation("a", age=0), [other]) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "Queued", "Running"])), min_size=1, max_size=8)
)
def test_exactly_one_is_at_the_head(given_: list[tuple[int, str]]) -> None:
    all_of_them = [operation(f"o{index}", age=age, phase=phase) for index, (age, phase) in enumerate(given_)]
    assert sum(not ahead(each, all_of_them) for each in all_of_them) == 1


# --- Progress ---------------------------------------------------------------------------------------

UNITS = [Unit("dc1", "p1", "t1"), Unit("dc2", "p2", "t2")]
TOTALS = {"dc1": 3, "dc2": 1}


def progress(
    first: PlaneTasks | None = None,
    second: PlaneTasks | None = None,
    *,
    recorded: tuple[str, ...] = (),
    **more: Any,
) -> Progress:
    entries = [
        {"name": unit.datacenter, "dataPlane": unit.plane, "phase": phase}
        for unit, phase in zip(UNITS, recorded, strict=False)
    ]
    current = operation(phase="Running", status={"datacenters": entries, "startTime": "x"}, **more)
    planes = {"p1": first or PlaneTasks(), "p2": second or PlaneTasks()}
    return advance(current, UNITS, planes, TOTALS)


def has(*tasks: Task, **more: Any) -> PlaneTasks:
    return PlaneTasks({each.meta.name: each for each in tasks}, **more)


AWAY = PlaneTasks(known=False, absence="the data plane p2 is away")


@pytest.mark.parametrize(
    ("found", "phase", "start", "words"),
    [
        (progress(), "Running", "t1", "dc1 is about to begin"),
        (progress(has(task("t1", done=1))), "Running", None, "dc1: 1 node restarted"),
        (progress(has(task("t1", finished=True, done=3))), "Running", "t2", "dc2 is about to begin"),
        (
            progress(has(task("t1", finished=True, done=3)), has(task("t2", finished=True, done=1))),
            "Complete",
            None,
            "4 nodes restarted",
        ),
        (progress(has(task("t1", finished=True, failed=True))), "Failed", None, "dc1 failed on 1 node"),
        (
            progress(has(task("t1", finished=True)), AWAY),
            "Running",
            None,
            "dc2 waits: the data plane p2 is away",
        ),
        (progress(PlaneTasks(), AWAY, recorded=("Complete", "Running")), "Running", None, "p2 is away"),
        (progress(recorded=("Running",)), "Failed", None, "t1 in the data plane p1 was deleted"),
        (progress(cancel=True), "Cancelled", None, "dc1, dc2 not finished"),
        (progress(has(task("t1", done=1)), cancel=True), "Running", None, "is stopping"),
        (
            progress(has(task("t1", finished=True, cancelled=True, done=2)), cancel=True),
            "Cancelled",
            None,
            "dc1, dc2",
        ),
        (
            progress(has(task("t1", finished=True, done=3)), cancel=True),
            "Cancelled",
            None,
            "dc2 not finished",
        ),
        (progress(recorded=("Complete", "Complete"), cancel=True), "Complete", None, "restarted"),
    ],
    ids=[
        "begins",
        "runs",
        "goes on",
        "completes",
        "fails",
        "waits for a dark plane",
        "went dark while running",
        "its task was deleted",
        "cancelled before it began",
        "stopping",
        "stopped",
        "stopped between datacenters",
        "cancelled too late",
    ],
)
def test_what_comes_next(found: Progress, phase: str, start: str | None, words: str) -> None:
    assert found.phase == phase
    assert (found.start.task if found.start else None) == start
    assert words in found.message


def test_a_cancelled_operation_tells_its_running_task_once() -> None:
    running = progress(has(task("t1")), cancel=True)
    assert [each.task for each in running.cancel] == ["t1"]
    asked = Task(Meta(name="t1", annotations={"missioncontrol.io/cancel": "true"}), False, False, False)
    assert progress(has(asked), cancel=True).cancel == ()


def test_what_never_began_is_said_at_the_end() -> None:
    entries = progress(has(task("t1", finished=True, failed=True))).datacenters
    assert [(each["name"], each["phase"]) for each in entries] == [("dc1", "Failed"), ("dc2", "Cancelled")]
    assert entries[1]["message"] == "was not started"


def test_what_ended_stays_as_recorded_whatever_the_plane_shows() -> None:
    found = progress(has(task("t1", finished=True, failed=True)), recorded=("Complete",))
    assert found.start is not None
    assert found.start.task == "t2"


@pytest.mark.parametrize(
    ("status", "finished", "failed", "cancelled"),
    [
        ({}, False, False, False),
        ({"conditions": [{"type": "Running", "status": "True"}]}, False, False, False),
        ({"completionTime": "x", "conditions": [{"type": "Complete", "status": "True"}]}, True, False, False),
        ({"completionTime": "x", "failed": 1}, True, True, False),
        ({"conditions": [{"type": "Failed", "status": "True"}]}, False, False, False),
        ({"completionTime": "x", "conditions": [{"type": "Cancelled", "status": "True"}]}, True, False, True),
        ({"conditions": [{"type": "Invalid", "status": "True", "message": "no"}]}, True, True, False),
    ],
    ids=["new", "runs", "complete", "complete with failures", "failing but not over", "cancelled", "invalid"],
)
def test_a_task_is_read_by_its_status(
    status: dict[str, Any], finished: bool, failed: bool, cancelled: bool
) -> None:
    read = read_task(Object(metadata=Meta(name="t"), status=status))
    assert (read.finished, read.failed, read.cancelled) == (finished, failed, cancelled)


# --- Stopping and starting ---------------------------------------------------------------------------


def stored(name: str, phase: str, *, generation: int = 1) -> dict[str, Any]:
    return {
        "spec": {"clusterName": "demo", "name": name},
        "status": {"phase": phase, "observedGeneration": generation, "message": "2 of its pods are left"},
    }


def cluster_with(stopped: dict[str, bool]) -> Any:
    entries = [{**each, "stopped": stopped.get(each["metadata"]["name"], False)} for each in ENTRIES]
    return read_cluster(
        metadata={"namespace": "store", "name": "demo", "uid": "u", "generation": 3},
        spec={"k8ssandra": {"cassandra": {"datacenters": entries}}},
        status={},
        control_plane=ID,
    )


@pytest.mark.parametrize(
    ("stopped", "phase", "generation", "asked", "done"),
    [
        pytest.param(False, "Ready", 3, False, False, id="not asked for yet"),
        pytest.param(True, "Updating", 3, True, False, id="under way"),
        pytest.param(True, "Stopped", 2, True, False, id="told of an older spec"),
        pytest.param(True, "Stopped", 3, True, True, id="stopped"),
    ],
)
def test_a_stop_is_read_from_the_spec_and_its_datacenter(
    stopped: bool, phase: str, generation: int, asked: bool, done: bool
) -> None:
    told = [stored("dc2", phase, generation=generation)]
    found = switches("DatacenterStop", cluster_with({"dc2": stopped}), told)["dc2"]
    assert (found.asked, found.done) == (asked, done)


def test_the_spec_is_changed_only_where_the_datacenter_still_is() -> None:
    assert patch("DatacenterStop", CLUSTER, "dc2") == [
        {"op": "test", "path": "/spec/k8ssandra/cassandra/datacenters/1/metadata/name", "value": "dc2"},
        {"op": "add", "path": "/spec/k8ssandra/cassandra/datacenters/1/stopped", "value": True},
    ]


def stopping(states: dict[str, Switch], *, recorded: str = "Pending", cancel: bool = False) -> Progress:
    entry = {"name": "dc1", "phase": recorded, "total": 3, "succeeded": 3 if recorded == "Complete" else 0}
    asked = operation(
        "datacenterstop.x",
        kind="DatacenterStop",
        datacenterstop={},
        phase="Running",
        status={"datacenters": [entry]},
        cancel=cancel,
    )
    parts = units(asked, CLUSTER, ["dc1", "dc2"])
    planes = {"p1": PlaneTasks(), "p2": PlaneTasks()}
    return advance(asked, parts, planes, {"dc1": 3, "dc2": 1}, states)


IDLE, ASKED, DONE = Switch(False, False), Switch(True, False, "3 of its pods are left"), Switch(True, True)


def test_datacenters_are_stopped_one_after_the_other() -> None:
    first = stopping({"dc1": IDLE, "dc2": IDLE})
    assert first.start is not None
    assert first.start.datacenter == "dc1"
    going = stopping({"dc1": ASKED, "dc2": IDLE})
    assert (going.start, going.message) == (None, "dc1 is asked for: 3 of its pods are left")
    second = stopping({"dc1": DONE, "dc2": IDLE}, recorded="Running")
    assert second.start is not None
    assert second.start.datacenter == "dc2"
    assert second.datacenters[0]["succeeded"] == 3
    end = stopping({"dc1": DONE, "dc2": DONE}, recorded="Complete")
    assert (str(end.phase), end.message) == ("Complete", "4 nodes stopped")


def test_a_cancelled_stop_ends_between_two_datacenters() -> None:
    assert str(stopping({"dc1": ASKED, "dc2": IDLE}, cancel=True).phase) == "Running"
    assert str(stopping({"dc1": DONE, "dc2": IDLE}, cancel=True).phase) == "Cancelled"


def test_a_stop_that_somebody_takes_back_has_failed_and_fights_nobody() -> None:
    undone = stopping({"dc1": IDLE, "dc2": IDLE}, recorded="Running")
    assert (str(undone.phase), undone.start) == ("Failed", None)
    assert "somebody has set its field stopped to another value" in undone.message
