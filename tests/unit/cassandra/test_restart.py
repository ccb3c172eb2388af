"""Restarts: one pod after the other, with proof of health between, and an end between any two."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.cassandra.state import Observations, PodState, RackSet
from controllers.cassandra.tasks.restart import RestartStep, RestartWish, decide_pod_restart, decide_restart
from missioncontrol.api.names import NodeState
from tests.unit.cassandra.builders import gossip, pod, rack_set, snapshot

OLD, BEGAN = "2026-05-04T10:00:00Z", "2026-05-04T11:59:00Z"


def pods_of(racks: int = 3, size: int = 1, **more: Any) -> list[PodState]:
    return [
        pod(rack, ordinal, NodeState.STARTED, **more)
        for rack in range(1, racks + 1)
        for ordinal in range(size)
    ]


def step(
    sets: list[RackSet],
    pods: list[PodState] | None = None,
    *,
    asked: bool = True,
    quorum: bool = True,
    **wish: Any,
) -> RestartStep:
    found = pods if pods is not None else pods_of()
    seen = Observations(
        gossip={each.name: gossip(found) for each in found}, quorum={each.name: quorum for each in found}
    )
    world = snapshot(found, sets=sets, observed=seen)
    return decide_restart(world, RestartWish(**{"began": BEGAN, **wish}), asked=asked)


def restarted(of: PodState) -> PodState:
    return replace(of, restarted_at=BEGAN)


def back(rack: int, **more: Any) -> RackSet:
    return rack_set(rack, restarted_at=BEGAN, **more)


def test_the_racks_are_marked_in_the_order_of_their_names() -> None:
    found = step([rack_set(rack) for rack in (3, 1, 2)])
    assert found.mark is not None
    assert (found.mark.rack.rack, found.mark.partition) == ("r1", 0)
    pods = pods_of()
    found = step([back(1), rack_set(2), rack_set(3)], [restarted(pods[0]), *pods[1:]])
    assert found.mark is not None
    assert (found.mark.rack.rack, found.succeeded) == ("r2", 1)


def test_inside_a_rack_the_highest_ordinal_goes_first_and_the_next_when_all_is_well() -> None:
    pods = pods_of(racks=1, size=3)
    first = step([rack_set(1, replicas=3)], pods)
    assert first.mark is not None
    assert first.mark.partition == 2
    away = [*pods[:2], replace(restarted(pods[2]), ready=False, state=NodeState.STARTING)]
    assert step([back(1, replicas=3, partition=2)], away).mark is None
    there = [*pods[:2], restarted(pods[2])]
    second = step([back(1, replicas=3, partition=2)], there)
    assert second.mark is not None
    assert (second.mark.partition, second.succeeded) == (1, 1)
    assert step([back(1, replicas=3, partition=2)], there, quorum=False).mark is None


def test_health_is_asked_for_before_any_pod_goes() -> None:
    found = step([rack_set(rack) for rack in (1, 2, 3)], asked=False)
    assert (found.mark, found.needs_gossip) == (None, True)


def test_it_is_finished_when_all_racks_are_back() -> None:
    found = step([back(rack) for rack in (1, 2, 3)], [restarted(each) for each in pods_of()])
    assert (found.finished, found.stopped, found.succeeded) == (True, False, 3)


def test_a_cancelled_one_ends_between_two_pods_of_a_rack() -> None:
    pods = pods_of(racks=2, size=2)
    sets = [back(1, replicas=2, partition=1), rack_set(2, replicas=2)]
    going = [pods[0], replace(restarted(pods[1]), ready=False), *pods[2:]]
    assert not step(sets, going, cancelled=True).finished
    there = [pods[0], restarted(pods[1]), *pods[2:]]
    found = step(sets, there, cancelled=True)
    assert (found.finished, found.stopped, found.mark) == (True, True, None)
    assert found.sentence == "cancelled after 1 node; 3 were not restarted"


def test_a_restart_after_a_cancelled_one_begins_each_rack_at_its_top() -> None:
    pods = pods_of(racks=1, size=3)
    found = step([rack_set(1, replicas=3, partition=2, restarted_at=OLD)], pods)
    assert found.mark is not None
    assert found.mark.partition == 2


def test_a_younger_restart_did_what_was_asked_for() -> None:
    later = "2026-05-04T12:30:00Z"
    pods = [replace(each, restarted_at=later) for each in pods_of()]
    found = step([rack_set(rack, restarted_at=later) for rack in (1, 2, 3)], pods)
    assert (found.finished, found.succeeded) == (True, 3)


def test_only_the_rack_that_was_asked_for() -> None:
    found = step([rack_set(1), rack_set(2), rack_set(3)], rack="r2")
    assert found.mark is not None
    assert found.mark.rack.rack == "r2"


def test_no_pod_goes_while_another_rack_is_replaced_for_another_reason() -> None:
    found = step([rack_set(1), rack_set(2), rack_set(3, rolled=False)])
    assert (found.mark, found.sentence) == (None, "rack r1 waits while rack r3 is being replaced")


def test_no_pod_goes_while_a_change_of_the_spec_is_half_way_through_a_rack() -> None:
    found = step([rack_set(1), rack_set(2), rack_set(3, in_steps=True)])
    assert (found.mark, found.sentence) == (None, "rack r1 waits while rack r3 is being replaced")


def test_a_fast_one_lets_all_pods_of_a_rack_go_at_once() -> None:
    pods = pods_of(racks=2, size=2)
    first = step([rack_set(1, replicas=2), rack_set(2, replicas=2)], pods, fast=True)
    assert first.mark is not None
    assert first.mark.partition == 0
    sets = [back(1, replicas=2, rolled=False), rack_set(2, replicas=2)]
    going = step(sets, pods, fast=True)
    assert [each.name for each in going.delete] == ["demo-dc1-r1-sts-0", "demo-dc1-r1-sts-1"]
    half = [restarted(pods[0]), pods[1], *pods[2:]]
    assert [each.name for each in step(sets, half, fast=True).delete] == ["demo-dc1-r1-sts-1"]


def test_a_fast_one_waits_for_the_other_racks_unless_it_is_forced() -> None:
    pods = pods_of(racks=2)
    lost = [pods[0], replace(pods[1], ready=False)]
    sets = [rack_set(1), rack_set(2)]
    assert step(sets, lost, fast=True).mark is None
    assert step(sets, lost, fast=True, force=True).mark is not None
    own = [replace(pods[0], ready=False), pods[1]]
    assert step(sets, own, fast=True).mark is not None


@settings(max_examples=30, deadline=None)
@given(racks=st.integers(1, 3), size=st.integers(1, 3), seed=st.integers())
def test_at_most_one_node_is_away_at_any_time_and_all_are_restarted_once(
    racks: int, size: int, seed: int
) -> None:
    chance = random.Random(seed)
    pods = {each.name: each for each in pods_of(racks, size)}
    sets = {rack: rack_set(rack, replicas=size) for rack in range(1, racks + 1)}
    restarts: list[str] = []
    for _ in range(200):
        away = [name for name, each in pods.items() if not each.started]
        assert len(away) <= 1
        found = step(list(sets.values()), list(pods.values()))
        if found.finished:
            break
        if found.mark is not None:
            number = int(found.mark.rack.rack[1:])
            sets[number] = replace(
                found.mark.rack, restarted_at=BEGAN, partition=found.mark.partition, rolled=False
            )
        for number, each in sets.items():
            sets[number] = _controller(number, each, pods, restarts, chance)
    assert sorted(restarts) == sorted(pods)
    assert all(each.partition == 0 for each in sets.values())


def _controller(
    number: int, each: RackSet, pods: dict[str, PodState], restarts: list[str], chance: random.Random
) -> RackSet:
    """Kubernetes' part: a pod at or above the partition is replaced; later it runs."""
    names = [name for name in pods if name.startswith(f"demo-dc1-r{number}-")]
    for name in names:
        if not pods[name].started and chance.random() < 0.5:
            pods[name] = replace(pods[name], ready=True)
    old = [
        name
        for name in sorted(names, reverse=True)
        if pods[name].restarted_at < each.restarted_at and pods[name].ordinal >= each.partition
    ]
    if old and all(pods[name].started for name in names) and chance.random() < 0.5:
        restarts.append(old[0])
        pods[old[0]] = replace(pods[old[0]], restarted_at=each.restarted_at, ready=False)
        old = old[1:]
    return replace(each, rolled=not old)


