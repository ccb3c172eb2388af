"""How a datacenter stops, and what comes back when it is resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controllers.cassandra.actions import DrainNodes, ScaleRack, Tell
from controllers.cassandra.decide import decide
from controllers.cassandra.decide.labels import stuck_pod
from controllers.cassandra.decide.racks import members, rack_actions
from controllers.cassandra.decide.stop import decide_stop, wants_stop
from controllers.cassandra.state import Memory, Snapshot
from missioncontrol.api.names import NodeState
from tests.unit.cassandra.builders import NOW, claim, datacenter, pod, rack_set, snapshot
from tests.unit.cassandra.builders import members as members_of

RUNNING = [pod(rack, state=NodeState.STARTED, seed=True) for rack in (1, 2, 3)]


def stopping(*pods: Any, said: bool = True, **more: Any) -> Snapshot:
    conditions = [{"type": "Ready", "status": "False" if said else "True"}]
    if said:
        conditions.append({"type": "Stopped", "status": "True"})
    dc = datacenter(stopped=True, status={"conditions": conditions, **members_of(*RUNNING)})
    return snapshot(pods, of=dc, **{"sets": [rack_set(rack) for rack in (1, 2, 3)], **more})


def test_that_it_stops_is_stored_before_anything_is_done() -> None:
    plan = decide_stop(stopping(*RUNNING, said=False))
    assert plan.store
    assert [type(action) for action in plan.actions] == [Tell]
    assert plan.conditions["Stopped"][0] is True
    assert plan.conditions["Ready"][0] is False


def test_every_running_node_drains_at_the_same_time() -> None:
    assert decide_stop(stopping(*RUNNING)).actions == (DrainNodes(tuple(RUNNING)),)


def test_no_rack_goes_while_a_node_drains() -> None:
    drains = {each.incarnation: each.ordinal > 0 for each in RUNNING}
    plan = decide_stop(stopping(*RUNNING, memory=Memory(drains=drains)))
    assert plan.actions == ()
    assert plan.sentence == "stopping: demo-dc1-r1-sts-0 drains"


def test_all_racks_go_at_once_when_the_nodes_have_drained() -> None:
    drains = {each.incarnation: True for each in RUNNING}
    plan = decide_stop(stopping(*RUNNING, memory=Memory(drains=drains)))
    assert plan.actions == tuple(ScaleRack(f"demo-dc1-r{rack}-sts", 0, f"rv{rack}") for rack in (1, 2, 3))


def test_a_stopped_datacenter_is_settled_and_not_ready() -> None:
    plan = decide_stop(stopping(sets=[rack_set(rack, replicas=0) for rack in (1, 2, 3)]))
    assert plan.settled
    held = {kind for kind, (holds, _, _) in plan.conditions.items() if holds}
    assert held == {"Stopped", "Valid", "Initialized"}


def test_a_node_that_is_leaving_may_finish_before_the_stop() -> None:
    leaving = replace(RUNNING[2], state=NodeState.DECOMMISSIONING)
    assert not wants_stop(stopping(*RUNNING[:2], leaving))


def test_a_resumed_rack_gets_a_pod_for_each_member_though_fewer_are_wanted() -> None:
    known = {"nodeStatuses": {f"demo-dc1-r1-sts-{n}": {"hostID": f"h{n}"} for n in (0, 1, 2)}}
    dc = datacenter(size=1, racks=1, status=known)
    asleep = snapshot(of=dc, sets=[rack_set(1, replicas=0)])
    [action] = rack_actions(asleep)
    assert isinstance(action, ScaleRack)
    assert action.replicas == 3
    left = claim("demo-dc1-r1-sts-2", left=True)
    assert members(replace(asleep, claims={left.name: left}), dc.plan[0]) == 2


def test_that_it_is_resumed_is_stored_before_the_first_pod() -> None:
    status = {"conditions": [{"type": "Stopped", "status": "True"}], **members_of(*RUNNING)}
    asleep = snapshot(of=datacenter(status=status), sets=[rack_set(rack, replicas=0) for rack in (1, 2, 3)])
    plan = decide(asleep, NOW)
    assert plan.store
    assert {kind: holds for kind, (holds, _, _) in plan.conditions.items()} == {
        "Stopped": False,
        "Resuming": True,
    }


def test_a_node_that_drained_for_a_stop_that_was_called_off_is_made_again() -> None:
    drained = replace(RUNNING[0], ready=False, state=NodeState.STARTED_NOT_READY)
    seen = snapshot([drained, *RUNNING[1:]], memory=Memory(drains={drained.incarnation: True}))
    found = stuck_pod(seen, NOW)
    assert found is not None
    assert found.pod == drained
    assert stuck_pod(snapshot([drained, *RUNNING[1:]]), NOW) is None
