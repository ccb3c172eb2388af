"""The labels of pods: what a node is, and which nodes are seeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controllers.cassandra.actions import LabelPod, ReloadSeeds
from controllers.cassandra.decide import decide
from controllers.cassandra.decide.labels import (
    label_actions,
    next_state,
    seed_reload,
    stuck_pod,
    wanted_seeds,
)
from controllers.cassandra.state import Memory, Observations, PodState, Process
from missioncontrol.api.names import Label, NodeState
from tests.unit.cassandra.builders import NOW, datacenter, pod, snapshot, with_objects

S = NodeState


@pytest.mark.parametrize(
    ("before", "ready", "process", "after"),
    [
        pytest.param(S.STARTING, True, None, S.STARTED, id="a starting node that is ready is started"),
        pytest.param(S.STARTING, False, Process.STOPPED, S.STARTING, id="a starting node keeps its mark"),
        pytest.param(S.STARTED, False, Process.RUNNING, S.STARTED_NOT_READY, id="lost readiness"),
        pytest.param(S.STARTED, False, Process.UNREACHABLE, S.STARTED_NOT_READY, id="a hanging node"),
        pytest.param(S.STARTED, False, Process.STOPPED, S.READY_TO_START, id="a restarted container"),
        pytest.param(S.STARTED_NOT_READY, False, Process.STOPPED, S.READY_TO_START, id="restarted later"),
        pytest.param(S.STARTED_NOT_READY, True, None, S.STARTED, id="readiness came back"),
        pytest.param(S.READY_TO_START, False, Process.RUNNING, S.STARTING, id="running though not marked"),
        pytest.param(S.READY_TO_START, True, None, S.STARTED, id="ready though not marked"),
        pytest.param(S.STARTED, False, Process.UNKNOWN, S.STARTED_NOT_READY, id="an API that cannot say"),
        pytest.param(S.DECOMMISSIONING, True, None, S.DECOMMISSIONING, id="a leaving node is left alone"),
    ],
)
def test_the_state_follows_what_is_proved(
    before: NodeState, ready: bool, process: Process | None, after: NodeState
) -> None:
    one = pod(1, state=before, ready=ready)
    seen = Observations({one.name: process} if process else {})
    assert next_state(snapshot([one], observed=seen), one) is after


def test_where_the_api_cannot_say_a_crash_in_the_history_counts() -> None:
    one = pod(1, state=S.STARTED, ready=False, crashed=True)
    seen = Observations({one.name: Process.UNKNOWN})
    assert next_state(snapshot([one], observed=seen), one) is S.READY_TO_START


def racks_of(size: int, racks: int, ready: list[tuple[int, int]]) -> frozenset[str]:
    pods = [pod(rack, ordinal, S.STARTED) for rack, ordinal in ready]
    return frozenset(name[9:] for name in wanted_seeds(snapshot(pods, of=datacenter(size=size, racks=racks))))


def test_each_rack_contributes_its_first_ready_pods() -> None:
    everybody = [(rack, ordinal) for rack in (1, 2, 3) for ordinal in (0, 1)]
    assert racks_of(6, 3, everybody) == {"r1-sts-0", "r2-sts-0", "r3-sts-0"}
    assert racks_of(6, 3, [(1, 1), (2, 0)]) == {"r1-sts-1", "r2-sts-0"}
    assert racks_of(3, 1, [(1, 0), (1, 1), (1, 2)]) == {"r1-sts-0", "r1-sts-1", "r1-sts-2"}


def test_a_starting_seed_stays_one_and_a_lost_one_does_not() -> None:
    pods = [pod(1, state=S.STARTING, seed=True), pod(2, state=S.STARTED_NOT_READY, seed=True)]
    assert wanted_seeds(snapshot(pods)) == {pods[0].name}


def test_one_patch_for_a_node_that_became_ready_and_a_seed() -> None:
    one = pod(2, state=S.STARTING, ready=True)
    [action] = label_actions(snapshot([pod(1, state=S.STARTED, seed=True), one]))
    assert isinstance(action, LabelPod)
    assert action.labels == {Label.NODE_STATE: "Started", Label.SEED_NODE: "true"}
    assert [event.reason for event in action.events] == ["StartedCassandra", "LabeledPodAsSeed"]


def test_a_pod_without_a_state_gets_one() -> None:
    [action] = label_actions(snapshot([replace(pod(1), labelled=False)]))
    assert isinstance(action, LabelPod)
    assert action.labels == {Label.NODE_STATE: "Ready-to-Start"}


def test_pods_that_are_being_deleted_are_not_labelled() -> None:
    assert label_actions(snapshot([pod(1, state=S.STARTED, ready=False, deleting=True)])) == []


def seeds(count: int) -> list[PodState]:
    return [pod(rack, state=S.STARTED, seed=True) for rack in range(1, count + 1)]


def told_of(pods: list[PodState]) -> Memory:
    return Memory(seeds_told=frozenset(each.uid for each in pods))


def test_running_nodes_are_told_when_the_seeds_change() -> None:
    two = seeds(2)
    action = seed_reload(snapshot(two, memory=told_of(two[:1])))
    assert action == ReloadSeeds(tuple(two), frozenset(each.uid for each in two))
    assert seed_reload(snapshot(two, memory=Memory(seeds_told=action.seeds))) is None


def test_the_others_are_told_of_a_seed_that_is_not_ready() -> None:
    *two, third = seeds(3)
    lost = replace(third, state=S.STARTED_NOT_READY, ready=False, seed=False)
    action = seed_reload(snapshot([*two, lost], memory=told_of([*two, third])))
    assert action is not None
    assert set(action.pods) >= set(two)


def test_nobody_is_told_of_a_seed_whose_pod_is_away_until_it_is_back() -> None:
    three = seeds(3)
    memory = told_of(three)
    waiting = replace(pod(3, state=S.READY_TO_START, running=False, ready=False), uid="another")
    assert seed_reload(snapshot(three[:2], memory=memory)) is None
    assert seed_reload(snapshot([*three[:2], waiting], memory=memory)) is None
    back = replace(three[2], uid="another")
    action = seed_reload(snapshot([*three[:2], back], memory=memory))
    assert action is not None
    assert action.pods == (*three[:2], back)


def test_those_who_stay_are_told_when_a_seed_has_left() -> None:
    three = seeds(3)
    two_racks = datacenter(size=2, racks=2)
    action = seed_reload(snapshot(three[:2], of=two_racks, memory=told_of(three)))
    assert action is not None
    assert action.pods == tuple(three[:2])


def test_a_lone_node_has_just_read_the_list() -> None:
    action = seed_reload(snapshot(seeds(1), of=datacenter(size=1, racks=1)))
    assert action is not None
    assert action.pods == ()


def test_after_a_restart_of_the_operator_they_are_told_once_more() -> None:
    action = seed_reload(snapshot(seeds(3)))
    assert action is not None
    assert len(action.pods) == 3


def test_a_pod_that_lost_its_readiness_long_ago_is_deleted() -> None:
    lost = pod(1, state=S.STARTED_NOT_READY, ready=False)
    early = replace(lost, changed_at=NOW - timedelta(minutes=9))
    late = replace(lost, changed_at=NOW - timedelta(minutes=11))
    assert stuck_pod(snapshot([early]), NOW) is None
    found = stuck_pod(snapshot([late]), NOW)
    assert found is not None
    assert found.event.reason == "DeletingStuckPod"


@pytest.mark.parametrize(
    ("initialized", "told"),
    [
        pytest.param("False", False, id="the first starts of a datacenter are not over"),
        pytest.param("True", True, id="a datacenter that was complete waits for one of its nodes"),
    ],
)
def test_seeds_are_told_when_no_more_are_about_to_come(initialized: str, told: bool) -> None:
    condition = {"type": "Initialized", "status": initialized, "lastTransitionTime": "2026-05-04T11:00:00Z"}
    of = datacenter(status={"conditions": [condition]})
    waiting = [*seeds(2), pod(3, state=S.READY_TO_START, running=False, ready=False)]
    plan = decide(replace(with_objects(snapshot(waiting, of=of)), memory=Memory()), NOW)
    assert any(isinstance(action, ReloadSeeds) for action in plan.actions) == told
