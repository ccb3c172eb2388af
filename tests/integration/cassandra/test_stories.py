"""Stories that upstream's operator was recorded in, told again by ours: the same calls in the same order, the
same ends of tasks, and no event of upstream's missing. What differs on purpose is named here.
"""

from __future__ import annotations

from collections.abc import Iterable

from missioncontrol.api.names import EventReason, Label
from missioncontrol.api.resources import CASSANDRA_TASKS, PODS
from tests.cassandra_stories import (
    Call,
    Json,
    Story,
    Told,
    comparable_call,
    comparable_status,
    counts,
    read_story,
)
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.processes import eventually

# upstream reconciles once more than it has seen, and writes hashes of changed numbers of nodes
UPSTREAM_ALONE = {("Warning", "ReconcileFailed"), ("Normal", "UpdatingRack")}
OURS_ALONE = {
    ("Normal", EventReason.TASK_STARTED.value),
    ("Normal", EventReason.TASK_COMPLETE.value),
    ("Warning", EventReason.TASK_FAILED.value),
}


class Narrator:
    """Tells stories to one datacenter and keeps what came of them."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._told: set[Told] = set()
        self._heard = 0

    def story(self, number: str) -> Story:
        found = read_story(number, namespace=self.plane.namespace)
        self._told |= found.events
        return found

    def begin(self, number: str) -> None:
        """Make the datacenter of a story and wait until it is ready."""
        [body] = self.story(number).inputs
        spec = {key: value for key, value in body["spec"].items() if key != "clusterName"}
        self.plane.create_datacenter(body["metadata"]["name"], **spec)
        self.plane.wait_settled()

    def patch(self, number: str) -> Story:
        """The story of a changed datacenter."""
        story = self.story(number)
        [patch] = story.inputs
        self.plane.patch_datacenter(patch)
        self.plane.wait_settled()
        return story

    def task(self, number: str) -> Story:
        """The story of one task, which has to end as upstream's did."""
        story = self.story(number)
        [body], [ending] = story.inputs, story.endings
        name = body["metadata"]["name"]
        self.plane.admin.request("POST", CASSANDRA_TASKS.path(self.plane.namespace), body)
        self.plane.wait_task(name)

        def ended_with_its_label() -> Json | None:
            found = self.plane.get(CASSANDRA_TASKS, name)
            return found if found["metadata"]["labels"][Label.TASK_STATUS] != "active" else None

        ended = eventually(ended_with_its_label, f"{name} is no active task any more")
        assert comparable_status(ended["status"]) == comparable_status(ending["status"])
        assert ended["metadata"]["labels"] == ending["metadata"]["labels"]
        owners = [
            {key: value for key, value in owner.items() if key != "uid"}
            for owner in ended["metadata"]["ownerReferences"]
        ]
        assert owners == ending["metadata"]["ownerReferences"]
        return story

    def new_calls(self) -> list[Call]:
        """The calls since the last look."""
        found = self.plane.calls("")
        fresh, self._heard = found[self._heard :], len(found)
        return [
            comparable_call(each["pod"], each["path"], each.get("body"))
            for each in fresh
            if each["method"] != "GET" and counts(each["path"])
        ]

    def assert_told(self, besides: Iterable[Told] = ()) -> None:
        """Every event of the stories was told, and no other."""

        def events() -> set[Told]:
            return {(each["type"], each["reason"]) for each in self.plane.events()} - OURS_ALONE

        expected = self._told - UPSTREAM_ALONE
        eventually(lambda: expected <= events(), f"the events {expected}")
        found = {told for told in events() - UPSTREAM_ALONE if told[1] in set(EventReason)}
        assert found == expected | set(besides)


def test_jobs_of_all_kinds_ask_nodes_for_the_same(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.begin("01")
    # which rack's pod runs first is not ours to say
    assert set(map(repr, narrator.new_calls())) == set(map(repr, narrator.story("01").calls))
    for number in ("15", "17", "19", "21", "27"):
        assert list(narrator.task(number).calls) == narrator.new_calls(), number
    narrator.assert_told()


def test_restarts_and_changes_reach_nodes_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.begin("01")
    narrator.new_calls()
    # the last node was recorded with a management API that knows no asynchronous jobs
    plane.simulator.fault(plane.namespace, "demo-dc1-rack3-sts-0", "old-api")
    assert list(narrator.task("13").calls) == narrator.new_calls()
    plane.simulator.fault(plane.namespace, "demo-dc1-rack3-sts-0", "clear")
    assert list(narrator.task("23").calls) == narrator.new_calls()
    plane.wait_settled()
    assert list(narrator.task("45").calls) == narrator.new_calls()
    plane.wait_settled()
    assert list(narrator.patch("07").calls) == narrator.new_calls()
    story = narrator.story("37")
    plane.delete(PODS, "demo-dc1-rack2-sts-0")
    eventually(lambda: list(story.calls) == narrator.new_calls(), "the deleted pod's node is started again")
    # the datacenter stays Ready meanwhile; a node that still starts would not be drained
    eventually(lambda: list(plane.node_states().values()) == ["Started"] * 3, "all nodes are started")
    story = narrator.story("05")
    plane.patch_datacenter(story.inputs[0])
    eventually(lambda: not plane.pods(), "all nodes are stopped")
    assert sorted(map(repr, story.calls)) == sorted(map(repr, narrator.new_calls()))
    narrator.assert_told()


def test_nodes_leave_in_the_same_order(operator: OperatorProcess, plane: Plane) -> None:
    narrator = Narrator(plane)
    narrator.story("01")
    plane.create_datacenter(size=6)
    plane.wait_settled()
    narrator.new_calls()
    assert list(narrator.patch("03").calls) == narrator.new_calls()
    # six nodes at once: the first to run in a rack is not the one that stays its seed
    narrator.assert_told(besides=[("Normal", EventReason.UNLABELED_POD_AS_SEED.value)])
