"""What a simulated node does when it is started, stopped, or told to leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from missioncontrol.local.simulator.ring import (
    HEARTBEAT_LIMIT,
    Ignored,
    Mode,
    Refused,
    Started,
)
from tests.unit.simulator.conftest import START_SECONDS, Plane


def sentence(outcome: object) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.sentence


def test_the_first_node_must_be_a_seed(plane: Plane) -> None:
    pod = plane.pod("a")
    assert "must be a seed" in sentence(plane.start(pod))
    assert isinstance(plane.start(pod, seed=True), Started)


def test_a_second_node_joins_through_a_seed_that_is_up(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    outcome = plane.start(plane.pod("b"), first)
    assert isinstance(outcome, Started)
    assert outcome.kind == "bootstrap"
    assert not outcome.new_ring


def test_a_second_ring_is_refused_whether_or_not_the_node_calls_itself_a_seed(plane: Plane) -> None:
    plane.started(plane.pod("a"), seed=True)
    assert "second ring" in sentence(plane.start(plane.pod("b")))
    assert "second ring" in sentence(plane.start(plane.pod("c"), seed=True))


def test_a_seed_that_is_down_does_not_answer(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    plane.store.drain(first.uid, plane.now)
    assert "second ring" in sentence(plane.start(plane.pod("b"), first))


def test_a_ring_in_another_plane_counts_also_while_that_plane_is_away(
    make_plane: Callable[[str], Plane],
) -> None:
    one, two = make_plane("p1"), make_plane("p2")
    first = one.started(one.pod("a"), seed=True)
    two.now = one.now
    other = two.pod("b")
    assert "second ring" in sentence(two.start(other, seed=True))
    two.later(HEARTBEAT_LIMIT + 1)  # one's simulator is silent meanwhile
    assert "second ring" in sentence(two.start(other, first))
    one.now = two.now
    one.later(0)
    assert isinstance(two.start(other, first), Started)


def test_a_cluster_of_that_name_in_another_namespace_is_another_cluster(plane: Plane) -> None:
    plane.started(plane.pod("a"), seed=True)
    outcome = plane.start(plane.pod("b", namespace="elsewhere"), seed=True)
    assert isinstance(outcome, Started)
    assert outcome.new_ring


def test_a_datacenter_in_another_namespace_joins_through_its_seeds(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    other = plane.pod("b", namespace="elsewhere")
    plane.store.drain(first.uid, plane.now)
    assert "second ring" in sentence(plane.start(other, first, seed=True))


def test_a_seed_of_another_cluster_name_lets_nobody_join(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    assert "ClusterName mismatch" in sentence(plane.start(plane.pod("b", cluster="other"), first))


def test_two_cannot_bootstrap_at_once(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    assert isinstance(plane.start(plane.pod("b"), first), Started)
    third = plane.pod("c")
    assert "cannot bootstrap" in sentence(plane.start(third, first))
    plane.later()
    assert isinstance(plane.start(third, first), Started)


def test_nobody_bootstraps_while_the_first_node_still_does(plane: Plane) -> None:
    first = plane.pod("a")
    assert isinstance(plane.start(first, seed=True), Started)
    assert "second ring" in sentence(plane.start(plane.pod("b"), first))


def test_a_start_while_starting_or_started_does_nothing_and_is_counted(plane: Plane) -> None:
    pod = plane.pod("a")
    assert isinstance(plane.start(pod, seed=True), Started)
    starting = plane.start(pod, seed=True)
    plane.later()
    started = plane.start(pod, seed=True)
    plane.store.drain(pod.uid, plane.now)
    drained = plane.start(pod, seed=True)
    assert [o.status for o in (starting, started, drained) if isinstance(o, Ignored)] == [204, 202, 204]
    assert plane.events() == ["bootstrap", "ignored", "ignored", "drained", "ignored"]


def test_a_pod_made_again_on_its_disk_is_the_same_node_and_needs_no_seed(plane: Plane) -> None:
    first = plane.started(plane.pod("a", disk="d"), seed=True)
    host_id = plane.host_id(first)
    plane.store.drain(first.uid, plane.now, stopping=True)
    plane.store.forget_process(first.uid, plane.now)
    again = plane.pod("a", disk="d")
    assert again.ip != first.ip
    plane.started(again)
    assert plane.host_id(again) == host_id
    assert plane.events("bootstrap", "restart") == ["bootstrap", "restart"]


def test_several_known_nodes_may_restart_at_once(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    others = [plane.started(plane.pod(name), first) for name in "bc"]
    for process in (first, *others):
        plane.store.stop(process.uid, plane.now, crash=True)
    assert all(isinstance(plane.start(p), Started) for p in (first, *others))


def test_a_bootstrap_that_was_cut_off_is_begun_again_as_the_same_node(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.pod("b")
    assert isinstance(plane.start(second, first), Started)
    host_id = plane.host_id(second)
    plane.later(START_SECONDS / 2)
    plane.store.stop(second.uid, plane.now, crash=True)
    assert "second ring" in sentence(plane.start(second))
    assert isinstance(plane.start(second, first), Started)
    assert plane.host_id(second) == host_id


def test_a_ring_whose_only_bootstrap_was_cut_off_does_not_exist(plane: Plane) -> None:
    first = plane.pod("a")
    assert isinstance(plane.start(first, seed=True), Started)
    plane.store.stop(first.uid, plane.now, crash=True)
    assert isinstance(plane.start(plane.pod("b"), seed=True), Started)


def test_with_a_new_disk_it_is_a_new_node_and_the_old_one_stays_known_as_down(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b", disk="old"), first)
    host_id = plane.host_id(second)
    plane.store.forget_process(second.uid, plane.now)
    plane.store.forget_disk("old", plane.now)
    again = plane.started(plane.pod("b", disk="new"), first)
    assert plane.host_id(again) != host_id
    snapshot = plane.store.snapshot(plane.now)
    [old] = [n for n in snapshot.nodes if n.host_id == host_id]
    assert not snapshot.alive(old, seen_from="p1")


def test_a_dead_node_is_replaced_by_one_with_its_tokens(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b", disk="old"), first)
    dead = plane.store.node_of(second)
    new = plane.pod("b", disk="new")
    assert "Cannot replace a live node" in sentence(plane.start(new, first, replace_ip=second.ip))
    assert "doesn't exist in gossip" in sentence(plane.start(new, first, replace_ip="10.9.9.9"))
    plane.store.forget_process(second.uid, plane.now)
    plane.store.forget_disk("old", plane.now)
    outcome = plane.start(new, first, replace_ip=second.ip)
    assert isinstance(outcome, Started)
    assert dead is not None
    assert (outcome.kind, outcome.node.tokens) == ("replace", dead.tokens)
    assert dead.host_id not in {n.host_id for n in plane.store.snapshot(plane.now).nodes}


def test_losing_the_disk_makes_a_new_node_at_the_old_address(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b"), first)
    host_id = plane.host_id(second)
    plane.store.stop(second.uid, plane.now, crash=True, lose_disk=True)
    plane.started(second, first)
    assert plane.host_id(second) != host_id
    assert len(plane.store.snapshot(plane.now).nodes) == 2


def test_a_node_leaves_and_never_comes_back_with_its_data(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b"), first)
    assert plane.store.decommission(second.uid, now=plane.now, due=plane.now + 3, fail=False) is None
    assert "cannot bootstrap" in sentence(plane.start(plane.pod("c"), first))
    again = plane.store.decommission(second.uid, now=plane.now, due=plane.now + 3, fail=False)
    assert "LEAVING" in sentence(again)
    plane.later(3)
    alone = plane.store.decommission(first.uid, now=plane.now, due=plane.now + 3, fail=False)
    assert "pointless" in sentence(alone)
    plane.store.stop(second.uid, plane.now)
    assert "decommissioned" in sentence(plane.start(second, first))
    plane.store.forget_disk(second.disk, plane.now)
    assert len(plane.store.snapshot(plane.now).nodes) == 1


def test_a_node_that_dies_while_it_leaves_has_not_left(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b"), first)
    plane.store.decommission(second.uid, now=plane.now, due=plane.now + 3, fail=False)
    plane.store.stop(second.uid, plane.now, crash=True)
    plane.later(5)
    [node] = [n for n in plane.store.snapshot(plane.now).nodes if n.pod == "b"]
    assert node.mode_at(plane.now) is Mode.NORMAL
    plane.store.forget_disk(second.disk, plane.now)
    assert "b" in {n.pod for n in plane.store.snapshot(plane.now).nodes}


@pytest.mark.parametrize("what", ["datacenter", "rack"])
def test_a_node_does_not_start_where_its_data_says_it_is_not(plane: Plane, what: str) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    plane.store.stop(first.uid, plane.now)
    plane.store.db.execute(f"UPDATE processes SET {what} = 'other'")
    assert f"its saved {what}" in sentence(plane.start(first, seed=True))


def test_a_ring_without_any_disk_is_forgotten_and_may_be_founded_anew(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    plane.store.forget_process(first.uid, plane.now)
    plane.store.forget_disk(first.disk, plane.now)
    assert plane.store.snapshot(plane.now).nodes == ()
    assert isinstance(plane.start(plane.pod("a", disk="new"), seed=True), Started)


def test_addresses_are_unique_and_come_back_late(plane: Plane) -> None:
    addresses = []
    for number in range(300):
        process = plane.pod(f"pod-{number}")
        addresses.append(process.ip)
        plane.store.forget_process(process.uid, plane.now)
    assert len(set(addresses)) == 300


def test_a_node_with_one_token_moves_once_and_nobody_joins_meanwhile(plane: Plane) -> None:
    first = plane.started(plane.pod("a", num_tokens=1), seed=True)
    until = plane.now + 2.0
    assert plane.store.move(first.uid, 7, now=plane.now, due=until) is None
    [node] = plane.store.snapshot(plane.now).nodes
    assert (node.mode_at(plane.now), node.tokens) == (Mode.MOVING, (7,))
    assert "detected" in sentence(plane.start(plane.pod("b"), first))
    again = plane.store.move(first.uid, 7, now=plane.now, due=until)
    assert "already owned" in sentence(again)
    assert "MOVING state" in sentence(plane.store.move(first.uid, 8, now=plane.now, due=until))
    plane.later(2.0)
    assert plane.store.snapshot(plane.now).nodes[0].mode_at(plane.now) is Mode.NORMAL
    assert "already owned" in sentence(plane.store.move(first.uid, 7, now=plane.now, due=until))


def test_a_node_with_several_tokens_cannot_move(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    assert "more than one token" in sentence(plane.store.move(first.uid, 7, now=plane.now, due=plane.now))
