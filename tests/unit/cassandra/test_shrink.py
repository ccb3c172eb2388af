"""Which node leaves next, what it waits for, and what is proved before its disk goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controllers.cassandra.actions import Decommission, DeleteClaims, MarkLeft, ScaleRack
from controllers.cassandra.decide import shrink
from controllers.cassandra.decide.datacenter import decide
from controllers.cassandra.decide.shrink import Position
from controllers.cassandra.state import (
    Gossip,
    Leave,
    Memory,
    Observations,
    PodState,
    Replicas,
    Snapshot,
    StartCall,
)
from missioncontrol.api.names import Annotation, NodeState
from tests.unit.cassandra.builders import NOW, claim, datacenter, gossip, members, pod, rack_set, snapshot

PODS = [pod(rack, ordinal, NodeState.STARTED) for rack in (1, 2, 3) for ordinal in (0, 1)]
LAST = PODS[5]


def shrinking(
    pods: list[PodState] = PODS,
    *,
    size: int = 3,
    tables: dict[str, Gossip] | None = None,
    said: bool = True,
    replication: dict[str, Replicas] | None = None,
    capacity: str = "2Gi",
    left: str = "",
    **more: Any,
) -> Snapshot:
    conditions = [{"type": "ScalingDown", "status": "True" if said else "False"}]
    dc = datacenter(size=size, status={"conditions": conditions, **members(*PODS)})
    claims = [claim(each.name, capacity=capacity, left=each.name == left) for each in PODS]
    seen = {each.name: gossip(PODS) for each in pods} if tables is None else tables
    values: dict[str, Any] = {"sets": [rack_set(rack, replicas=2) for rack in (1, 2, 3)], **more}
    found = snapshot(pods, of=dc, observed=Observations(gossip=seen, replication=replication or {}), **values)
    return replace(found, claims={each.name: each for each in claims})


def with_status(status: str, *, own: bool = False, alive: bool = True) -> Gossip:
    """What a node sees when the last one has that status."""
    table = gossip(PODS[:5]) + gossip([LAST], status=status, alive=alive)
    return tuple(replace(each, local=own and each.address == LAST.ip) for each in table)


LEAVER = replace(LAST, state=NodeState.DECOMMISSIONING)
WITH_LEAVER = [*PODS[:5], LEAVER]


@pytest.mark.parametrize(
    ("sizes", "size", "rack"),
    [
        pytest.param((2, 2, 2), 3, 3, id="the last of the racks that have too many"),
        pytest.param((2, 2, 1), 3, 2, id="then the one before"),
        pytest.param((3, 1, 1), 4, 1, id="the one that has more than the others"),
        pytest.param((2, 2, 2), 5, 3, id="one node less"),
        pytest.param((2, 2, 2), 6, None, id="none when there are not too many"),
        pytest.param((2, 2, 2), 9, None, id="none while it grows"),
    ],
)
def test_racks_stay_balanced(sizes: tuple[int, ...], size: int, rack: int | None) -> None:
    sets = [rack_set(number, replicas=count) for number, count in enumerate(sizes, start=1)]
    found = shrink.next_rack(snapshot(of=datacenter(size=size), sets=sets))
    assert (found.name if found else None) == (f"demo-dc1-r{rack}-sts" if rack else None)


def test_that_it_shrinks_is_stored_before_a_node_is_told() -> None:
    plan = shrink.begin(shrinking(said=False))
    assert plan is not None
    assert plan.store
    assert plan.actions == ()
    assert plan.conditions["ScalingDown"][0]


def test_the_highest_ordinal_leaves() -> None:
    plan = shrink.begin(shrinking())
    assert plan is not None
    assert plan.actions == (Decommission(LAST, "r3"),)


def test_nobody_leaves_where_the_others_have_no_room() -> None:
    table = tuple(replace(each, load=1.5 * 2**30) for each in gossip(PODS))
    plan = shrink.begin(shrinking(said=False, tables={PODS[0].name: table}))
    assert plan is not None
    assert plan.actions == ()
    holds, reason, sentence = plan.conditions["Valid"]
    assert (holds, reason) == (False, "notEnoughSpaceToScaleDown")
    assert "demo-dc1-r1-sts-0 has 512.0 MiB free, and 1.5 GiB may come" in sentence
    assert "ScalingDown" not in plan.conditions


def test_nobody_leaves_where_a_keyspace_has_more_replicas_than_nodes_would_stay() -> None:
    plan = shrink.begin(shrinking(replication={"shop": Replicas(3), "logs": Replicas(5)}))
    assert plan is not None
    assert plan.actions == ()
    assert plan.conditions["Valid"][1] == "notEnoughNodesForReplication"
    assert "keyspace logs has 5 replicas" in plan.sentence


def test_replicas_that_may_be_anywhere_are_counted_over_the_ring() -> None:
    kept = {"kept": Replicas(5, anywhere=True)}
    others = tuple(
        replace(each, datacenter="dc2", host_id=f"other-{each.host_id}") for each in gossip(PODS[:2])
    )
    alone, together = ({each.name: gossip(PODS) + more for each in PODS} for more in ((), others))
    for tables, actions in ((alone, ()), (together, (Decommission(LAST, "r3"),))):
        plan = shrink.begin(shrinking(replication=kept, tables=tables))
        assert plan is not None
        assert plan.actions == actions


def test_nobody_leaves_before_somebody_said_how_keyspaces_are_replicated() -> None:
    base = shrinking()
    silent = replace(base, observed=replace(base.observed, replication=None))
    plan = shrink.begin(silent)
    assert plan is not None
    assert plan.actions == ()


POSITIONS = [
    pytest.param({LAST.name: with_status("LEAVING", own=True)}, Position.LEAVING, id="it says it is leaving"),
    pytest.param({LAST.name: with_status("LEFT", own=True)}, Position.LEFT, id="it says it has left"),
    pytest.param({LAST.name: with_status("NORMAL", own=True)}, Position.MEMBER, id="it says it is normal"),
    pytest.param({PODS[0].name: with_status("LEAVING")}, Position.LEAVING, id="one other sees it leave"),
    pytest.param({PODS[0].name: with_status("LEFT")}, Position.UNKNOWN, id="not all others were heard"),
    pytest.param({p.name: with_status("LEFT") for p in PODS[:5]}, Position.LEFT, id="all others say left"),
    pytest.param({p.name: gossip(PODS[:5]) for p in PODS[:5]}, Position.LEFT, id="no other knows it"),
    pytest.param(
        {p.name: gossip(PODS[:5]) if p is PODS[0] else gossip(PODS) for p in PODS[:5]},
        Position.MEMBER,
        id="one other still has it",
    ),
    pytest.param({}, Position.UNKNOWN, id="nobody answers"),
]


@pytest.mark.parametrize(("tables", "expected"), POSITIONS)
def test_where_a_node_stands(tables: dict[str, Gossip], expected: Position) -> None:
    assert shrink.position(shrinking(WITH_LEAVER, tables=tables), LEAVER) is expected


def test_a_node_that_is_leaving_is_never_told_again() -> None:
    plan = shrink.leaving(shrinking(WITH_LEAVER, tables={LAST.name: with_status("LEAVING", own=True)}), NOW)
    assert plan is not None
    assert plan.actions == ()
    assert plan.wait


def test_a_node_that_was_marked_and_not_told_is_told() -> None:
    plan = shrink.leaving(shrinking(WITH_LEAVER), NOW)
    assert plan is not None
    assert plan.actions == (Decommission(LEAVER, "r3"),)


@pytest.mark.parametrize("call", [StartCall.IN_FLIGHT, StartCall.ACCEPTED])
def test_a_node_that_was_told_and_does_not_show_it_yet_is_waited_for(call: StartCall) -> None:
    memory = Memory(leaves={LEAVER.incarnation: Leave(call, "job")})
    plan = shrink.leaving(shrinking(WITH_LEAVER, memory=memory), NOW)
    assert plan is not None
    assert plan.actions == ()


def test_a_node_that_could_not_leave_is_told_again_later() -> None:
    leaves = {LEAVER.incarnation: Leave(StartCall.REFUSED, said="no streams")}
    later = Memory(leaves=leaves, retry_at={LEAVER.name: NOW + timedelta(seconds=4)})
    plan = shrink.leaving(shrinking(WITH_LEAVER, memory=later), NOW)
    assert plan is not None
    assert plan.actions == ()
    assert plan.wait == 4
    assert "no streams" in plan.sentence
    due = Memory(leaves=leaves, retry_at={LEAVER.name: NOW})
    plan = shrink.leaving(shrinking(WITH_LEAVER, memory=due), NOW)
    assert plan is not None
    assert plan.actions == (Decommission(LEAVER, "r3"),)


GONE = {each.name: gossip(PODS[:5]) for each in PODS[:5]}


def test_the_disk_of_a_node_that_left_is_marked_then_its_pod_goes_then_its_disk() -> None:
    plan = shrink.farewell(shrinking(WITH_LEAVER, tables=GONE))
    assert plan is not None
    assert plan.actions == (MarkLeft(LAST.name, (f"server-data-{LAST.name}",)),)
    plan = shrink.farewell(shrinking(WITH_LEAVER, left=LAST.name))
    assert plan is not None
    assert plan.actions == (ScaleRack("demo-dc1-r3-sts", 1, "rv3"),)
    sets = [rack_set(1, replicas=2), rack_set(2, replicas=2), rack_set(3, replicas=1)]
    assert shrink.farewell(shrinking(WITH_LEAVER, left=LAST.name, sets=sets)) is None
    after = shrinking(PODS[:5], left=LAST.name, sets=sets)
    plan = shrink.farewell(after)
    assert plan is not None
    assert plan.store
    assert plan.actions == ()
    forgotten = datacenter(size=3, status=members(*PODS[:5]))
    plan = shrink.farewell(replace(after, datacenter=forgotten))
    assert plan is not None
    [action] = plan.actions
    assert isinstance(action, DeleteClaims)
    assert action.claims is not None
    assert [each.name for each in action.claims] == [f"server-data-{LAST.name}"]


def test_a_pod_that_was_made_again_after_its_node_left_is_not_started_but_goes() -> None:
    again = replace(LAST, state=NodeState.READY_TO_START, ready=False)
    plan = shrink.farewell(shrinking([*PODS[:5], again], tables=GONE))
    assert plan is not None
    assert isinstance(plan.actions[0], MarkLeft)


def test_a_member_that_does_not_run_stays() -> None:
    down = replace(LAST, state=NodeState.READY_TO_START, ready=False)
    tables = {each.name: gossip(PODS) for each in PODS[:5]}
    assert shrink.farewell(shrinking([*PODS[:5], down], tables=tables)) is None


def test_a_node_that_never_joined_goes_without_leaving() -> None:
    new = replace(LAST, state=NodeState.READY_TO_START, ready=False)
    base = shrinking([*PODS[:5], new], tables=GONE, said=False)
    known = replace(base, datacenter=datacenter(size=3, status=members(*PODS[:5])))
    plan = shrink.farewell(known)
    assert plan is not None
    assert plan.actions == (MarkLeft(LAST.name, (f"server-data-{LAST.name}",)),)
    # but not when the others know somebody who is nobody's: the status may have forgotten it
    tables = {each.name: gossip(PODS) for each in PODS[:5]}
    assert shrink.farewell(replace(known, observed=Observations(gossip=tables))) is None


@pytest.mark.parametrize(
    ("elsewhere", "lone"),
    [
        pytest.param("NORMAL", False, id="the other datacenter has a member"),
        pytest.param("LEFT", True, id="the other datacenter was deleted at the same time, and has left"),
    ],
)
def test_the_last_datacenter_of_a_ring_is_deleted_without_leaving_it(elsewhere: str, lone: bool) -> None:
    told = pod(1, 0, NodeState.DECOMMISSIONING, ready=True)
    conditions = [{"type": "Decommission", "status": "True"}, {"type": "ScalingDown", "status": "True"}]
    dc = datacenter(
        racks=1,
        size=1,
        status={"conditions": conditions, **members(told)},
        meta={
            "deletion_timestamp": NOW,
            "annotations": {Annotation.DECOMMISSION_ON_DELETE: "true"},
        },
    )
    other = replace(gossip([pod(1, 9)], status=elsewhere)[0], datacenter="dc2")
    seen = Observations(gossip={told.name: (*gossip([told]), other)})

    plan = decide(snapshot([told], of=dc, sets=[rack_set(1)], observed=seen), NOW)

    assert (plan.actions == (ScaleRack("demo-dc1-r1-sts", 0, "rv1"),)) is lone
