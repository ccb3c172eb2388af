"""What a node sees of the others, and when it calls its ring unable to serve."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from missioncontrol.local.simulator import gossip
from missioncontrol.local.simulator.ring import HEARTBEAT_LIMIT, Mode, Node, Process, tokens_of
from tests.unit.simulator.conftest import Plane


def seen(plane: Plane, viewer: Process) -> dict[str, dict[str, str]]:
    local = plane.store.node_of(viewer)
    assert local is not None
    snapshot = plane.store.snapshot(plane.now, of_ring=local.ring)
    table = gossip.endpoints(snapshot, local, schema="s")
    return {n.pod: e for n in snapshot.nodes for e in table if e["HOST_ID"] == n.host_id}


def test_all_values_are_strings_and_one_entry_is_local(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    plane.started(plane.pod("b"), first)
    table = seen(plane, first)
    assert {type(v) for e in table.values() for v in e.values()} == {str}
    assert [table[p]["IS_LOCAL"] for p in "ab"] == ["true", "false"]
    assert table["a"]["STATUS"].startswith("NORMAL,")


def test_a_drained_node_said_goodbye_and_a_killed_one_did_not(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second, third = (plane.started(plane.pod(name), first) for name in "bc")
    plane.store.drain(second.uid, plane.now)
    plane.store.forget_process(third.uid, plane.now)
    table = seen(plane, first)
    assert (table["b"]["STATUS"], table["b"]["IS_ALIVE"]) == ("shutdown,true", "false")
    assert table["c"]["STATUS"].startswith("NORMAL,")
    assert table["c"]["IS_ALIVE"] == "false"


def test_a_leaving_node_is_seen_to_leave_and_to_have_left(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b"), first)
    plane.store.decommission(second.uid, now=plane.now, due=plane.now + 3, fail=False)
    assert seen(plane, first)["b"]["STATUS"].startswith("LEAVING,")
    plane.later(3)
    assert seen(plane, first)["b"]["STATUS"].startswith("LEFT,")


def test_nodes_of_a_plane_whose_simulator_is_silent_are_down_for_the_others_only(
    make_plane: Callable[[str], Plane],
) -> None:
    one, two = make_plane("p1"), make_plane("p2")
    first = one.started(one.pod("a"), seed=True)
    two.now = one.now
    second = two.started(two.pod("b"), first)
    one.now = two.now
    one.later(HEARTBEAT_LIMIT + 1)
    assert seen(one, first)["b"]["IS_ALIVE"] == "false"
    two.later(HEARTBEAT_LIMIT + 1)
    assert seen(one, first)["b"]["IS_ALIVE"] == "true"
    assert seen(two, second)["a"]["IS_ALIVE"] == "true"


def test_schema_versions_name_those_that_cannot_be_asked(plane: Plane) -> None:
    first = plane.started(plane.pod("a"), seed=True)
    second = plane.started(plane.pod("b"), first)
    plane.store.drain(second.uid, plane.now)
    local = plane.store.node_of(first)
    assert local is not None
    versions = gossip.schema_versions(plane.store.snapshot(plane.now), local, schema="s")
    assert versions == {"s": [first.ip], "UNREACHABLE": [second.ip]}


@pytest.mark.parametrize(
    ("says", "down", "factor", "served"),
    [
        ("three racks serve with one node down", 1, 3, True),
        ("three racks do not serve with two nodes down", 2, 3, False),
        ("one replica is not enough when its node is down", 1, 1, False),
        ("more replicas than nodes cannot be had when too few are there", 0, 7, False),
        ("everybody up serves", 0, 3, True),
    ],
)
def test_quorum(plane: Plane, says: str, down: int, factor: int, served: bool) -> None:
    pods = [plane.pod(f"n{number}", rack=f"r{number}") for number in range(3)]
    plane.started(pods[0], seed=True)
    for pod in pods[1:]:
        plane.started(pod, pods[0])
    for pod in pods[3 - down :]:
        plane.store.drain(pod.uid, plane.now)
    local = plane.store.node_of(pods[0])
    assert local is not None
    failed = gossip.unavailable_ranges(
        plane.store.snapshot(plane.now), local, consistency_level="LOCAL_QUORUM", replication_factor=factor
    )
    assert (not failed) is served, says


@given(racks=st.lists(st.integers(1, 4), min_size=1, max_size=4), wanted=st.integers(1, 5))
def test_replicas_are_distinct_and_in_as_many_racks_as_can_be(racks: list[int], wanted: int) -> None:
    nodes = [
        _node(f"r{rack}", f"h{rack}-{number}") for rack, size in enumerate(racks) for number in range(size)
    ]
    owners = sorted(((t, n) for n in nodes for t in n.tokens), key=lambda o: o[0])
    for start in range(len(owners)):
        found = gossip.replicas_of(owners, start, wanted)
        assert len({n.host_id for n in found}) == len(found) == min(wanted, len(nodes))
        assert len({n.rack for n in found}) == min(wanted, len(racks))


def _node(rack: str, host_id: str) -> Node:
    return Node(
        host_id=host_id,
        ring="ring",
        cluster="demo",
        datacenter="dc",
        rack=rack,
        plane="p1",
        namespace="ns",
        pod=host_id,
        uid=host_id,
        disk=host_id,
        ip=host_id,
        tokens=tokens_of(host_id, 4),
        version="5.0.4",
        mode=Mode.NORMAL,
    )
