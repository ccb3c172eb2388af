"""Which disk of a replaced node is the old one, and when the new node takes its place."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import timedelta
from typing import Any

from controllers.cassandra.actions import DeleteClaims, DeletePod, DrainNodes, PatchSpec, StartNode, Tell
from controllers.cassandra.decide import replace
from controllers.cassandra.decide.nodes import starts
from controllers.cassandra.state import Memory, Observations, Process, Snapshot
from missioncontrol.api.names import NodeState
from tests.unit.cassandra.builders import NOW, claim, datacenter, gossip, members, pod, snapshot

RUNNING = [pod(rack, state=NodeState.STARTED, seed=True) for rack in (1, 2, 3)]
VICTIM = RUNNING[1]
SINCE = "2026-05-04T11:59:30Z"
OLD, NEW = NOW - timedelta(minutes=5), NOW - timedelta(seconds=10)


def replacing(
    *pods: Any, disk: Any = OLD, asked: Any = (), memory: Memory | None = None, **seen: Any
) -> Snapshot:
    status = {
        **members(*RUNNING),
        "nodeReplacements": [VICTIM.name],
        "conditions": [{"type": "ReplacingNodes", "status": "True", "lastTransitionTime": SINCE}],
    }
    dc = datacenter(status=status, replaceNodes=list(asked))
    found = snapshot(pods, of=dc, observed=Observations(**seen), memory=memory)
    disks = [claim(VICTIM.name, created_at=disk)] if disk else []
    return changed(found, claims={each.name: each for each in disks})


def test_what_is_asked_for_is_stored_before_it_leaves_the_spec() -> None:
    fresh = snapshot(RUNNING, of=datacenter(replaceNodes=[VICTIM.name]))
    plan = replace.accept(fresh)
    assert plan is not None
    assert plan.store
    assert plan.status == {"nodeReplacements": [VICTIM.name]}
    plan = replace.accept(replacing(*RUNNING, asked=[VICTIM.name, "nobody"]))
    assert plan is not None
    assert plan.actions[0] == PatchSpec({"replaceNodes": None})
    notes = [action.event.note for action in plan.actions[1:] if isinstance(action, Tell)]
    assert notes[0] == f"Replacing Cassandra nodes for pods {VICTIM.name}"
    assert "there is no pod nobody" in notes[1]


def test_a_running_node_drains_before_its_disk_and_pod_go() -> None:
    plan = replace.proceed(replacing(*RUNNING))
    assert plan is not None
    assert plan.actions == (DrainNodes((VICTIM,)),)
    plan = replace.proceed(replacing(*RUNNING, memory=Memory(drains={VICTIM.incarnation: False})))
    assert plan is None
    plan = replace.proceed(replacing(*RUNNING, memory=Memory(drains={VICTIM.incarnation: True})))
    assert plan is not None
    assert [type(action) for action in plan.actions] == [DeleteClaims, DeletePod]


def test_a_running_node_is_not_taken_away_while_another_one_is_down() -> None:
    down = changed(RUNNING[0], ready=False, state=NodeState.STARTED_NOT_READY)
    assert replace.proceed(replacing(down, *RUNNING[1:])) is None
    dead = changed(VICTIM, ready=False, state=NodeState.STARTED_NOT_READY)
    plan = replace.proceed(replacing(down, dead, RUNNING[2]))
    assert plan is not None
    assert [type(action) for action in plan.actions] == [DeleteClaims, DeletePod]


def test_a_disk_that_is_already_going_is_not_deleted_twice() -> None:
    base = replacing(changed(VICTIM, deleting=True, ready=False))
    going = {each.name: changed(each, deleting=True) for each in base.claims.values()}
    assert replace.proceed(changed(base, claims=going)) is None


def test_a_new_disk_is_left_alone_and_its_node_takes_the_place_of_the_dead_one() -> None:
    again = changed(VICTIM, ready=False, state=NodeState.READY_TO_START, uid="new", ip="10.0.9.9", seed=False)
    seen = {
        "processes": {again.name: Process.STOPPED},
        "gossip": {RUNNING[0].name: gossip([RUNNING[0], RUNNING[2]]) + gossip([VICTIM], alive=False)},
    }
    base = replacing(RUNNING[0], again, RUNNING[2], disk=NEW, **seen)
    assert replace.proceed(base) is None
    assert starts(base, NOW).actions == (StartNode(again, replaces=VICTIM.ip),)
    alive = {**seen, "gossip": {RUNNING[0].name: gossip(RUNNING)}}
    waits = starts(replacing(RUNNING[0], again, RUNNING[2], disk=NEW, **alive), NOW)
    assert waits.actions == ()
    assert "is seen to be down" in waits.sentence
    forgotten = {**seen, "gossip": {RUNNING[0].name: gossip([RUNNING[0], RUNNING[2]])}}
    joins = starts(replacing(RUNNING[0], again, RUNNING[2], disk=NEW, **forgotten), NOW)
    assert joins.actions == (StartNode(again),)


def test_a_node_is_never_started_on_the_disk_that_is_given_up() -> None:
    again = changed(VICTIM, ready=False, state=NodeState.READY_TO_START)
    seen = {"processes": {again.name: Process.STOPPED}, "gossip": {RUNNING[0].name: gossip(RUNNING)}}
    assert starts(replacing(RUNNING[0], again, RUNNING[2], **seen), NOW).actions == ()


def test_a_node_that_serves_from_a_new_disk_is_replaced() -> None:
    table = {each.name: gossip(RUNNING) for each in RUNNING}
    plan = replace.proceed(replacing(*RUNNING, disk=NEW, gossip=table))
    assert plan is not None
    assert plan.store
    assert plan.status == {"nodeReplacements": []}
    assert replace.proceed(replacing(*RUNNING, disk=NEW)) is None


def test_of_several_nodes_one_is_taken_away_at_a_time_those_that_are_down_first() -> None:
    other = RUNNING[2]

    def of_two(*pods: Any, **given: Any) -> Snapshot:
        base = replacing(*pods, **given)
        status = base.datacenter.status.model_copy(update={"node_replacements": [VICTIM.name, other.name]})
        disks = (*base.claims.values(), claim(other.name, created_at=OLD))
        return changed(
            base,
            datacenter=changed(base.datacenter, status=status),
            claims={each.name: each for each in disks},
        )

    drains = of_two(*RUNNING, memory=Memory(drains={VICTIM.incarnation: False}))
    assert replace.proceed(drains) is None
    going = changed(VICTIM, deleting=True, ready=False)
    assert replace.proceed(of_two(RUNNING[0], going, other, disk=None)) is None
    assert replace.proceed(of_two(RUNNING[0], other, disk=None)) is None
    down = changed(other, ready=False, state=NodeState.STARTED_NOT_READY)
    plan = replace.proceed(of_two(RUNNING[0], VICTIM, down))
    assert plan is not None
    assert plan.actions[-1] == DeletePod(down)


def test_a_pod_that_was_made_again_goes_only_if_its_disk_is_the_old_one() -> None:
    again = changed(VICTIM, ready=False, state=NodeState.READY_TO_START, uid="new", created_at=NEW)
    unseen = replacing(RUNNING[0], again, RUNNING[2], disk=None)
    assert replace.proceed(unseen) is None
    # made by somebody between our steps: on the disk that is given up
    plan = replace.proceed(replacing(RUNNING[0], again, RUNNING[2]))
    assert plan is not None
    assert [type(action) for action in plan.actions] == [DeleteClaims, DeletePod]
    # either so, and its disk is going; or what is seen of the disk is late
    base = replacing(RUNNING[0], again, RUNNING[2])
    going = {each.name: changed(each, deleting=True) for each in base.claims.values()}
    plan = replace.proceed(changed(base, claims=going))
    assert plan is not None
    assert plan.actions == (DeletePod(again, uses=tuple(going.values())),)
    assert not plan.again
    assert plan.wait
