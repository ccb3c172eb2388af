"""Proof of health, from what nodes see of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.state import Gossip, Observations, Snapshot
from tests.unit.cassandra.builders import datacenter, gossip, pod, snapshot, started

PODS = started(pod(1), pod(2))
NODE_PORTS = datacenter(racks=2, size=2, networking={"nodePort": {"native": 30001, "internode": 30002}})


def seen_by(itself: int, table: Gossip) -> Gossip:
    """The table as one of the nodes shows it: with a mark on its own entry."""
    return tuple(replace(each, local=number == itself) for number, each in enumerate(table))


def with_tables(*tables: Gossip) -> Snapshot:
    found = {each.name: table for each, table in zip(PODS, tables, strict=True)}
    quorum = {each.name: True for each in PODS}
    return snapshot(PODS, of=NODE_PORTS, observed=Observations(gossip=found, quorum=quorum))


BY_POD = gossip(PODS)
BY_MACHINE = tuple(replace(entry, address=each.host_ip) for entry, each in zip(BY_POD, PODS, strict=True))


@pytest.mark.parametrize(
    ("says", "table"),
    [("of their pods", BY_POD), ("of their machines, as they are told to", BY_MACHINE)],
)
def test_nodes_are_known_by_what_they_say_of_themselves(says: str, table: Gossip) -> None:
    assert unhealthy(with_tables(seen_by(0, table), seen_by(1, table))) == "", f"addresses {says}"


def test_a_node_that_does_not_say_which_one_it_is_is_known_by_its_address() -> None:
    assert unhealthy(with_tables(BY_MACHINE, BY_MACHINE)) == ""
    lost = unhealthy(with_tables(BY_POD, BY_POD))
    assert lost == "demo-dc1-r1-sts-0 is unknown in the gossip of demo-dc1-r1-sts-0"


def test_a_node_that_is_down_for_another_one_is_named() -> None:
    down = (BY_POD[0], replace(BY_POD[1], alive=False))
    assert unhealthy(with_tables(seen_by(0, down), seen_by(1, BY_POD))) == (
        "demo-dc1-r2-sts-0 is down in the gossip of demo-dc1-r1-sts-0"
    )
