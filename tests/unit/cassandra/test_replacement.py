"""Replacing nodes by a task: written down first, asked once, recognised by another host id."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.tasks.replacement import NodeFacts, ReplaceStep, decide_replacement
from missioncontrol.api.control import PodTaskStatus

BEGAN = "2026-05-04T11:59:00Z"


def node(name: str, identity: str = "old", *, started: bool = True, asked: bool = False) -> NodeFacts:
    return NodeFacts(name, identity, started, asked)


def step(*nodes: NodeFacts, cancelled: bool = False, **states: str) -> ReplaceStep:
    found = {
        name: PodTaskStatus.model_validate({"status": status, "jobId": "old", "startTime": BEGAN})
        for name, status in states.items()
    }
    return decide_replacement(nodes, found, cancelled=cancelled)


def test_the_first_is_written_down_before_anything_is_asked() -> None:
    found = step(node("a"), node("b"))
    assert (found.record, found.ask) == (node("a"), "")


def test_what_is_written_down_is_asked_for_also_after_a_crash() -> None:
    assert step(node("a"), a="RUNNING").ask == "a"
    assert step(node("a", started=False), a="RUNNING").ask == "a"


def test_what_was_asked_for_is_not_asked_again() -> None:
    found: Any = step(node("a", asked=True), a="RUNNING")
    assert (found.ask, found.done, found.finished) == ("", "", False)


def test_a_node_is_replaced_when_another_one_serves_in_its_place() -> None:
    assert step(node("a", "new", started=False), a="RUNNING").done == ""
    assert step(node("a", "new"), a="RUNNING").done == "a"
    assert step(node("a", "new"), node("b"), a="COMPLETED").record == node("b")
    assert step(node("a", "new"), a="COMPLETED").finished


def test_a_cancelled_one_ends_between_two_nodes() -> None:
    assert not step(node("a", asked=True), node("b"), cancelled=True, a="RUNNING").finished
    found = step(node("a", "new"), node("b"), cancelled=True, a="COMPLETED")
    assert (found.stopped, found.sentence) == (True, "cancelled after 1 nodes; 1 were not replaced")