# --- a single pod ------------------------------------------------------------------------------


def one(
    pods: list[PodState], *, marked: str = "", cancelled: bool = False, asked: bool = True
) -> RestartStep:
    seen = Observations(
        gossip={each.name: gossip(pods) for each in pods}, quorum={each.name: True for each in pods}
    )
    world = snapshot(pods, sets=[rack_set(rack) for rack in (1, 2, 3)], observed=seen)
    return decide_pod_restart(world, "demo-dc1-r2-sts-0", marked=marked, cancelled=cancelled, asked=asked)


def test_a_single_pod_is_recorded_then_deleted_then_waited_for() -> None:
    pods = pods_of()
    assert one(pods, asked=False).needs_gossip
    assert one(pods).sentence == ""
    uid = pods[1].uid
    assert one(pods, marked=uid).delete == (pods[1],)
    assert one([pods[0], pods[2]], marked=uid).sentence == "waiting until demo-dc1-r2-sts-0 is back"
    young = replace(pods[1], uid="young", ready=False)
    assert one([pods[0], young, pods[2]], marked=uid).delete == ()
    found = one([pods[0], replace(young, ready=True), pods[2]], marked=uid)
    assert (found.finished, found.succeeded) == (True, 1)


def test_a_node_that_does_not_run_can_be_restarted_but_not_beside_another_one() -> None:
    pods = pods_of()
    lost = replace(pods[1], ready=False)
    assert one([pods[0], lost, pods[2]], asked=False).sentence == ""
    also = replace(pods[2], ready=False)
    assert "demo-dc1-r3-sts-0 is not ready" in one([pods[0], lost, also]).sentence


def test_a_single_pod_can_be_cancelled_until_it_is_recorded() -> None:
    assert one(pods_of(), cancelled=True).stopped
    assert not one(pods_of(), cancelled=True, marked=pods_of()[1].uid).finished
