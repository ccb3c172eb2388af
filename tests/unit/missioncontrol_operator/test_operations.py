"""Operations: whose turn it is, which task comes next, how each end is recognised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.missioncontrol.operations.decide import Progress, advance
from controllers.missioncontrol.operations.model import (
    Operation,
    PlaneTasks,
    Task,
    Unit,
    label_value,
    read_task,
    render_task,
    units,
)
from controllers.missioncontrol.operations.queue import ahead
from missioncontrol.kube.views import Meta, Object
from tests.unit.missioncontrol_operator.conftest import OWNER

START = datetime(2026, 1, 1, tzinfo=UTC)
PLANES = {"dc1": "p1", "dc2": "p2"}
RACKS = {"dc1": ("r1", "r2"), "dc2": ("r1",)}


def operation(
    name: str = "rollingrestart.r1",
    *,
    age: int = 0,
    phase: str = "",
    status: dict[str, Any] | None = None,
    cluster: str = "demo",
    cancel: bool = False,
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
    return Operation(meta, "RollingRestart", cluster, {"type": "RollingRestart", **spec}, told)


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
    found = units(operation(**spec), database="demo", planes=PLANES, racks=RACKS)
    assert [each.task for each in found] == names


def test_a_task_names_its_datacenter_and_is_kept() -> None:
    body = render_task(operation(), Unit("dc1", "p1", "t", "r2"), OWNER)
    assert body["spec"]["datacenters"] == ["dc1"]
    assert body["spec"]["template"] == {
        "jobs": [{"name": "rollingrestart.r1", "command": "restart", "args": {"rack": "r2"}}],
        "ttlSecondsAfterFinished": 0,
    }
    assert OWNER.owns(body["metadata"]["labels"])
    assert body["metadata"]["labels"]["missioncontrol.io/operation"] == "rollingrestart.r1"


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
